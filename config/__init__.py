"""Reads config.toml into a frozen `Config`; every error names the file, the table and the key."""

import dataclasses
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parents[1]


class ConfigError(Exception):
    """The configuration is wrong; the message is one line for the administrator."""

    def __init__(self, reason: str) -> None:
        super().__init__("".join(map(_visible, reason)))


def _visible(character: str) -> str:
    if character == "\0":
        return r"\0"
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def option(
    default: Any,
    check: Callable[[Any], bool] = lambda _: True,
    must: str = "",
    *,
    is_secret: bool = False,
    none: str = "",
) -> Any:
    """Declare an option: its default, what its value must fulfil and how that is said.

    `is_secret` says that errors hide the value, and `none` is the word for None.
    """
    return field(default=default, metadata={"check": check, "must": must, "is_secret": is_secret, "none": none})


_LABEL = r"\w(?:[\w-]{0,61}\w)?"


def _is_address(text: str) -> bool:
    if text.startswith("unix:"):
        return bool(re.fullmatch(r"unix:/.*[^/]", text))
    found = re.fullmatch(rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[([0-9A-Fa-f:.]+)\]):([0-9]{{1,5}})", text)
    return found is not None and 0 < int(found[2]) < 65_536 and (found[1] is None or _is_ip(found[1]))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_base_path(text: str) -> bool:
    return bool(re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text))


def _is_public_url(text: str) -> bool:
    return not text or bool(re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~-]+)*/?", text))


def _is_file(text: str) -> bool:
    return Path(text).name not in ("", "..")


def _is_host(name: Any) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*\.?", name, re.ASCII) or _is_ip(name))


