"""The secret that all workers of a service share; it signs cursors and access tokens."""

import secrets
from pathlib import Path

from fileio.atomic import create_atomically, open_to_read
from storage.base import State, Unavailable

_SECRET_BYTES = 32


def file_secret(path: Path) -> bytes:
    """Return the secret in a file, created if missing. Raises Unavailable."""
    try:
        if not path.exists():
            create_atomically(path, secrets.token_bytes(_SECRET_BYTES))
        with open_to_read(path) as file:
            secret = file.read()
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error
    if len(secret) != _SECRET_BYTES:
        raise Unavailable(f"{path} is damaged. Delete it and restart; cursors issued so far become invalid.")
    return secret


def stored_secret(state: State) -> bytes:
    """Return the secret in a state, created if missing. Raises Unavailable."""
    if "secret" not in state.read():
        with state.changing() as value:
            value.setdefault("secret", secrets.token_hex(_SECRET_BYTES))
    return bytes.fromhex(state.read()["secret"])
