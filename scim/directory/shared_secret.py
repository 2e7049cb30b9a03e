"""The secret that all workers of a service share; it signs cursors."""

import secrets
from pathlib import Path

from fileio.atomic import create_atomically, open_to_read
from storage.base import Unavailable

_SECRET_BYTES = 32


def shared_secret(path: Path | None) -> bytes:
    """Return the secret in a file, created if missing; without a path, a new one. Raises Unavailable."""
    if path is None:
        return secrets.token_bytes(_SECRET_BYTES)
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