def _host_name(host: str) -> str:
    """Return the name in a Host header as names are compared: without port and brackets, in lower case."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
    return str(ipaddress.ip_address(name)) if _is_ip(name) else name


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_ip(name) and ipaddress.ip_address(name).is_loopback)


def _is_network(text: Any) -> bool:
    try:
        return isinstance(text, str) and bool(ipaddress.ip_network(text))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Server:
    """[server]: where the service is and what it takes in."""

    bind: str = option("127.0.0.1:8000", _is_address, "an address and a port, like 127.0.0.1:8000 or [::1]:8000")
    workers: int = option(2, lambda n: 1 <= n <= 64, "from 1 to 64")
    threads: int = option(3, lambda n: 1 <= n <= 256, "from 1 to 256")
    base_path: str = option("/api/scim/v2", _is_base_path, 'a path like "/api/scim/v2", without a "/" at its end')
    public_url: str = option("", _is_public_url, 'like "https://scim.example.com", without the base path')
    trusted_proxies: int = option(0, lambda n: 0 <= n <= 10, "from 0 to 10")
    max_body_bytes: int = option(2_000_000, lambda n: 1_000 <= n <= 100_000_000, "from 1000 to 100000000")
    request_timeout: int = option(30, lambda n: 1 <= n <= 600, "from 1 to 600")
    cors_origins: tuple[str, ...] = option(
        (), lambda origins: all(isinstance(one, str) for one in origins), 'a list like ["https://tool.example.com"]'
    )
    hosts: tuple[str, ...] = option(
        (), lambda names: all(map(_is_host, names)), 'a list of names without ports, like ["scim.example.com"]'
    )

    def url(self, origin: str = "") -> str:
        """Return the address of the endpoints: under public_url, else under the origin that is given."""
        return (self.public_url or origin or self.local_origin).rstrip("/") + self.base_path

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
        return f"http://{_LOOPBACKS.get(_host_name(host), host)}:{port}"

    def answers_for(self, host: str) -> bool:
        """Return whether a request may name this host. Without `hosts` it may name any."""
        return not self.hosts or _is_known_host(self, host)


_LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # by the address that stands for all


@lru_cache(maxsize=64)  # the host comes from outside, and is nearly always the same
def _is_known_host(server: Server, host: str) -> bool:
    name = _host_name(host)
    own = (urlsplit(server.public_url).netloc, urlsplit(server.local_origin).netloc)
    bracketed = (f"[{one}]" if ":" in one else one for one in server.hosts)
    return bool(name) and (_is_loopback(name) or name in map(_host_name, (*own, *bracketed)))


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """[store]: where and how resources are kept."""

    path: str = option("data/tinyscim.json", _is_file, "a file's path")
    durability: str = option("fsync", lambda word: word in ("fsync", "os"), '"fsync" or "os"')
    compact_after: int = option(16_000_000, lambda n: n >= 10_000, "10000 or more")


@dataclass(frozen=True, slots=True)
class Directory:
    """[directory]: rules for what is kept."""

    unique_group_names: bool = option(True)
    purge_disabled_after_days: int = option(0, lambda n: 0 <= n <= 36_500, "from 0 to 36500")
    indexed_attributes: tuple[str, ...] = option(
        (
            "externalId",
            "emails.value",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
            "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id",
        ),
        lambda names: all(isinstance(name, str) for name in names),
        "a list of names of attributes",
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """[limits]: what one request may ask for."""

    page_size: int = option(100, lambda n: 1 <= n <= 10_000, "from 1 to 10000")
    max_page_size: int = option(1_000, lambda n: 1 <= n <= 10_000, "from 1 to 10000")
    max_bulk_operations: int = option(1_000, lambda n: 1 <= n <= 100_000, "from 1 to 100000")
    max_query_steps: int = option(2_000_000, lambda n: 1_000 <= n <= 1_000_000_000, "from 1000 to 1000000000")
    max_patch_steps: int = option(250_000, lambda n: 1_000 <= n <= 1_000_000_000, "from 1000 to 1000000000")
    max_text_length: int = option(10_000, lambda n: 500 <= n <= 1_000_000, "from 500 to 1000000")
    max_binary_length: int = option(200_000, lambda n: 500 <= n <= 100_000_000, "from 500 to 100000000")


@dataclass(frozen=True, slots=True)
class LogOptions:
    """[log]: the provisioning log."""

    path: str = option("data/provisioning.jsonl", lambda text: not text or _is_file(text), "a file of its own")
    max_bytes: int = option(20_000_000, lambda n: 100_000 <= n <= 200_000_000, "from 100000 to 200000000")
    days: int = option(90, lambda n: 1 <= n <= 3_650, "from 1 to 3650")


SCOPES = ("read-write", "read-only")
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Token:
    """One of [[tokens]]: a bearer token's name and hash."""

    name: str = option("", bool, "a name")
    sha256: str = option(
        "",
        lambda text: len(text) == 64 and set(text) <= set("0123456789abcdef"),
        "a SHA-256 hash in hex",
        is_secret=True,  # it may be the token itself
    )
    created: datetime | None = option(None)
    expires: datetime | None = option(
        None, lambda moment: moment.tzinfo is not None, f'a date and time with its zone, or "{NEVER}"', none=NEVER
    )
    scope: str = option("read-write", lambda word: word in SCOPES, 'one of "read-write" and "read-only"')

    @property
    def read_only(self) -> bool:
        """Whether the token may only read."""
        return self.scope == "read-only"

    @property
    def is_valid(self) -> bool:
        """Whether it has not expired."""
        return self.expires is None or datetime.now(UTC) < self.expires


@dataclass(frozen=True, slots=True)
class Connection:
    """[connection]: whether the identity provider is let in."""

    enabled: bool = option(True)


