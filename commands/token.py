"""`flask token`: makes, lists and revokes bearer tokens. The file keeps their hashes alone."""

from pathlib import Path

import click
import tomlkit
from flask import current_app
from flask.cli import AppGroup

from config import ConfigError, editing
from scim.auth import new_token

token = AppGroup("token", help="Bearer tokens of the clients that may use the service.")


def config_path() -> Path:
    """Return the configuration's file."""
    path: Path | None = current_app.extensions["tinyscim"].config.now.path
    if path is None:
        raise click.ClickException("This application has no configuration file.")
    return path


def add_token(name: str, *, read_only: bool = False) -> str:
    """Write a new token's hash into the configuration and return the token; ClickException."""
    text, entry = new_token(name, read_only=read_only)
    path = config_path()
    try:
        with editing(path) as document:
            tables = document.setdefault("tokens", tomlkit.aot())
            if any(table.get("name") == name for table in tables):
                raise click.ClickException(f'There is a token "{name}" already; choose another name or revoke it.')
            table = tomlkit.table()
            table.update(entry)
            tables.append(table)
    except (OSError, ConfigError) as error:
        raise click.ClickException(f"{path} was not changed: {error}") from None
    return text


@token.command("new")
@click.option("--name", required=True, help="What to call the token, such as the client's name.")
@click.option("--read-only", is_flag=True, help="Let the token read and search, but change nothing.")
def new(name: str, read_only: bool) -> None:
    """Make a token and print it. It is shown this once: only its hash is kept."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise click.BadParameter("must be 1 to 100 printable characters", param_hint="--name")
    click.echo(add_token(name, read_only=read_only))


@token.command("list")
def list_tokens() -> None:
    """List the tokens: name, when it was made, what it may do."""
    tokens = current_app.extensions["tinyscim"].config.now.tokens
    if not tokens:
        click.echo(
            "There is no token, so every request is refused. Make one with: flask token new --name NAME",
            err=True,
        )
        return
    width = max(len(one.name) for one in tokens)
    for one in tokens:
        made = one.created.isoformat(" ", "seconds") if one.created else "-"
        click.echo(f"{one.name:{width}}  {made:25}  {one.scope}")


@token.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Take the token NAME back. A running server refuses it within a second."""
    path = config_path()
    try:
        with editing(path) as document:
            tables = document.get("tokens", [])
            places = [place for place, table in enumerate(tables) if table.get("name") == name]
            if not places:
                raise click.ClickException(f'There is no token "{name}". See: flask token list')
            del tables[places[0]]
            if not tables:
                del document["tokens"]
    except (OSError, ConfigError) as error:
        raise click.ClickException(f"{path} was not changed: {error}") from None
    click.echo(f'The token "{name}" is revoked.', err=True)
