"""`flask setup`: prepare a new installation."""

import secrets
from collections.abc import Iterator

import click
from flask import current_app
from flask.cli import with_appcontext

from commands.identity import Command
from commands.output import check_stdout_open
from commands.paths import config_path
from commands.token import NOT_CREATED, show
from config import Server, edit
from provisioning_log import portal

FIRST_TOKEN = "entra"  # noqa: S105  # a name
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # without characters that are easily confused


@click.command("setup", cls=Command)
@with_appcontext
def setup() -> None:
    """Create the first token and the web panel's password, and print them. Later runs do nothing."""
    config = current_app.extensions["tinyscim"].live_config.current
    if config.tokens:
        return
    check_stdout_open(NOT_CREATED)
    path = config_path()
    password = "" if config.panel.is_on else _first_password()

    def revert() -> None:
        edit.remove_token(path, FIRST_TOKEN)
        if not config.panel.is_on:
            edit.restore_panel(path, config.panel)

    try:
        text = edit.set_up(path, FIRST_TOKEN, password)
        show("\n".join(_instructions(config.server, text, password)), revert)
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None


def _instructions(server: Server, token: str, password: str) -> Iterator[str]:
    has_no_url = server.bind.startswith("unix:") and not server.public_url
    url = server.url("<public_url>" if has_no_url else "")
    yield f"Paste these two into Entra: your application > {portal.NEW_CONFIGURATION}."
    yield f"  {portal.TENANT_URL}:    {url}"
    yield f"  {portal.SECRET_TOKEN}:  {token}"
    yield "The token is shown only once. Create another with: flask token new --name NAME"
    if password:
        yield "The web panel guides you through the rest:"
        yield f"  Address:       {url.removesuffix(server.base_path)}/panel/"
        yield f"  Password:      {password}"
        yield "The password is shown only once. Set your own with: flask panel password"
    if has_no_url:
        yield "Set public_url under [server] to your proxy's URL, because bind is a Unix socket and has no URL."


def _first_password() -> str:
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
