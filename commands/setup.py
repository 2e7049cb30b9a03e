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
from config import Config, Server, edit
from config.expiry import expiring
from provisioning_log import portal

FIRST_TOKEN = "entra"  # noqa: S105  # a name
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # without characters that are easily confused


@click.command("setup", cls=Command)
@click.option("--check", is_flag=True, help="Only report tokens and secrets that expire within 30 days.")
@with_appcontext
def setup(check: bool) -> None:
    """Create the first token and the panel's password.

    Prints them with the addresses; later runs print the addresses only. With --check, the exit status is 1 if a token
    or a client secret expires within 30 days.
    """
    config = current_app.extensions["tinyscim"].live_config.current
    if check:
        _check(config)
        return
    if config.tokens or config.clients:
        click.echo("\n".join(_addresses(config)))
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


def _check(config: Config) -> None:
    expiries = expiring(config)
    click.echo("\n".join(map(str, expiries)) or "OK: no token and no client secret expires within 30 days")
    if expiries:
        raise click.exceptions.Exit(1)


def _addresses(config: Config) -> Iterator[str]:
    yield f"{portal.TENANT_URL}:    {config.server.url(shown_origin(config.server))}"
    if config.panel.is_on:
        yield f"Web panel:     {_panel(config.server)}"
    else:
        yield "The web panel is off. Turn it on with: flask panel password"


def _instructions(server: Server, token: str, password: str) -> Iterator[str]:
    yield f"Paste these two into Entra: your application > {portal.NEW_CONFIGURATION}."
    yield f"  {portal.TENANT_URL}:    {server.url(shown_origin(server))}"
    yield f"  {portal.SECRET_TOKEN}:  {token}"
    yield "The token is shown only once. Create another with: flask token new --name NAME"
    if password:
        yield "The web panel guides you through the rest:"
        yield f"  Address:       {_panel(server)}"
        yield f"  Password:      {password}"
        yield "The password is shown only once. Set your own with: flask panel password"
    if server.socket and not server.public_url:
        yield "Set public_url under [server] to your proxy's URL, because bind is a Unix socket and has no URL."
    elif not server.public_url.startswith("https:"):
        yield "Entra only calls public HTTPS addresses. Put a proxy in front and set public_url under [server], or use"
        yield f"Microsoft's on-premises provisioning agent: {portal.AGENT_DOCUMENTATION}"


def shown_origin(server: Server) -> str:
    """Return a placeholder if the service has no public URL, and listens on a Unix socket or any free port."""
    if server.public_url:
        return ""
    if server.bind.endswith(":0"):
        return f"{server.local_origin.removesuffix('0')}<port>"
    return "<public_url>" if server.socket else ""


def _panel(server: Server) -> str:
    return f"{server.url(shown_origin(server)).removesuffix(server.base_path)}/panel/"


def _first_password() -> str:
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
