"""Bearer tokens: made here, shown once, kept as a hash (RFC 7644 section 2)."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from config import NEVER, Token
from scim.errors import Unauthorized

PREFIX = "tscim_"


def new_token(name: str, *, read_only: bool = False, lifetime: timedelta | None = None) -> tuple[str, dict[str, Any]]:
    """Return a new token of 256 random bits, and the [[tokens]] table that lets it in."""
    text = PREFIX + secrets.token_urlsafe(32)
    created = datetime.now(UTC).replace(microsecond=0)
    return text, {
        "name": name,
        "sha256": hash_token(text),
        "created": created,
        "expires": NEVER if lifetime is None else created + lifetime,
        "scope": "read-only" if read_only else "read-write",
    }


def hash_token(text: str) -> str:
    """Return the hash under which a token is kept.

    SHA-256 without salt or stretching is right here: those slow down guessing of what people choose, and 256 random
    bits cannot be guessed at any speed.
    """
    return hashlib.sha256(text.encode()).hexdigest()


def authenticate(text: str, tokens: Iterable[Token]) -> Token:
    """Return the configured token with this text. Raises Unauthorized.

    The text is compared with every token, each time in constant time, so that the time taken tells nothing.
    """
    given = hash_token(text)
    known = [token for token in tokens if hmac.compare_digest(token.sha256, given) and token.is_valid]
    if not text or not known:
        raise Unauthorized("The bearer token is missing or not known here.")
    return known[0]
