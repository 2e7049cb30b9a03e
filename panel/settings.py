"""What the panel and the command line change in the configuration's file."""

import secrets
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tomlkit
from werkzeug.security import generate_password_hash

from config import ConfigError, editing
from scim.auth import new_token

MIN_PASSWORD = 12


class Refused(Exception):
    """The configuration was not changed; the message says why to whoever asked."""


def add_token(
    path: Path,
    name: str,
    *,
    read_only: bool = False,
    lifetime: timedelta | None = None,
    replaces: str = "",
    overlap: timedelta = timedelta(0),
) -> str:
    """Add a token and return it, as it is seen this once; Refused.

    The one that it replaces goes on to work for the time of the overlap.
    """
    _check_name(name)
    text, table = new_token(name, read_only=read_only, lifetime=lifetime)
    with _changing(path) as document:
        tables = [one for one in document.get("tokens", []) if not _is_over(one)]
        tables = [kept for one in tables if (kept := _ending(one, overlap) if one["name"] == replaces else one)]
        if any(one["name"] == name for one in tables):
            raise Refused(f'There is a token "{name}" already; choose another name.')
        _put_tokens(document, [*tables, table])
    return text


def remove_token(path: Path, name: str) -> None:
    """Take a token back; Refused if there is none of this name."""
    with _changing(path) as document:
        tables = document.get("tokens", [])
        kept = [one for one in tables if one.get("name") != name]
        if len(kept) == len(tables):
            raise Refused(f'There is no token "{name}".')
        _put_tokens(document, kept)


def set_enabled(path: Path, enabled: bool) -> None:
    """Turn the connection on or off; Refused."""
    _set(path, "connection", {"enabled": enabled})


def set_attribute_names(path: Path, names: Mapping[str, str]) -> None:
    """Name the organisation's own attributes; Refused."""
    _set(path, "attribute_names", names)


def set_password(path: Path, password: str) -> None:
    """Set the panel's password, which signs everybody out; Refused."""
    if len(password) < MIN_PASSWORD:
        raise Refused(f"The password must have at least {MIN_PASSWORD} characters.")
    hashed = generate_password_hash(password, method="scrypt")
    _set(path, "panel", {"password_hash": hashed, "secret": secrets.token_urlsafe(32)})


def _set(path: Path, name: str, values: Mapping[str, Any]) -> None:
    with _changing(path) as document:
        document.setdefault(name, tomlkit.table()).update(values)


@contextmanager
def _changing(path: Path) -> Iterator[MutableMapping[str, Any]]:
    try:
        with editing(path) as document:
            yield document
    except (OSError, ConfigError, tomlkit.exceptions.ParseError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"{path} was not changed: {error}") from None


def _put_tokens(document: MutableMapping[str, Any], tables: list[Mapping[str, Any]]) -> None:
    document.pop("tokens", None)
    if tables:
        array = tomlkit.aot()
        for one in tables:
            table = tomlkit.table()
            table.update(dict(one))
            array.append(table)
        document["tokens"] = array


def _ending(table: Mapping[str, Any], overlap: timedelta) -> Mapping[str, Any] | None:
    """Return the token with the end that the overlap sets it, unless it ends earlier; None where there is none."""
    if not overlap:
        return None
    end = datetime.now(UTC).replace(microsecond=0) + overlap
    return {**table, "expires": min(end, table.get("expires", end))}


def _is_over(table: Mapping[str, Any]) -> bool:
    return "expires" in table and table["expires"] < datetime.now(UTC)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise Refused("A token's name has 1 to 100 printable characters.")
