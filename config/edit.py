"""What the panel and the command line change in the configuration's file."""

import re
import secrets
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import AoT, Table
from werkzeug.security import generate_password_hash

from config import NEVER, ConfigError, Connection, Panel, parse, read
from config.reload import PLACED, wait_until_whole
from config.tokens import TEST_PREFIX, is_test_name, new_token
from fileio.atomic import replace_atomically
from fileio.locks import locked

MIN_PASSWORD = 12
_COMMENT = re.compile(r""" "(?:\\.|[^"\\])*" | '[^']*' | (\#.*) """, re.VERBOSE)  # what a string holds is none


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
    """Add a token and return it, as it is seen this once. Raises Refused.

    The one that it replaces goes on to work for the time of the overlap.
    """
    _check_name(name)
    if is_test_name(name) and not lifetime:
        raise Refused(f'Names that begin with "{TEST_PREFIX}" are for the panel\'s own tests; choose another.')
    text, table = new_token(name, read_only=read_only, lifetime=lifetime)
    with _changing(path) as document:
        is_there = any(one["name"] == replaces and not _is_over(one) for one in _tokens(document))
        for one in list(_tokens(document)):
            if _is_over(one) or (one["name"] == replaces and not overlap):
                _drop(document, one)
            elif one["name"] == replaces:
                end = datetime.now(UTC).replace(microsecond=0) + overlap
                one["expires"] = end if one["expires"] == NEVER else min(end, one["expires"])
        if replaces and not is_there:
            raise Refused(f'The token "{replaces}" is gone: it was revoked or has expired. Choose what to replace.')
        _add(document, table)
    return text


def set_up(path: Path, name: str, password: str) -> str:
    """Add the first token, which is returned, and set the panel's first password unless it is "". Raises Refused.

    Both are written or neither: of a token alone nobody would be told.
    """
    text, table = new_token(name)
    panel = _panel(password) if password else None
    with _changing(path) as document:
        _add(document, table)
        if panel:
            _update_panel(document, panel)
    return text


def remove_token(path: Path, name: str) -> None:
    """Take a token back. Raises Refused if there is none of this name."""
    with _changing(path) as document:
        found = [one for one in _tokens(document) if one["name"] == name]
        if not found:
            raise Refused(f'No such token: "{name}".')
        _drop(document, found[0])


def set_enabled(path: Path, enabled: bool) -> None:
    """Turn the connection on or off. Raises Refused."""
    _set(path, "connection", {"enabled": enabled})


def set_attribute_names(path: Path, names: Mapping[str, str]) -> None:
    """Name the organisation's own attributes. Raises Refused."""
    _set(path, "attribute_names", names)


def set_password(path: Path, password: str) -> None:
    """Set the panel's password, which signs everybody out. Raises Refused."""
    if len(password) < MIN_PASSWORD:
        raise Refused(f"The password must have at least {MIN_PASSWORD} characters.")
    with _changing(path) as document:
        _update_panel(document, _panel(password))


def restore_panel(path: Path, panel: Panel) -> None:
    """Put the panel's password and secret back as they were. Raises Refused."""
    _set(path, "panel", asdict(panel))


def _set(path: Path, name: str, values: Mapping[str, Any]) -> None:
    with _changing(path) as document:
        _update(document, name, values)


def _update(document: TOMLDocument, name: str, values: Mapping[str, Any]) -> None:
    document.setdefault(name, tomlkit.table()).update(values)


def _update_panel(document: TOMLDocument, values: Mapping[str, Any]) -> None:
    """Change the panel's table, which states the networks that may reach it before what opens it."""
    document.setdefault("panel", tomlkit.table()).setdefault("allow", [])
    _update(document, "panel", values)


def _panel(password: str) -> dict[str, str]:
    hashed = generate_password_hash(password, method="scrypt")
    return {"password_hash": hashed, "secret": secrets.token_urlsafe(32)}


@contextmanager
def _changing(path: Path) -> Iterator[TOMLDocument]:
    """Let the file be changed with its comments kept, and replace it at once if it is still right. Raises Refused."""
    try:
        with locked(path.with_name(path.name + ".lock")):
            wait_until_whole(path)  # an editor does not know the lock
            read(path)  # what is wrong already is told before anything goes by it
            document = tomlkit.parse(_ended(path.read_text(encoding="utf-8-sig")))
            yield document
            text = _ended(tomlkit.dumps(document))
            parse(tomllib.loads(text), path)
            _replace(path.resolve(), text)
    except (OSError, ConfigError, tomlkit.exceptions.ParseError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"{path} was not changed: {error}") from None


def _ended(text: str) -> str:
    """Return the text with its last line ended, behind which tomlkit, or whoever edits the file, may add another."""
    return text if text.endswith("\n") else f"{text}\n"


def _replace(path: Path, text: str) -> None:
    """Replace the file with its mode and owner kept; the new one's name is free in the administrator's folder."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    # Dated back, so that the service sees at once that the file was renamed after its last write.
    replace_atomically(path, [text.encode()], new=new, keep=True, written=time.time_ns() - 2 * PLACED)


def _add(document: TOMLDocument, table: Mapping[str, Any]) -> None:
    """Add a token's table. Raises Refused if there is one of its name."""
    if any(one["name"] == table["name"] for one in _tokens(document)):
        raise Refused(f'There is a token "{table["name"]}" already; choose another name.')
    document.setdefault("connection", tomlkit.table()).setdefault("enabled", Connection().enabled)
    added = tomlkit.table()
    added.update(table)
    _tokens(document).append(added)


def _tokens(document: TOMLDocument) -> AoT:
    """Return the [[tokens]] tables, which are made if there are none, or of the tables in an array's one line."""
    if not isinstance(document.get("tokens"), AoT):
        inline = document.pop("tokens", tomlkit.array())
        _keep(document, _COMMENT.findall(f"{inline.as_string()}{inline.trivia.comment}"))
        document["tokens"] = tomlkit.aot()
        for values in inline:
            table = tomlkit.table()
            table.update(values)
            document["tokens"].append(table)
    return cast(AoT, document["tokens"])


def _drop(document: TOMLDocument, token: Table) -> None:
    """Take a token's table away; comments on lines of their own, which may be about what follows, stay in the file."""
    tokens = _tokens(document)
    comments = [str(item.as_string()) for key, item in token.value.body if key is None]
    del tokens[list(tokens).index(token)]
    if not tokens:
        document.pop("tokens")
    _keep(document, comments)


def _keep(document: TOMLDocument, comments: Iterable[str]) -> None:
    for text in filter(None, map(str.strip, comments)):
        document.add(tomlkit.comment(text.lstrip("# ")))


def _is_over(table: Mapping[str, Any]) -> bool:
    return bool(table["expires"] != NEVER and table["expires"] < datetime.now(UTC))


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise Refused("A token's name has 1 to 100 printable characters.")
