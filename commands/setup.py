"""`flask setup`: what a fresh installation needs before it serves."""

import secrets
from collections.abc import Iterator

import click
from flask import current_app
from flask.cli import with_appcontext

from commands.identity import Command
from commands.output import check_stdout_open
from commands.paths import config_path
from commands.token import NONE_MADE, show
from config import Server, edit

FIRST_TOKEN = "entra"  # noqa: S105  # a name
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # those that nobody takes for another


@click.command("setup", cls=Command)
@with_appcontext
def setup() -> None:
    """Make the first token and the panel's first password, and print them. Run again, it prints nothing."""
    config = current_app.extensions["tinyscim"].live_config.current
    if config.tokens:
        return
    check_stdout_open(NONE_MADE)
    path = config_path()
    password = "" if config.panel.is_on else _first_password()

    def take_back() -> None:
        edit.remove_token(path, FIRST_TOKEN)
        if not config.panel.is_on:
            edit.restore_panel(path, config.panel)

    try:
        text = edit.set_up(path, FIRST_TOKEN, password)
        show("\n".join(_told(config.server, text, password)), take_back)
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None


def _told(server: Server, token: str, password: str) -> Iterator[str]:
    is_unknown = server.bind.startswith("unix:") and not server.public_url
    url = server.url("<public_url>" if is_unknown else "")
    yield "Paste these two into Entra: your application > Provisioning > Admin Credentials."
    yield f"  Tenant URL:    {url}"
    yield f"  Secret Token:  {token}"
    yield "The token is shown this once; make another with: flask token new --name NAME"
    if password:
        yield "The administrator's panel, which guides you through the rest:"
        yield f"  Address:       {url.removesuffix(server.base_path)}/panel/"
        yield f"  Password:      {password}"
        yield "The password is shown this once; set your own with: flask panel password"
    if is_unknown:
        yield "Set public_url under [server] to your proxy's address: bind is a socket, which has none of its own."


def _first_password() -> str:
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
