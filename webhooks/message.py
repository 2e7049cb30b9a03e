"""The request that carries an event, signed as the specification of Standard Webhooks says."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from config import SIGNING_PREFIX

MAX_BODY = 1_000_000  # bytes
_ALWAYS = ("id", "cursor", "time", "type", "resource")  # the members that a larger event has

Event = Mapping[str, Any]


def body_of(event: Event) -> bytes:
    """Return an event as JSON; one that would be too large has `"truncated": true` instead of data and changes."""
    body = orjson.dumps(event)
    if len(body) <= MAX_BODY:
        return body
    return orjson.dumps({**{name: event[name] for name in _ALWAYS if name in event}, "truncated": True})


def headers_of(id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of a message, with a signature for each secret."""
    content = f"{id}.{timestamp}.".encode() + body
    return {
        "Content-Type": "application/json",
        "User-Agent": "Tinyscim",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, content) for secret in secrets),
    }


def _signature(secret: str, content: bytes) -> str:
    key = b64decode(secret.removeprefix(SIGNING_PREFIX))
    return f"v1,{b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}"
