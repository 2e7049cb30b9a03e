"""Access tokens: signed, and checked without a store (docs/decisions/0037-access-tokens.md)."""

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache

from itsdangerous import BadData, URLSafeSerializer

from config import Client, Config, Token
from config.tokens import PREFIX
from oauth.token_request import SCOPES

_SALT = "access token"


class InvalidToken(Exception):
    """The text is not an access token that works; the message tells the client why, if it once was one.

    The `reason` is unknown, expired or revoked; `client` is the name of its client, if that is known.
    """

    def __init__(self, message: str = "", reason: str = "unknown", client: str = "") -> None:
        super().__init__(message)
        self.reason, self.client = reason, client


class ExpiredToken(InvalidToken):
    """The access token was valid and has expired: the client asks for another."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token stands for: a client, the id of its secret or federation, and a scope."""

    client: str
    credential: str
    scope: str


def issue(key: bytes, grant: Grant, seconds: int) -> str:
    """Return an access token that works for so many seconds."""
    fields = [grant.client, grant.credential, grant.scope, int(time.time()) + seconds]
    # With the prefix of this service's tokens, logs recognise and redact it.
    return f"{PREFIX}{_serializer(key).dumps(fields)}"


def token_of(key: bytes, text: str, config: Config) -> Token:
    """Return the client of an access token, in the form of a configured token. Raises InvalidToken."""
    try:
        client_id, credential, scope, end = _serializer(key).loads(text.removeprefix(PREFIX))
    except BadData:
        raise InvalidToken from None
    client = config.client(client_id)
    if client is None or not client.has_credential(credential):
        ended = "The access token's client, or what it signed in with, was revoked or has expired."
        raise InvalidToken(ended, "revoked", client.name if client else "")
    if time.time() >= end:
        raise ExpiredToken("The access token has expired.", "expired", client.name)
    return as_token(client, scope)


def as_token(client: Client, scope: str) -> Token:
    """Return a client as what requests are made with: under its name, and with the lesser of the two scopes."""
    return Token(client.name, scope="read-only" if client.read_only else SCOPES[scope])


@lru_cache(maxsize=4)
def _serializer(key: bytes) -> URLSafeSerializer:
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(key, salt=_SALT, signer_kwargs=options)