def _is_hash(text: str) -> bool:
    """Tell by its form whether a password can be checked against it: to check one takes longer than most commands."""
    scrypt = re.fullmatch(r"scrypt:([0-9]{1,8}):([0-9]{1,4}):([0-9]{1,4})\$[^$]+\$[0-9a-f]{128}", text)
    if scrypt:
        n, r, p = map(int, scrypt.groups())
        # RFC 7914, 2: n is a power of 2, and below 2 to the 16 r.
        if not (n > 1 and n & (n - 1) == 0 and n.bit_length() <= 16 * r):
            return False
        # The memory that OpenSSL needs may be no more than what werkzeug lets it have, which is an int of C.
        return 128 * r * (n + 2 + p) <= 132 * n * r * p < 2**31
    return bool(re.fullmatch(r"pbkdf2:sha(1|224|256|384|512):[1-9][0-9]{0,7}\$[^$]+\$[0-9a-f]+", text))


@dataclass(frozen=True, slots=True)
class Panel:
    """[panel]: how the administrator signs in to the web panel; without a password there is none."""

    password_hash: str = option(
        "",
        lambda text: not text or _is_hash(text),
        'what `flask panel password` writes (to have it written anew, set it to "" first)',
        is_secret=True,  # it may be the password itself
    )
    secret: str = option("", lambda text: not text or len(text) >= 32, "32 characters or more", is_secret=True)
    allow: tuple[str, ...] = option(
        (), lambda networks: all(map(_is_network, networks)), 'a list of networks, like ["10.0.0.0/8", "2001:db8::/32"]'
    )

    @property
    def is_on(self) -> bool:
        """Whether there is a password to sign in with."""
        return bool(self.password_hash and self.secret)


def _is_label(text: str) -> bool:
    return len(text) <= 60 and text.isprintable() and text == text.strip()


@dataclass(frozen=True, slots=True)
class AttributeNames:
    """[attribute_names]: what the organisation calls the attributes that are its own to use."""

    extraAttribute1: str = option("", _is_label, "at most 60 printable characters")
    extraAttribute2: str = option("", _is_label, "at most 60 printable characters")
    extraAttribute3: str = option("", _is_label, "at most 60 printable characters")
    extraAttribute4: str = option("", _is_label, "at most 60 printable characters")
    extraAttribute5: str = option("", _is_label, "at most 60 printable characters")


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
    tokens: tuple[Token, ...] = ()
    schemas: tuple[Mapping[str, Any], ...] = ()
    path: Path | None = None

    def resolve(self, name: str) -> Path:
        """Return a path in the configuration, which is relative to its file."""
        return (self.path.parent if self.path else Path.cwd()) / name


TABLES = {
    "server": Server,
    "store": StoreOptions,
    "directory": Directory,
    "limits": Limits,
    "log": LogOptions,
    "connection": Connection,
    "panel": Panel,
    "attribute_names": AttributeNames,
}


def default_path() -> Path:
    """Return the file that SCIM_CONFIG names, or config.toml beside this one."""
    return Path(os.environ.get("SCIM_CONFIG") or HERE / "config.toml").absolute()


