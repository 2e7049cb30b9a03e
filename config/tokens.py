"""Bearer tokens: shown once, stored as a hash (RFC 7644 section 2). Also the secrets of webhooks, shown once."""

import hashlib
import secrets
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

from config import NEVER, SIGNING_PREFIX

PREFIX = "tscim_"


def new_token(
    name: str, *, scope: str = "", read_only: bool = False, lifetime: timedelta | None = None
) -> tuple[str, dict[str, Any]]:
    """Return a new token of 256 random bits, and its [[tokens]] table."""
    text, hashed = new_hashed(lifetime)
    return text, {"name": name, **hashed, "scope": scope or scope_of(read_only=read_only)}


def new_client_secret(lifetime: timedelta) -> tuple[str, dict[str, Any]]:
    """Return a new client secret of 256 random bits, and its [[clients.secrets]] table."""
    text, hashed = new_hashed(lifetime)
    return text, {"id": f"{hashed['created']:%Y-%m-%d}-{secrets.token_hex(4)}", **hashed}


def new_signing_secret() -> tuple[str, dict[str, Any]]:
    """Return a new secret of a webhook, of 256 random bits, and its [[webhooks.secrets]] table.

    The secret itself is stored: a hash of it could not sign.
    """
    text = SIGNING_PREFIX + b64encode(secrets.token_bytes(32)).decode()
    return text, {"secret": text, "created": datetime.now(UTC).replace(microsecond=0), "expires": NEVER}


def scope_of(*, read_only: bool) -> str:
    """Return the scope as the configuration spells it."""
    return "read-only" if read_only else "read-write"


def new_hashed(lifetime: timedelta | None) -> tuple[str, dict[str, Any]]:
    """Return a new secret of 256 random bits, and what is stored of it."""
    text = PREFIX + secrets.token_urlsafe(32)
    created = datetime.now(UTC).replace(microsecond=0)
    expires = NEVER if lifetime is None else created + lifetime
    return text, {"sha256": hash_token(text), "created": created, "expires": expires}


def hash_token(text: str) -> str:
    """Return the hash that is stored for a token.

    SHA-256 without salt or stretching is enough: 256 random bits cannot be guessed at any speed.
    """
    return hashlib.sha256(text.encode()).hexdigest()


TEST_PREFIX = "connection-test-"  # names the tokens of the panel's connection test


def new_test_name() -> str:
    """Return a name for the token of one connection test."""
    return TEST_PREFIX + secrets.token_hex(4)


def is_test_name(name: str) -> bool:
    """Return whether this is the name of a connection test's token."""
    return name.startswith(TEST_PREFIX)
