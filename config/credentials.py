"""The credentials in the configuration, one frozen dataclass per table; `config.credential_schemas` validates them."""

import hashlib
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime

NEVER = "never"
SIGNING_PREFIX = "whsec_"  # of the secrets of Standard Webhooks


class _Expiring:
    """A credential that may expire."""

    __slots__ = ()
    expires: datetime | None

    @property
    def is_valid(self) -> bool:
        """Whether it has not expired."""
        return self.expires is None or datetime.now(UTC) < self.expires


@dataclass(frozen=True, slots=True)
class Token(_Expiring):
    """One of [[tokens]]: a bearer token's name, hash and limits."""

    name: str = ""
    sha256: str = ""
    created: datetime | None = None
    expires: datetime | None = None
    scope: str = "read-write"

    @property
    def read_only(self) -> bool:
        """Whether the token may only read."""
        return self.scope != "read-write"

    @property
    def only_events(self) -> bool:
        """Whether the token is for the event feed, and not for SCIM."""
        return self.scope == "events"


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """One of [[revoked_tokens]]: a token that no longer works. It grants nothing and explains why it is rejected."""

    name: str = ""
    sha256: str = ""
    reason: str = "revoked"
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClientSecret(_Expiring):
    """One of [[clients.secrets]]: its hash and limits."""

    id: str = ""
    sha256: str = ""
    created: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Federation:
    """[clients.federation]: the workload identity whose assertions sign the client in."""

    issuer: str = ""
    jwks_url: str = ""
    subject: str = ""
    audiences: tuple[str, ...] = ()
    id: str = ""

    @property
    def credential(self) -> str:
        """The id that access tokens are bound to; any change of the federation makes another."""
        return f"federation-{hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Client:
    """One of [[clients]]: an OAuth client with its secrets, or its workload identity."""

    id: str = ""
    name: str = ""
    scope: str = "read-write"
    secrets: tuple[ClientSecret, ...] = ()
    federation: Federation | None = None

    @property
    def read_only(self) -> bool:
        """Whether the client may only read."""
        return self.scope == "read-only"

    @property
    def is_valid(self) -> bool:
        """Whether it can sign in."""
        return self.federation is not None or any(secret.is_valid for secret in self.secrets)

    def has_credential(self, id: str) -> bool:
        """Return whether the id is that of the federation, or of a secret that has not expired."""
        is_federation = self.federation is not None and self.federation.credential == id
        return is_federation or any(secret.id == id and secret.is_valid for secret in self.secrets)


@dataclass(frozen=True, slots=True)
class WebhookSecret(_Expiring):
    """One of [[webhooks.secrets]]: a key that signs events, and when it ends."""

    secret: str = field(default="", repr=False)
    created: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """One of [[webhooks]]: where events are posted to; without types, all of them."""

    name: str = ""
    url: str = ""
    types: tuple[str, ...] = ()
    paused: bool = False
    secrets: tuple[WebhookSecret, ...] = ()

    @property
    def keys(self) -> list[str]:
        """The secrets that have not expired, the newest first."""
        return [one.secret for one in self.secrets[::-1] if one.is_valid]
