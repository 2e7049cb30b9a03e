"""The options and their defaults, one frozen dataclass per table; `config.schema` validates them."""

import hashlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.checks import host_name, is_loopback

NEVER = "never"
_LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # by the address that stands for all


@dataclass(frozen=True, slots=True)
class Server:
    """[server]: where the service listens and what it accepts."""

    bind: str = "127.0.0.1:8000"
    workers: int = 2
    threads: int = 3
    base_path: str = "/api/scim/v2"
    public_url: str = ""
    trusted_proxies: int = 0
    max_body_bytes: int = 8_000_000
    request_timeout: int = 30
    cors_origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def origin(self, given: str = "") -> str:
        """Return the URL below which everything is served: public_url, else the given origin."""
        return (self.public_url or given or self.local_origin).rstrip("/")

    def url(self, origin: str = "") -> str:
        """Return the URL of the endpoints: under public_url, else under the given origin."""
        return self.origin(origin) + self.base_path

    @property
    def socket(self) -> str:
        """The path of the Unix socket that gunicorn listens on, or ""."""
        return self.bind.removeprefix("unix:") if self.bind.startswith("unix:") else ""

    @property
    def local_origin(self) -> str:
        """The origin under which this machine reaches the service: `bind`, or loopback if that is every address."""
        if self.socket:
            return "http://localhost"
        host, _, port = self.bind.rpartition(":")
        return f"http://{_LOOPBACKS.get(host_name(host), host)}:{port}"

    def answers_for(self, host: str) -> bool:
        """Return whether a request may name this host. Without `hosts` it may name any."""
        return not self.hosts or _is_known_host(self, host)


@lru_cache(maxsize=64)  # the host comes from the client, and is nearly always the same
def _is_known_host(server: Server, host: str) -> bool:
    name = host_name(host)
    own = (urlsplit(server.public_url).netloc, urlsplit(server.local_origin).netloc)
    bracketed = (f"[{one}]" if ":" in one else one for one in server.hosts)
    return bool(name) and (is_loopback(name) or name in map(host_name, (*own, *bracketed)))


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """[store]: where and how resources are stored."""

    path: str = "data/tinyscim.json"
    durability: str = "fsync"
    compact_after: int = 16_000_000


@dataclass(frozen=True, slots=True)
class Directory:
    """[directory]: rules for users and groups."""

    unique_group_names: bool = True
    purge_disabled_after_days: int = 0
    indexed_attributes: tuple[str, ...] = (
        "externalId",
        "emails.value",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
        "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id",
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """[limits]: how much one request may ask for."""

    page_size: int = 100
    max_page_size: int = 1_000
    max_bulk_operations: int = 1_000
    max_query_steps: int = 2_000_000
    max_patch_steps: int = 250_000
    max_text_length: int = 10_000
    max_binary_length: int = 200_000


@dataclass(frozen=True, slots=True)
class LogOptions:
    """[log]: the provisioning log."""

    path: str = "data/provisioning.jsonl"
    max_bytes: int = 20_000_000
    days: int = 90
    record_reads_until: str = ""

    @property
    def records_reads(self) -> bool:
        """Whether the log also gets an entry for each read."""
        return bool(self.record_reads_until) and datetime.now(UTC) < datetime.fromisoformat(self.record_reads_until)


@dataclass(frozen=True, slots=True)
class Token:
    """One of [[tokens]]: a bearer token's name, hash and limits."""

    name: str = ""
    sha256: str = ""
    created: datetime | None = None
    expires: datetime | None = None
    scope: str = "read-write"

    @property
    def read_only(self) -> bool:
        """Whether the token may only read."""
        return self.scope == "read-only"

    @property
    def is_valid(self) -> bool:
        """Whether it has not expired."""
        return _is_ahead(self.expires)


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """One of [[revoked_tokens]]: a token that no longer works. It grants nothing and explains why it is rejected."""

    name: str = ""
    sha256: str = ""
    reason: str = "revoked"
    ended: datetime | None = None


def _is_ahead(moment: datetime | None) -> bool:
    return moment is None or datetime.now(UTC) < moment


@dataclass(frozen=True, slots=True)
class OAuth:
    """[oauth]: how clients get access tokens."""

    token_endpoint: str = "/oauth2/token"  # noqa: S105  # a path
    access_token_minutes: int = 60


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One of [[clients.secrets]]: its hash and limits."""

    id: str = ""
    sha256: str = ""
    created: datetime | None = None
    expires: datetime | None = None

    @property
    def is_valid(self) -> bool:
        """Whether it has not expired."""
        return _is_ahead(self.expires)


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
class Connection:
    """[connection]: whether SCIM requests are accepted."""

    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Panel:
    """[panel]: who may reach the web panel; without a password it is off."""

    password_hash: str = ""
    secret: str = ""
    allow: tuple[str, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether there is a password to sign in with."""
        return bool(self.password_hash and self.secret)


@dataclass(frozen=True, slots=True)
class AttributeNames:
    """[attribute_names]: what the organisation calls its five attributes."""

    extraAttribute1: str = ""
    extraAttribute2: str = ""
    extraAttribute3: str = ""
    extraAttribute4: str = ""
    extraAttribute5: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    server: Server = Server()
    store: StoreOptions = StoreOptions()
    directory: Directory = Directory()
    limits: Limits = Limits()
    log: LogOptions = LogOptions()
    connection: Connection = Connection()
    panel: Panel = Panel()
    attribute_names: AttributeNames = AttributeNames()
    oauth: OAuth = OAuth()
    tokens: tuple[Token, ...] = ()
    revoked_tokens: tuple[RevokedToken, ...] = ()
    clients: tuple[Client, ...] = ()
    schemas: tuple[Mapping[str, Any], ...] = ()
    path: Path | None = None

    def resolve(self, name: str) -> Path:
        """Return a path in the configuration, which is relative to its file."""
        return (self.path.parent if self.path else Path.cwd()) / name

    def token_url(self, origin: str = "") -> str:
        """Return the URL of the token endpoint: under public_url, else under the given origin."""
        return self.server.origin(origin) + self.oauth.token_endpoint

    @property
    def lets_write(self) -> bool:
        """Whether a token or a client may write."""
        credentials: tuple[Token | Client, ...] = (*self.tokens, *self.clients)
        return any(one.is_valid and not one.read_only for one in credentials)

    def client(self, id: str) -> Client | None:
        """Return the client with an id."""
        return next((client for client in self.clients if client.id == id), None)


TABLES: dict[str, Any] = {
    "server": Server,
    "store": StoreOptions,
    "directory": Directory,
    "limits": Limits,
    "log": LogOptions,
    "connection": Connection,
    "panel": Panel,
    "attribute_names": AttributeNames,
    "oauth": OAuth,
}
