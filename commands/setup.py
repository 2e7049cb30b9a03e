"""`flask setup`: what a fresh installation needs before it serves."""

import secrets

import click
from flask import current_app
from flask.cli import with_appcontext

from commands.paths import config_path
from panel import settings

FIRST_TOKEN = "entra"  # noqa: S105  # a name
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # those that nobody takes for another


@click.command("setup")
@with_appcontext
def setup() -> None:
    """Make the first token and the panel's first password, and print them. Run again, it prints nothing."""
    config = current_app.extensions["tinyscim"].config.now
    if config.tokens:
        return
    try:
        text = settings.add_token(config_path(), FIRST_TOKEN)
        password = "" if config.panel.is_on else _set_first_password()
    except settings.Refused as error:
        raise click.ClickException(str(error)) from None
    is_unknown = config.server.bind.startswith("unix:") and not config.server.public_url
    url = config.server.url("<public_url>" if is_unknown else "")
    click.echo("Paste these two into Entra: your application > Provisioning > Admin Credentials.")
    click.echo(f"  Tenant URL:    {url}")
    click.echo(f"  Secret Token:  {text}")
    click.echo("The token is shown this once; make another with: flask token new --name NAME")
    if password:
        click.echo("The administrator's panel, which guides you through the rest:")
        click.echo(f"  Address:       {url.removesuffix(config.server.base_path)}/panel/")
        click.echo(f"  Password:      {password}")
        click.echo("The password is shown this once; set your own with: flask panel password")
    if is_unknown:
        click.echo(
            "Set public_url under [server] to your proxy's address: bind is a socket, which has none of its own."
        )


def _set_first_password() -> str:
    password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    settings.set_password(config_path(), password)
    return password
