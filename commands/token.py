"""`flask token`: create, list and revoke bearer tokens. The configuration only has their hashes."""

from collections.abc import Callable

import click
from flask import current_app

from commands.output import Group, as_minute, check_stdout_open, print_table, unwritten
from commands.paths import config_path
from config import Token, edit
from provisioning_log import activity_of

SCOPES = ("read-write", "read-only", "events")
NOT_CREATED = ", so the token could not be shown: it was not created"

token = Group("token", help="Create, list and revoke the bearer tokens of SCIM clients.")


@token.command("new")
@click.option("--name", required=True, help="The token's name, such as the name of its client.")
@click.option("--read-only", "scope", flag_value="read-only", help="Only allow reading and searching.")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default="read-write",
    show_default=True,
    help="What it allows: everything, reading, or only the event feed.",
)
def new(name: str, scope: str) -> None:
    """Create a token and print it. It is shown only once, because only its hash is stored."""
    check_stdout_open(NOT_CREATED)
    path = config_path()
    try:
        text = edit.add_token(path, name, scope=scope)
        show(text, lambda: edit.remove_token(path, name))
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None


def show(text: str, revert: Callable[[], None], kind: str = "token") -> None:
    """Print the text with a new token or secret; if that fails, remove it again."""
    try:
        click.echo(text)
    except BaseException as error:
        revert()
        if isinstance(error, OSError):
            raise unwritten(error, f"; the {kind} was not shown, so it was removed again") from error
        raise


@token.command("list")
def list_tokens() -> None:
    """List the tokens, with their expiry and last use."""
    tokens = current_app.extensions["tinyscim"].live_config.current.tokens
    if not tokens:
        click.echo(
            "There are no tokens, so every request is refused. Create one with: flask token new --name NAME",
            err=True,
        )
        return
    activity = activity_of(current_app).read()
    rows = [
        (one.name, one.scope, as_minute(one.created, "-"), _expiry(one), as_minute(activity.last_use(one), "never"))
        for one in tokens
    ]
    print_table(("Name", "Scope", "Created", "Expires", "Last used"), rows)


def _expiry(token: Token) -> str:
    return as_minute(token.expires, "never") + ("" if token.is_valid else " (expired)")


@token.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke a token. A running server refuses it within a second."""
    try:
        edit.revoke_token(config_path(), name)
    except edit.Refused as error:
        raise click.ClickException(f"{error} List them with: flask token list") from None
    click.echo(f'Revoked the token "{name}".', err=True)
