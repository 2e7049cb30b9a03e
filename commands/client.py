"""`flask client`: create, list and revoke OAuth clients and their secrets. The configuration only has hashes."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import click
from flask import current_app

from commands.output import Group, check_stdout_open
from commands.paths import config_path
from commands.setup import shown_origin
from commands.token import show
from config import Client, Config, client_edit, edit
from provisioning_log import portal

NOT_CREATED = ", so the secret could not be shown: it was not created"

Result = TypeVar("Result")

client = Group("client", help="Create, list and revoke OAuth clients and their secrets.")

_days = click.option(
    "--days",
    type=click.IntRange(1, client_edit.MAX_DAYS),
    default=client_edit.LIFETIME.days,
    show_default=True,
    help="The days until the secret expires.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")


@client.command("new")
@click.option("--name", required=True, help="The client's name, such as the name of its tenant.")
@click.option("--read-only", is_flag=True, help="Only allow reading and searching.")
@_days
@_as_json
def new(name: str, read_only: bool, days: int, as_json: bool) -> None:
    """Create a client and print what Entra's form asks for. The secret is shown only once."""
    check_stdout_open(NOT_CREATED)
    path = config_path()
    lifetime = timedelta(days=days)
    id, secret = _refusable(lambda: client_edit.add_client(path, name, read_only=read_only, lifetime=lifetime))
    show(_form(id, secret, as_json=as_json), lambda: client_edit.remove_client(path, id), "secret")


@client.command("secret")
@click.argument("id")
@_days
@_as_json
def secret(id: str, days: int, as_json: bool) -> None:
    """Create another secret for a client and print it. The others keep working until they are revoked."""
    check_stdout_open(NOT_CREATED)
    path = config_path()
    secret_id, text = _refusable(lambda: client_edit.add_secret(path, id, timedelta(days=days)))
    show(_form(id, text, as_json=as_json), lambda: client_edit.remove_secret(path, id, secret_id), "secret")


@client.command("list")
def list_clients() -> None:
    """List the clients, and what each signs in with."""
    clients = _config().clients
    if not clients:
        click.echo("There are no clients. Create one with: flask client new --name NAME", err=True)
    for one in clients:
        click.echo("\n".join([f"{one.name}  {one.id}  {one.scope}", *_credentials(one)]))


def _credentials(client: Client) -> list[str]:
    lines = [f"  workload identity  {client.federation.subject}"] if client.federation else []
    for secret in client.secrets:
        verb = "expires" if secret.is_valid else "expired"
        end = f"{verb} {secret.expires.isoformat(' ', 'seconds')}" if secret.expires else "never expires"
        lines.append(f"  secret  {secret.id}  {end}")
    return lines or ["  without a secret, so it cannot sign in: flask client secret ID"]


@client.command("revoke")
@click.argument("id")
@click.option("--secret", "secret_id", default="", metavar="SECRET-ID", help="Revoke only this secret of the client.")
def revoke(id: str, secret_id: str) -> None:
    """Revoke a client, or one of its secrets. Its access tokens stop working immediately."""
    path = config_path()
    if secret_id:
        _refusable(lambda: client_edit.remove_secret(path, id, secret_id))
    else:
        _refusable(lambda: client_edit.remove_client(path, id))
    click.echo(f'Revoked the {"secret" if secret_id else "client"} "{secret_id or id}".', err=True)


def _refusable(change: Callable[[], Result]) -> Result:
    try:
        return change()
    except edit.Refused as error:
        raise click.ClickException(str(error)) from None


def _form(id: str, secret: str, *, as_json: bool) -> str:
    """Return the values for Entra's form, as text or as a JSON object."""
    config = _config()
    origin = shown_origin(config.server)
    values = {
        "client_id": id,
        "client_secret": secret,
        "token_endpoint": config.token_url(origin),
        "tenant_url": config.server.url(origin),
    }
    if as_json:
        return json.dumps(values)
    labels = (portal.CLIENT_ID, portal.CLIENT_SECRET, portal.TOKEN_ENDPOINT, portal.TENANT_URL)
    return "\n".join(
        (
            f"Enter these in Entra: your application > {portal.NEW_CONFIGURATION}, with the authentication method"
            f' "{portal.CLIENT_CREDENTIALS}".',
            *(f"  {f'{label}:':22}{value}" for label, value in zip(labels, values.values(), strict=True)),
            "The secret is shown only once. Create another with: flask client secret ID",
        )
    )


def _config() -> Config:
    config: Config = current_app.extensions["tinyscim"].live_config.current
    return config
