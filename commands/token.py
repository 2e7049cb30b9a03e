"""`flask token`: makes, lists and revokes bearer tokens. The file keeps their hashes alone."""

from collections.abc import Callable

import click
from flask import current_app

from commands.output import Group, check_stdout_open, unwritten
from commands.paths import config_path
from config import Token, edit

NONE_MADE = ", so nobody would see the token: none was made"

token = Group("token", help="Bearer tokens of the clients that may use the service.")


@token.command("new")
@click.option("--name", required=True, help="What to call the token, such as the client's name.")
@click.option("--read-only", is_flag=True, help="Let the token read and search, but change nothing.")
def new(name: str, read_only: bool) -> None:
    """Make a token and print it. It is shown this once: only its hash is kept."""
    check_stdout_open(NONE_MADE)
    path = config_path()
    try:
        text = edit.add_token(path, name, read_only=read_only)
        show(text, lambda: edit.remove_token(path, name))
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None


def show(text: str, take_back: Callable[[], None]) -> None:
    """Print what a new token is shown in; if that fails, it is taken back."""
    try:
        click.echo(text)
    except BaseException as error:
        take_back()
        if isinstance(error, OSError):
            raise unwritten(error, "; nobody has seen the token, so it is taken back") from error
        raise


@token.command("list")
def list_tokens() -> None:
    """List the tokens: name, when it was made, what it may do, and when it ends if it does."""
    tokens = current_app.extensions["tinyscim"].live_config.current.tokens
    if not tokens:
        click.echo(
            "There is no token, so every request is refused. Make one with: flask token new --name NAME",
            err=True,
        )
        return
    width = max(len(one.name) for one in tokens)
    for one in tokens:
        made = one.created.isoformat(" ", "seconds") if one.created else "-"
        click.echo(f"{one.name:{width}}  {made:25}  {one.scope}{_end(one)}")


def _end(token: Token) -> str:
    if token.expires is None:
        return ""
    verb = "expires" if token.is_valid else "expired"
    return f"  {verb} {token.expires.isoformat(' ', 'seconds')}"


@token.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Take the token NAME back. A running server refuses it within a second."""
    try:
        edit.remove_token(config_path(), name)
    except edit.Refused as error:
        raise click.ClickException(f"{error} See: flask token list") from None
    click.echo(f'The token "{name}" is revoked.', err=True)
