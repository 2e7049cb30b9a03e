"""`flask metrics`: let Prometheus read /metrics from another machine."""

import click

from commands.identity import Group
from commands.output import check_stdout_open
from commands.paths import config_path
from commands.token import NOT_CREATED, show
from config import edit

metrics = Group("metrics", help="Manage the token of /metrics.")


@metrics.command("token")
def token() -> None:
    """Create the token of /metrics and print it.

    It replaces the previous one, which stops working at once. It is shown only once, because only its hash is stored,
    and it gives no access to users and groups.
    """
    check_stdout_open(NOT_CREATED)
    path = config_path()
    try:
        text, previous = edit.set_metrics_token(path)
        show(text, lambda: edit.restore_metrics(path, previous))
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None
    if not previous.enabled:
        click.echo("Turned [metrics] on. Restart the service.", err=True)