def read(path: Path) -> Config:
    """Read a file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        config = parse(tomllib.loads(text), path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; copy config.example.toml to it") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: a value is nested too deeply") from None
    if text[-1:].isdigit():  # 365 days, cut off, would be 3
        raise ConfigError(f"{path}: the last line may be cut off in a number: end it with a line break")
    return config


def parse(tables: Mapping[str, Any], path: Path | None = None) -> Config:
    """Return the configuration in these tables, which came from the file if one is named. Raises ConfigError."""
    source = str(path or "configuration")
    known = {*TABLES, "tokens", "schemas"}
    for name, value in tables.items():
        where = f"{source}: [[{name}]]" if isinstance(value, list) else f"{source}: [{name}]"
        _check_no_nul(name, where)
        _check_no_nul(value, where)
        if name not in known:
            raise ConfigError(f"{source}: there is no table [{name}]; there are {', '.join(sorted(known))}")
    read_tables = {name: _table(kind, tables.get(name, {}), f"{source}: [{name}]") for name, kind in TABLES.items()}
    tokens = tuple(
        _table(Token, table, f"{source}: [[tokens]] number {number}", needed=_NEEDED)
        for number, table in enumerate(_array(tables, "tokens", source), 1)
    )
    names = [token.name for token in tokens]
    if len(set(names)) < len(names):
        raise ConfigError(f"{source}: [[tokens]] has two of the same name")
    config = Config(**read_tables, tokens=tokens, schemas=_array(tables, "schemas", source), path=path)
    if config.server.public_url.rstrip("/").endswith(config.server.base_path):
        raise ConfigError(f"{source}: [server] public_url must not end in base_path, which is put behind it")
    if config.server.base_path.split("/")[1] == "panel":
        raise ConfigError(f"{source}: [server] base_path must not be under /panel, where the web panel is")
    if config.limits.page_size > config.limits.max_page_size:
        raise ConfigError(f"{source}: [limits] page_size must not be above max_page_size")
    if path:
        _refuse_unsaid(tables, config, source)
    return config


# What limits a right must be written: a file that was cut off, or has lost a line, must not grant more than before.
_NEEDED = {
    "name": "",
    "sha256": "",
    "scope": ': write scope = "read-write" or scope = "read-only"',
    "expires": f': write expires = "{NEVER}", or until when the token works, such as 2030-01-31T12:00:00Z',
}


def _refuse_unsaid(tables: Mapping[str, Any], config: Config, source: str) -> None:
    """Refuse a file that grants access and does not say within which limits. Raises ConfigError."""
    if config.tokens and "enabled" not in tables.get("connection", {}):
        raise ConfigError(f"{source}: [connection] enabled is missing: write enabled = true or enabled = false")
    if config.panel.is_on and "allow" not in tables["panel"]:
        raise ConfigError(
            f"{source}: [panel] allow is missing: write allow = [] to let every network reach the panel, or the "
            'networks that may, such as allow = ["10.0.0.0/8"]'
        )


def _check_no_nul(value: Any, where: str) -> None:
    """Refuse a NUL in any key or text: no file's name may have one, and nothing else has a use for it."""
    if isinstance(value, str) and "\0" in value:
        raise ConfigError(f"{where} must have no NUL character")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_no_nul(key, f"{where} {key}")
            _check_no_nul(inner, f"{where} {key}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value, 1):
            _check_no_nul(inner, f"{where} number {number}")


def _array(tables: Mapping[str, Any], name: str, source: str) -> tuple[Mapping[str, Any], ...]:
    value = tables.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise ConfigError(f"{source}: [[{name}]] must be an array of tables")
    return tuple(value)


def _table(kind: Any, table: Any, where: str, needed: Mapping[str, str] = MappingProxyType({})) -> Any:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} must be a table")
    options = {one.name: one for one in dataclasses.fields(kind)}
    for key in table:
        if key not in options:
            raise ConfigError(f"{where}: there is no option {key}; there are {', '.join(options)}")
    values = {key: _value(options[key], value, f"{where} {key}") for key, value in table.items()}
    for key, remedy in needed.items():
        if key not in values:
            raise ConfigError(f"{where}: {key} is missing{remedy}")
    return kind(**values)


def _value(option: Any, value: Any, where: str) -> Any:
    wanted = {bool: "true or false", int: "a whole number", str: "text", tuple[str, ...]: "a list"}
    if isinstance(value, list):
        value = tuple(value)
    if option.type in wanted:
        plain = tuple if option.type == tuple[str, ...] else option.type
        if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
            raise ConfigError(f"{where} must be {wanted[option.type]}{_shown(option, value)}")
    elif value and value == option.metadata["none"]:
        return None
    elif value is not None and not isinstance(value, datetime):
        raise ConfigError(f"{where} must be {option.metadata['must'] or 'a date and time'}{_shown(option, value)}")
    if not option.metadata["check"](value):
        raise ConfigError(f"{where} must be {option.metadata['must']}{_shown(option, value)}")
    return value


def _shown(option: Any, value: Any) -> str:
    if option.metadata["is_secret"]:
        return ""
    return f', not "{value}"' if isinstance(value, str) else f", not {str(value).lower()}"
