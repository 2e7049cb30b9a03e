"""The options and their defaults, one frozen dataclass per table; `config.schema` validates them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.checks import host_name, is_loopback
from config.credentials import Client, RevokedToken, Token, Webhook
from config.roles import Role

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
    url: str = ""
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
    """[log]: the provisioning log, and the form of the lines on stderr."""

    path: str = "data/provisioning.jsonl"
    max_bytes: int = 20_000_000
    days: int = 90
    record_reads_until: str = ""
    format: str = "text"

    @property
    def records_reads(self) -> bool:
        """Whether the log also gets an entry for each read."""
        return bool(self.record_reads_until) and datetime.now(UTC) < datetime.fromisoformat(self.record_reads_until)


@dataclass(frozen=True, slots=True)
class OAuth:
    """[oauth]: how clients get access tokens."""

    token_endpoint: str = "/oauth2/token"  # noqa: S105  # a path
    access_token_minutes: int = 60


@dataclass(frozen=True, slots=True)
class Events:
    """[events]: whether applications can follow the directory, and how long events are kept."""

    enabled: bool = False
    days: int = 7
    max_bytes: int = 256_000_000


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
class Metrics:
    """[metrics]: who may read /metrics; without a token, only this machine."""

    enabled: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """[webhook_delivery]: how events are posted to webhooks, and where to."""

    timeout: int = 10
    retries: tuple[int, ...] = (5, 30, 120, 900, 3_600, 14_400, 28_800, 36_000)
    networks: tuple[str, ...] = ()


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
    events: Events = Events()
    connection: Connection = Connection()
    panel: Panel = Panel()
    attribute_names: AttributeNames = AttributeNames()
    oauth: OAuth = OAuth()
    metrics: Metrics = Metrics()
    webhook_delivery: WebhookDelivery = WebhookDelivery()
    tokens: tuple[Token, ...] = ()
    revoked_tokens: tuple[RevokedToken, ...] = ()
    clients: tuple[Client, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    schemas: tuple[Mapping[str, Any], ...] = ()
    roles: tuple[Role, ...] = ()
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

    def webhook(self, name: str) -> Webhook | None:
        """Return the webhook with a name."""
        return next((webhook for webhook in self.webhooks if webhook.name == name), None)


TABLES: dict[str, Any] = {
    "server": Server,
    "store": StoreOptions,
    "directory": Directory,
    "limits": Limits,
    "log": LogOptions,
    "events": Events,
    "connection": Connection,
    "panel": Panel,
    "attribute_names": AttributeNames,
    "oauth": OAuth,
    "metrics": Metrics,
    "webhook_delivery": WebhookDelivery,
}
