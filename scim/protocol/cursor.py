"""Cursors (RFC 9865): the position at which a query continues, signed so that clients cannot forge them."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Any

from scim.errors import InvalidCount, InvalidCursor

_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last resource of a page: the index of its type, its position and its sort key.

    `query` is the query's digest. `count` and `total` are the query's; the total is counted once.
    """

    query: str
    count: int
    total: int
    type: int
    position: int
    key: list[Any]

    def encode(self, secret: bytes) -> str:
        """Return the cursor as text, in RFC 3986's unreserved characters."""
        payload = json.dumps(asdict(self), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_sign(payload, secret) + payload).decode().rstrip("=")


def decode(text: str, secret: bytes, query: str, count: int) -> Cursor:
    """Return the cursor, if it was issued for this query. Raises InvalidCursor, InvalidCount."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _invalid() from None
    signature, payload = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _sign(payload, secret)):
        raise _invalid()
    cursor = Cursor(**json.loads(payload))
    if cursor.query != query:
        raise InvalidCursor("The cursor belongs to another query. Send the same parameters with every page.")
    if cursor.count != count:
        raise InvalidCount(f"The count must be the same for every page: {cursor.count}.")
    return cursor


def digest(*parts: Any) -> str:
    """Return a short digest of a query."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def _sign(payload: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, b"cursor:" + payload, "sha256")[:_SIGNATURE_BYTES]


def _invalid() -> InvalidCursor:
    return InvalidCursor("The cursor was not issued by this service. Start again with an empty cursor.")
