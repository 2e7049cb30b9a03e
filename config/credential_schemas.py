"""The marshmallow schemas of tokens, clients and webhooks.

What limits them has no default: a file that lost a line must not grant more than before.
"""

from base64 import b64decode
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from config import checks
from config.credentials import (
    NEVER,
    SIGNING_PREFIX,
    Client,
    ClientSecret,
    Federation,
    RevokedToken,
    Token,
    Webhook,
    WebhookSecret,
)
from config.fields import Moment, Names, Switch, TableSchema, Text

NO_TABLES: dict[str, Any] = {"invalid": "must be an array of tables"}
_HEX = frozenset("0123456789abcdef")
_ID = "1 to 100 letters, digits and . _ ~ -"


def _is_secret_id(text: str) -> bool:
    """Return whether this can be the id of a secret. Those of federations begin with the word."""
    return checks.is_id(text) and not text.startswith("federation")


def tables(schema: type[TableSchema], most: int | None = None) -> fields.Field[Any]:
    """Return the field of an array of tables."""
    length = validate.Length(max=most, error="has more than {max} tables")
    return fields.List(fields.Nested(schema), error_messages=NO_TABLES, validate=length)


def is_hash(text: str) -> bool:
    """Return whether it is a SHA-256 hash in hex."""
    return len(text) == 64 and set(text) <= _HEX


def is_signing_key(text: str) -> bool:
    """Return whether it is a secret of Standard Webhooks: base64 of 24 to 64 bytes behind "whsec_"."""
    try:
        key = b64decode(text.removeprefix(SIGNING_PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(SIGNING_PREFIX) and 24 <= len(key) <= 64


class HashSchema(TableSchema):
    """A table with the hash of a secret."""

    sha256 = Text(
        "a SHA-256 hash in hex",
        is_hash,
        is_secret=True,  # it may be the secret itself
        required=True,
    )


class ExpiringSchema(TableSchema):
    """A table with the time at which it expires."""

    created = Moment("a date and time")
    expires = Moment(
        f'a date and time with its zone, or "{NEVER}"',
        lambda moment: moment.tzinfo is not None,
        is_never=True,
        missing=f': write expires = "{NEVER}", or until when it works, such as 2030-01-31T12:00:00Z',
    )


class HashedSchema(ExpiringSchema, HashSchema):
    """A table with the hash of a secret, and the time at which it expires."""


class ScopedSchema(TableSchema):
    """A table with a name and what it may do."""

    name = Text("a name", bool, required=True)
    scope = Text(
        'one of "read-write" and "read-only"',
        lambda word: word in ("read-write", "read-only"),
        missing=': write scope = "read-write" or scope = "read-only"',
    )


class TokenSchema(ScopedSchema, HashedSchema):
    """One of [[tokens]]."""

    target = Token
    scope = Text(
        'one of "read-write", "read-only" and "events"',
        lambda word: word in ("read-write", "read-only", "events"),
        missing=': write scope = "read-write" or scope = "read-only"',
    )


class RevokedTokenSchema(HashSchema):
    """One of [[revoked_tokens]]."""

    target = RevokedToken
    name = Text("a name", bool, required=True)
    reason = Text('one of "revoked" and "expired"', lambda word: word in ("revoked", "expired"), required=True)
    ended = Moment("a date and time with its zone", lambda moment: moment.tzinfo is not None)


class ClientSecretSchema(HashedSchema):
    """One of [[clients.secrets]]."""

    target = ClientSecret
    id = Text(f"{_ID}, not federation…", _is_secret_id, required=True)


class FederationSchema(TableSchema):
    """[clients.federation]."""

    target = Federation
    issuer = Text("an issuer, as Entra shows it", bool, required=True)
    jwks_url = Text("an https URL (http only for this machine's own address)", checks.is_secure_url, required=True)
    subject = Text("a subject, as Entra shows it", bool, required=True)
    audiences = Names('a list like ["api://1a2b3c4d-0000-0000-0000-000000000000"]', bool, least=1, required=True)
    id = Text(_ID, checks.is_id)


class ClientSchema(ScopedSchema):
    """One of [[clients]]."""

    target = Client
    id = Text(_ID, checks.is_id, required=True)
    secrets = tables(ClientSecretSchema)
    federation = fields.Nested(FederationSchema)

    @validates_schema
    def check_ids(self, data: dict[str, Any], **_: Any) -> None:
        """Check that no two secrets have one id."""
        ids = [secret.id for secret in data.get("secrets", ())]
        if len(set(ids)) < len(ids):
            raise ValidationError("has two of the same id", "secrets")

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Client:
        """Return the client."""
        return Client(**{**data, "secrets": tuple(data.get("secrets", ()))})


class WebhookSecretSchema(ExpiringSchema):
    """One of [[webhooks.secrets]]."""

    target = WebhookSecret
    secret = Text(
        'what `flask webhook rotate` writes, "whsec_" and 24 to 64 bytes in base64',
        is_signing_key,
        is_secret=True,
        required=True,
    )


class WebhookSchema(TableSchema):
    """One of [[webhooks]]."""

    target = Webhook
    name = Text("a name", bool, required=True)
    url = Text("an https URL (http only for this machine's own address)", checks.is_secure_url, required=True)
    types = Names(
        'a list like ["user.created"], or [] for all events',
        checks.is_event_type,
        missing=': write types = [] for all events, or those to send, such as ["user.created"]',
    )
    paused = Switch(missing=": write paused = true or paused = false")
    secrets = tables(WebhookSecretSchema)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Webhook:
        """Return the webhook."""
        return Webhook(**{**data, "secrets": tuple(data.get("secrets", ()))})
