"""The marshmallow schemas of the configuration."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, post_load, validates_schema

from config import checks
from config.credential_schemas import (
    NO_TABLES,
    ClientSchema,
    RevokedTokenSchema,
    TokenSchema,
    WebhookSchema,
    is_hash,
    tables,
)
from config.fields import Names, Number, Numbers, Switch, TableSchema, Text
from config.options import (
    AttributeNames,
    Config,
    Connection,
    Directory,
    Events,
    Limits,
    LogOptions,
    Metrics,
    OAuth,
    Panel,
    Server,
    StoreOptions,
    WebhookDelivery,
)
from config.roles import RoleSchema
from config.unchecked import nul_errors, table_of, values_of

MAX_WEBHOOKS = 20


class ServerSchema(TableSchema):
    """[server]."""

    target = Server
    bind = Text("an address and a port, like 127.0.0.1:8000 or [::1]:8000", checks.is_address)
    workers = Number(1, 64)
    threads = Number(1, 256)
    base_path = Text('a path like "/api/scim/v2", without a "/" at its end', checks.is_base_path)
    public_url = Text('like "https://scim.example.com", without the base path', checks.is_public_url)
    trusted_proxies = Number(0, 10)
    max_body_bytes = Number(1_000, 100_000_000)
    request_timeout = Number(1, 600)
    cors_origins = Names('a list like ["https://tool.example.com"]')
    hosts = Names('a list of names without ports, like ["scim.example.com"]', checks.is_host)

    @validates_schema
    def check_paths(self, data: dict[str, Any], **_: Any) -> None:
        """Check that the endpoints and the panel have paths of their own."""
        server = Server(**data)
        errors = {}
        if server.public_url.rstrip("/").endswith(server.base_path):
            errors["public_url"] = ["must not end in base_path, which is appended to it"]
        if (top := server.base_path.split("/")[1]) in ("panel", "metrics"):
            what = "the web panel is" if top == "panel" else "the metrics are"
            errors["base_path"] = [f"must not be under /{top}, where {what}"]
        if f"{server.base_path}/".startswith(("/api/events/", "/api/snapshot/")) or server.base_path == "/api":
            errors["base_path"] = ["must not be /api, /api/events or /api/snapshot, where the event feed is"]
        if errors:
            raise ValidationError(errors)


class StoreSchema(TableSchema):
    """[store]."""

    target = StoreOptions
    path = Text("a file's path", checks.is_file)
    url = Text(
        'a URL like "postgresql://tinyscim@db.example.com/tinyscim" (in a password, write @ as %40 and / as %2F)',
        checks.is_database,
        is_secret=True,
    )
    durability = Text('"fsync" or "os"', lambda word: word in ("fsync", "os"))
    compact_after = Number(10_000)


class DirectorySchema(TableSchema):
    """[directory]."""

    target = Directory
    unique_group_names = Switch()
    purge_disabled_after_days = Number(0, 36_500)
    indexed_attributes = Names("a list of names of attributes")


class LimitsSchema(TableSchema):
    """[limits]."""

    target = Limits
    page_size = Number(1, 10_000)
    max_page_size = Number(1, 10_000)
    max_bulk_operations = Number(1, 100_000)
    max_query_steps = Number(1_000, 1_000_000_000)
    max_patch_steps = Number(1_000, 1_000_000_000)
    max_text_length = Number(500, 1_000_000)
    max_binary_length = Number(500, 100_000_000)

    @validates_schema
    def check_page_size(self, data: dict[str, Any], **_: Any) -> None:
        """Check that the default is within the maximum."""
        limits = Limits(**data)
        if limits.page_size > limits.max_page_size:
            raise ValidationError("must not be above max_page_size", "page_size")


class LogSchema(TableSchema):
    """[log]."""

    target = LogOptions
    path = Text("a file of its own", lambda text: not text or checks.is_file(text))
    max_bytes = Number(100_000, 200_000_000)
    days = Number(1, 3_650)
    record_reads_until = Text('a time like "2030-01-31T12:00:00Z"', lambda text: not text or checks.is_moment(text))
    format = Text('"text" or "json"', lambda word: word in ("text", "json"))


class EventsSchema(TableSchema):
    """[events]."""

    target = Events
    enabled = Switch()
    days = Number(1, 365)
    max_bytes = Number(10_000_000, 100_000_000_000)


class ConnectionSchema(TableSchema):
    """[connection]."""

    target = Connection
    enabled = Switch()


class PanelSchema(TableSchema):
    """[panel]."""

    target = Panel
    password_hash = Text(
        'what `flask panel password` writes (to set a new password, set it to "" first)',
        lambda text: not text or checks.is_password_hash(text),
        is_secret=True,  # it may be the password itself
    )
    secret = Text("32 characters or more", lambda text: not text or len(text) >= 32, is_secret=True)
    allow = Names('a list of networks, like ["10.0.0.0/8", "2001:db8::/32"]', checks.is_network)


class AttributeNamesSchema(TableSchema):
    """[attribute_names]."""

    target = AttributeNames
    extraAttribute1 = Text("at most 60 printable characters", checks.is_label)
    extraAttribute2 = Text("at most 60 printable characters", checks.is_label)
    extraAttribute3 = Text("at most 60 printable characters", checks.is_label)
    extraAttribute4 = Text("at most 60 printable characters", checks.is_label)
    extraAttribute5 = Text("at most 60 printable characters", checks.is_label)

    @validates_schema
    def check_distinct(self, data: dict[str, Any], **_: Any) -> None:
        """Check that people can tell the names apart, for whom case does not count."""
        seen: set[str] = set()
        for option, name in data.items():
            if name and name.casefold() in seen:
                raise ValidationError(f'must not be "{name}": another attribute has this name', option)
            seen.add(name.casefold())


class OAuthSchema(TableSchema):
    """[oauth]."""

    target = OAuth
    token_endpoint = Text('a path like "/oauth2/token", without a "/" at its end', checks.is_base_path)
    access_token_minutes = Number(60, 360)


class MetricsSchema(TableSchema):
    """[metrics]."""

    target = Metrics
    enabled = Switch()
    sha256 = Text("what `flask metrics token` writes", lambda text: not text or is_hash(text), is_secret=True)


class WebhookDeliverySchema(TableSchema):
    """[webhook_delivery]."""

    target = WebhookDelivery
    timeout = Number(1, 60)
    retries = Numbers("at most 20 numbers of seconds, from 0 to 86400", 0, 86_400, 20)
    networks = Names('a list of networks, like ["10.0.0.0/8", "fd00::/8"]', checks.is_network)


class ConfigSchema(TableSchema):
    """The whole configuration; a file that grants access must also state the limits of it."""

    target = Config
    server = fields.Nested(ServerSchema)
    store = fields.Nested(StoreSchema)
    directory = fields.Nested(DirectorySchema)
    limits = fields.Nested(LimitsSchema)
    log = fields.Nested(LogSchema)
    events = fields.Nested(EventsSchema)
    connection = fields.Nested(ConnectionSchema)
    panel = fields.Nested(PanelSchema)
    attribute_names = fields.Nested(AttributeNamesSchema)
    oauth = fields.Nested(OAuthSchema)
    metrics = fields.Nested(MetricsSchema)
    webhook_delivery = fields.Nested(WebhookDeliverySchema)
    tokens = tables(TokenSchema)
    revoked_tokens = tables(RevokedTokenSchema)
    clients = tables(ClientSchema)
    roles = tables(RoleSchema)
    webhooks = tables(WebhookSchema, most=MAX_WEBHOOKS)
    schemas = fields.List(fields.Dict(error_messages={"invalid": "must be a table"}), error_messages=NO_TABLES)

    def __init__(self, *, is_file: bool = False) -> None:
        super().__init__()
        self._is_file = is_file

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_limits_stated(self, data: Any, original: Mapping[str, Any], **_: Any) -> None:
        """Check that a file which grants access also states its limits: a file that was cut off must not grant more."""
        if not self._is_file:
            return
        errors = {}
        if (original.get("tokens") or original.get("clients")) and "enabled" not in table_of(original, "connection"):
            errors["connection"] = {"enabled": ["is missing: write enabled = true or enabled = false"]}
        panel = table_of(original, "panel")
        if panel.get("password_hash") and panel.get("secret") and "allow" not in panel:
            errors["panel"] = {
                "allow": [
                    "is missing: write allow = [] to let every network reach the panel, or the networks that may, "
                    'such as allow = ["10.0.0.0/8"]'
                ]
            }
        if errors:
            raise ValidationError(errors)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_names(self, data: Any, original: Mapping[str, Any], **_: Any) -> None:
        """Check that no two tokens or clients, and no two webhooks, have one name: the log tells them apart by it."""
        tokens, clients = (values_of(original, table, "name") for table in ("tokens", "clients"))
        if len(set(tokens)) < len(tokens):
            raise ValidationError("has two of the same name", "tokens")
        if len({*tokens, *clients}) < len(tokens) + len(clients):
            raise ValidationError("has the name of another client or token", "clients")
        webhooks = values_of(original, "webhooks", "name")
        if len(set(webhooks)) < len(webhooks):
            raise ValidationError("has two of the same name", "webhooks")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_ids(self, data: Any, original: Mapping[str, Any], **_: Any) -> None:
        """Check that no two clients have one id."""
        ids = values_of(original, "clients", "id")
        if len(set(ids)) < len(ids):
            raise ValidationError("has two of the same id", "clients")

    @validates_schema
    def check_token_endpoint(self, data: dict[str, Any], **_: Any) -> None:
        """Check that the token endpoint has a path of its own."""
        server, oauth = data.get("server", Server()), data.get("oauth", OAuth())
        path = f"{oauth.token_endpoint}/"
        if path.startswith(
            (
                f"{server.base_path}/",
                "/panel/",
                "/healthz/",
                "/metrics/",
                "/.well-known/",
                "/api/events/",
                "/api/snapshot/",
            )
        ):
            raise ValidationError({"oauth": {"token_endpoint": ["must not be the path of another page"]}})

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_no_nul(self, data: Any, original: Mapping[str, Any], **_: Any) -> None:
        """Check that no key and no text has a NUL: a file's name cannot have one, and nothing else needs it."""
        if errors := nul_errors(original):
            raise ValidationError(errors)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Config:
        """Return the configuration."""
        arrays = (name for name, field in self.fields.items() if isinstance(field, fields.List))
        data |= {name: tuple(data.get(name, ())) for name in arrays}
        return Config(**data)
