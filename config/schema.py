"""The marshmallow schemas of the configuration."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates_schema

from config import checks
from config.fields import Moment, Names, Number, Switch, Text
from config.options import (
    NEVER,
    AttributeNames,
    Config,
    Connection,
    Directory,
    Limits,
    LogOptions,
    Panel,
    Server,
    StoreOptions,
    Token,
)

Messages = dict[Any, Any]

UNKNOWN = "is unknown"
NO_NUL = "must have no NUL character"
SECRETS = ("sha256", "password_hash", "secret")
_HEX = frozenset("0123456789abcdef")


class TableSchema(Schema):
    """One table; a subclass names the dataclass that it loads as `target`."""

    class Meta:  # noqa: D106
        unknown = RAISE

    error_messages = {"unknown": UNKNOWN, "type": "must be a table"}
    target: Any = None

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Any:
        """Return the dataclass."""
        return self.target(**data)


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
        if server.base_path.split("/")[1] == "panel":
            errors["base_path"] = ["must not be under /panel, where the web panel is"]
        if errors:
            raise ValidationError(errors)


class StoreSchema(TableSchema):
    """[store]."""

    target = StoreOptions
    path = Text("a file's path", checks.is_file)
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


class TokenSchema(TableSchema):
    """One of [[tokens]], whose limits have no default: a file that lost a line must not grant more than before."""

    target = Token
    name = Text("a name", bool, required=True)
    sha256 = Text(
        "a SHA-256 hash in hex",
        lambda text: len(text) == 64 and set(text) <= _HEX,
        is_secret=True,  # it may be the token itself
        required=True,
    )
    created = Moment("a date and time")
    expires = Moment(
        f'a date and time with its zone, or "{NEVER}"',
        lambda moment: moment.tzinfo is not None,
        is_never=True,
        missing=f': write expires = "{NEVER}", or until when the token works, such as 2030-01-31T12:00:00Z',
    )
    scope = Text(
        'one of "read-write" and "read-only"',
        lambda word: word in ("read-write", "read-only"),
        missing=': write scope = "read-write" or scope = "read-only"',
    )


_ARRAY = "must be an array of tables"


class ConfigSchema(TableSchema):
    """The whole configuration; a file that grants access must also state the limits of it."""

    target = Config
    server = fields.Nested(ServerSchema)
    store = fields.Nested(StoreSchema)
    directory = fields.Nested(DirectorySchema)
    limits = fields.Nested(LimitsSchema)
    log = fields.Nested(LogSchema)
    connection = fields.Nested(ConnectionSchema)
    panel = fields.Nested(PanelSchema)
    attribute_names = fields.Nested(AttributeNamesSchema)
    tokens = fields.List(fields.Nested(TokenSchema), error_messages={"invalid": _ARRAY})
    schemas = fields.List(
        fields.Dict(error_messages={"invalid": "must be a table"}), error_messages={"invalid": _ARRAY}
    )

    def __init__(self, *, is_file: bool = False) -> None:
        super().__init__()
        self._is_file = is_file

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_limits_stated(self, data: Any, original: Mapping[str, Any], **_: Any) -> None:
        """Check that a file which grants access also states its limits: a file that was cut off must not grant more."""
        if not self._is_file:
            return
        errors = {}
        if original.get("tokens") and "enabled" not in _table(original, "connection"):
            errors["connection"] = {"enabled": ["is missing: write enabled = true or enabled = false"]}
        panel = _table(original, "panel")
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
        """Check that no two tokens have one name."""
        tables = original.get("tokens")
        tables = tables if isinstance(tables, list | tuple) else []
        found = (table.get("name") for table in tables if isinstance(table, Mapping))
        names = [name for name in found if isinstance(name, str)]
        if len(set(names)) < len(names):
            raise ValidationError("has two of the same name", "tokens")

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_no_nul(self, data: Any, original: Mapping[str, Any], **_: Any) -> None:
        """Check that no key and no text has a NUL: a file's name cannot have one, and nothing else needs it."""
        if errors := _nul_errors(original):
            raise ValidationError(errors)

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Config:
        """Return the configuration."""
        data |= {name: tuple(data.get(name, ())) for name in ("tokens", "schemas")}
        return Config(**data)


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = tables.get(name, {})
    return table if isinstance(table, Mapping) else {}


def _nul_errors(value: Any) -> Any:
    """Return marshmallow's messages for each NUL in a value."""
    if isinstance(value, str):
        return [NO_NUL] if "\0" in value else []
    if isinstance(value, Mapping):
        found = ((key, [NO_NUL] if "\0" in key else _nul_errors(inner)) for key, inner in value.items())
        return {key: [NO_NUL] if key in SECRETS else errors for key, errors in found if errors}
    if isinstance(value, list | tuple):
        return {index: errors for index, inner in enumerate(value) if (errors := _nul_errors(inner))}
    return []


def error_lines(messages: Messages) -> Iterator[str]:
    """Yield a line for each of marshmallow's messages, which names the table and the key."""
    schema = ConfigSchema()
    for name, inner in messages.items():
        if _has_unknown(inner):
            yield f"there is no table [{name}]; there are {', '.join(sorted(schema.fields))}"
            inner = [message for message in inner if message != UNKNOWN]
        field = schema.fields.get(name)
        where = f"[[{name}]]" if isinstance(field, fields.List) else f"[{name}]"
        table = field.inner if isinstance(field, fields.List) else field
        options = ", ".join(table.schema.fields) if isinstance(table, fields.Nested) else ""
        yield from _lines(inner, where, options)


def _has_unknown(messages: Any) -> bool:
    return isinstance(messages, list) and UNKNOWN in messages


def _lines(messages: Any, where: str, options: str) -> Iterator[str]:
    if isinstance(messages, list):
        return (f"{where} {message}" for message in messages)
    return chain.from_iterable(_keyed_lines(key, inner, where, options) for key, inner in messages.items())


def _keyed_lines(key: Any, inner: Any, where: str, options: str) -> Iterator[str]:
    if _has_unknown(inner):
        yield f"{where}: there is no option {key}; there are {options}"
        inner = [message for message in inner if message != UNKNOWN]
    name = {"_schema": ""}.get(key, f" number {key + 1}" if isinstance(key, int) else f" {key}")
    yield from _lines(inner, f"{where}{name}", options)
