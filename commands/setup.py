"""`flask setup`: what a fresh installation needs before it serves."""

import click
from flask import current_app
from flask.cli import with_appcontext

from commands.token import add_token

FIRST_TOKEN = "entra"  # noqa: S105  # a name


@click.command("setup")
@with_appcontext
def setup() -> None:
    """Make the first token, if there is none, and print it with the Tenant URL. Run again, it prints nothing."""
    config = current_app.extensions["tinyscim"].config.now
    if config.tokens:
        return
    server = config.server
    text = add_token(FIRST_TOKEN)
    click.echo("Paste these two into Entra: your application > Provisioning > Admin Credentials.")
    click.echo(f"  Tenant URL:    {server.public_url or f'http://{server.bind}'}{server.base_path}")
    click.echo(f"  Secret Token:  {text}")
    click.echo("The token is shown this once; make another with: flask token new --name NAME")
