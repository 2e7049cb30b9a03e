"""Changes of [[clients]] that the panel and the command line make to the configuration file."""

import secrets
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import Table

from config import Federation
from config.edit import Refused, append, changing, check_name, check_name_free, drop, find, has_expired, tables
from config.tokens import is_test_name, new_client_secret, scope_of

LIFETIME = timedelta(days=365)
MAX_DAYS = 3 * 365
MAX_SECRETS = 20


def add_client(path: Path, name: str, *, read_only: bool = False, lifetime: timedelta = LIFETIME) -> tuple[str, str]:
    """Add a client and return its id and its secret; only the secret's hash is stored. Raises Refused."""
    check_name(name, is_brief=lifetime < timedelta(days=1))
    secret, table = new_client_secret(lifetime)
    return _add(path, name, read_only, {"secrets": [table]}), secret


def add_federated_client(path: Path, name: str, federation: Federation, *, read_only: bool = False) -> str:
    """Add a client that signs in with a workload identity, and return its id. Raises Refused."""
    check_name(name)
    return _add(path, name, read_only, {"federation": _federation(federation)})


def remove_client(path: Path, id: str) -> None:
    """Remove a client with all that it signs in with. Raises Refused."""
    with changing(path) as document:
        drop(document, "clients", _client(document, id))


def set_federation(path: Path, id: str, federation: Federation) -> None:
    """Set the workload identity that a client signs in with. Raises Refused."""
    with changing(path) as document:
        _client(document, id)["federation"] = tomlkit.item(_federation(federation))


def remove_federation(path: Path, id: str) -> None:
    """Remove the workload identity that a client signs in with. Raises Refused."""
    with changing(path) as document:
        if _client(document, id).pop("federation", None) is None:
            raise Refused("This client has no workload identity.")


def add_secret(path: Path, id: str, lifetime: timedelta = LIFETIME) -> tuple[str, str]:
    """Add a secret beside those that the client has, and return its id and its text. Raises Refused."""
    text, table = new_client_secret(lifetime)
    with changing(path) as document:
        client = _client(document, id)
        known = tables(client, "secrets")
        for one in [one for one in known if has_expired(one)]:
            known.remove(one)
        if len(known) >= MAX_SECRETS:
            raise Refused(f"A client has at most {MAX_SECRETS} secrets. Revoke one that is no longer used.")
        known.append(tomlkit.item(table))
    return table["id"], text


def remove_secret(path: Path, id: str, secret: str) -> None:
    """Remove one of a client's secrets, which ends the access tokens that it gave. Raises Refused."""
    with changing(path) as document:
        client = _client(document, id)
        drop(client, "secrets", find(client, "secrets", "id", secret, f'The client has no secret "{secret}".'))


def _add(path: Path, name: str, read_only: bool, credentials: dict[str, Any]) -> str:
    id = str(uuid4())
    with changing(path) as document:
        check_name_free(document, name)
        for one in [one for one in tables(document, "clients") if _is_left_over(one)]:
            drop(document, "clients", one)
        append(document, "clients", {"id": id, "name": name, "scope": scope_of(read_only=read_only), **credentials})
    return id


def _is_left_over(client: Table) -> bool:
    """Return whether this is the client of a connection test that was interrupted."""
    return is_test_name(client["name"]) and all(has_expired(secret) for secret in client["secrets"])


def _client(document: TOMLDocument, id: str) -> Table:
    return find(document, "clients", "id", id, f'No such client: "{id}". List the clients with: flask client list')


def _federation(federation: Federation) -> dict[str, Any]:
    """Return the table, with an id of its own: tokens of an earlier one with the same values have ended."""
    return {**asdict(federation), "audiences": list(federation.audiences), "id": secrets.token_hex(4)}
