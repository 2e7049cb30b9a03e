"""Changes that the panel and the command line make to the configuration file."""

import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import AoT, Table
from werkzeug.security import generate_password_hash

from config import NEVER, ConfigError, Connection, Metrics, Panel, overrides, parse_text, read
from config.checks import without_password
from config.reload import PLACED, wait_until_complete
from config.tokens import TEST_PREFIX, is_test_name, new_hashed, new_token
from config.unchecked import SECRETS
from fileio.atomic import replace_atomically
from fileio.locks import locked

MIN_PASSWORD = 12
MAX_REVOKED = 20
_COMMENT = re.compile(
    r""" "(?:\\.|[^"\\])*" | '[^']*' | (\#.*) """, re.VERBOSE
)  # a # within a string does not start one


Container = TOMLDocument | Table


class Refused(Exception):
    """The configuration was not changed; the message tells the user why."""


def add_token(
    path: Path,
    name: str,
    *,
    scope: str = "",
    read_only: bool = False,
    lifetime: timedelta | None = None,
    replaces: str = "",
    overlap: timedelta = timedelta(0),
) -> str:
    """Add a token and return it; only its hash is stored. Raises Refused.

    The token that it replaces keeps working for the time of the overlap.
    """
    check_name(name, is_brief=bool(lifetime))
    text, table = new_token(name, scope=scope, read_only=read_only, lifetime=lifetime)
    with changing(path) as document:
        tokens = list(tables(document, "tokens"))
        can_replace = any(one["name"] == replaces and not has_expired(one) for one in tokens)
        for one in tokens:
            if has_expired(one):
                _retire(document, one, "expired", one["expires"])
            elif one["name"] == replaces and not overlap:
                _retire(document, one, "revoked", datetime.now(UTC))
            elif one["name"] == replaces:
                end = datetime.now(UTC).replace(microsecond=0) + overlap
                one["expires"] = end if one["expires"] == NEVER else min(end, one["expires"])
        if replaces and not can_replace:
            raise Refused(
                f'The token "{replaces}" is gone: it was revoked or has expired. Choose another token to replace.'
            )
        _add(document, table)
    return text


def set_up(path: Path, name: str, password: str) -> str:
    """Add the first token, and set the panel's password unless it is empty; return the token. Raises Refused.

    Both are written or neither, so that no token is left which was never shown.
    """
    text, table = new_token(name)
    panel = _panel(password) if password else None
    with changing(path) as document:
        _add(document, table)
        if panel:
            _update_panel(document, panel)
    return text


def revoke_token(path: Path, name: str) -> None:
    """Revoke a token and keep its hash, which explains rejected requests. Raises Refused if there is no such token."""
    with changing(path) as document:
        _retire(document, _find_token(document, name), "revoked", datetime.now(UTC))


def remove_token(path: Path, name: str) -> None:
    """Remove a token that was never used, without a trace. Raises Refused if there is no such token."""
    with changing(path) as document:
        drop(document, "tokens", _find_token(document, name))


def set_enabled(path: Path, enabled: bool) -> None:
    """Turn the connection on or off. Raises Refused."""
    _set(path, "connection", {"enabled": enabled})


def set_record_reads(path: Path, until: datetime | None) -> None:
    """Let the provisioning log record reads until a time, or stop recording them. Raises Refused."""
    _set(path, "log", {"record_reads_until": f"{until:%Y-%m-%dT%H:%M:%SZ}" if until else ""})


def set_attribute_names(path: Path, names: Mapping[str, str]) -> None:
    """Set the organisation's names for its attributes. Raises Refused."""
    _set(path, "attribute_names", names)


def set_password(path: Path, password: str) -> None:
    """Set the panel's password, which ends all sessions. Raises Refused."""
    if len(password) < MIN_PASSWORD:
        raise Refused(f"The password must have at least {MIN_PASSWORD} characters.")
    with changing(path) as document:
        _update_panel(document, _panel(password))


def set_metrics_token(path: Path) -> tuple[str, Metrics]:
    """Turn the metrics on with a new token; return it, and what there was before. Raises Refused."""
    text, hashed = new_hashed(None)
    with changing(path) as document:
        previous = read(path).metrics
        _update(document, "metrics", {"sha256": hashed["sha256"]} | ({} if previous.enabled else {"enabled": True}))
    return text, previous


def restore_metrics(path: Path, metrics: Metrics) -> None:
    """Restore the metrics' token. Raises Refused."""
    _set(path, "metrics", {"sha256": metrics.sha256} | ({} if metrics.enabled else {"enabled": False}))


def restore_panel(path: Path, panel: Panel) -> None:
    """Restore the panel's password and secret. Raises Refused."""
    _set(path, "panel", {"password_hash": panel.password_hash, "secret": panel.secret})


def without_secrets(text: str) -> str:
    """Return a configuration without the hashes of tokens, secrets and passwords, and without comments."""
    tables = tomlkit.parse(text).unwrap()
    _strip(tables)
    return tomlkit.dumps(tables)


def _strip(table: dict[str, Any]) -> None:
    for name, value in list(table.items()):
        inner = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
        if name in SECRETS:
            table[name] = ""
        elif isinstance(value, str):
            table[name] = without_password(value)
        elif isinstance(value, list) and any(one.keys() & set(SECRETS) for one in inner):
            del table[name]
        for one in inner:
            _strip(one)


def _set(path: Path, name: str, values: Mapping[str, Any]) -> None:
    with changing(path) as document:
        _update(document, name, values)


def _update(document: TOMLDocument, name: str, values: Mapping[str, Any]) -> None:
    for option in values:
        if given := overrides().get((name, option)):
            raise Refused(
                f"The environment variable {given.variable} sets {option} under [{name}], and has precedence over the "
                "file. Change it there, and restart the service."
            )
    document.setdefault(name, tomlkit.table()).update(values)


def _update_panel(document: TOMLDocument, values: Mapping[str, Any]) -> None:
    """Change [panel], with `allow` before the password: a file that is cut off must not grant more."""
    document.setdefault("panel", tomlkit.table()).setdefault("allow", [])
    _update(document, "panel", values)


def _panel(password: str) -> dict[str, str]:
    hashed = generate_password_hash(password, method="scrypt")
    return {"password_hash": hashed, "secret": secrets.token_urlsafe(32)}


@contextmanager
def changing(path: Path) -> Iterator[TOMLDocument]:
    """Yield the document for changes, then replace the file if it is still valid. Comments are kept. Raises Refused."""
    try:
        with locked(path.with_name(path.name + ".lock")):
            wait_until_complete(path)  # editors do not use the lock
            read(path)  # report existing errors first
            document = tomlkit.parse(_ended(path.read_text(encoding="utf-8-sig")))
            before = tomlkit.dumps(document)
            yield document
            text = _ended(tomlkit.dumps(document))
            if text != before:
                parse_text(text, path)
                _replace(path.resolve(), text)
    except (OSError, ConfigError, tomlkit.exceptions.ParseError) as error:
        raise Refused(f"{path} was not changed: {str(error).removeprefix(f'{path}: ')}") from None


def _ended(text: str) -> str:
    """Return the text with a line break at its end, so that a line can be appended."""
    return text if text.endswith("\n") else f"{text}\n"


def _replace(path: Path, text: str) -> None:
    """Replace the file and keep its mode and owner. The temporary name is random, since the folder is shared."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    # Dated back, so that the service sees at once that the file was renamed after its last write.
    replace_atomically(path, [text.encode()], new=new, keep=True, written=time.time_ns() - 2 * PLACED)


def _add(document: TOMLDocument, table: Mapping[str, Any]) -> None:
    """Add a token's table. Raises Refused if the name is taken."""
    check_name_free(document, table["name"])
    append(document, "tokens", table)


def _find_token(document: TOMLDocument, name: str) -> Table:
    return find(document, "tokens", "name", name, f'No such token: "{name}".')


def _retire(document: TOMLDocument, token: Table, reason: str, ended: datetime) -> None:
    """Move a token to [[revoked_tokens]], which keeps the latest ones; tokens of the connection test are dropped."""
    drop(document, "tokens", token)
    if not is_test_name(token["name"]):
        ended = ended.replace(microsecond=0)
        retired = {"name": token["name"], "sha256": token["sha256"], "reason": reason, "ended": ended}
        tables(document, "revoked_tokens").append(tomlkit.item(retired))
    while len(document.get("revoked_tokens", ())) > MAX_REVOKED:
        drop(document, "revoked_tokens", tables(document, "revoked_tokens")[0])


def append(document: TOMLDocument, name: str, values: Mapping[str, Any]) -> None:
    """Add a table that grants access, and [connection] enabled, which such a file must state."""
    document.setdefault("connection", tomlkit.table()).setdefault("enabled", Connection().enabled)
    tables(document, name).append(tomlkit.item(values))


def tables(container: Container, name: str) -> AoT:
    """Return an array of tables; an inline array is converted, and a missing one added."""
    if not isinstance(container.get(name), AoT):
        inline = container.pop(name, tomlkit.array())
        _keep(container, _COMMENT.findall(f"{inline.as_string()}{inline.trivia.comment}"))
        container[name] = tomlkit.aot()
        for values in inline:
            container[name].append(tomlkit.item(dict(values)))
    return cast(AoT, container[name])


def find(container: Container, name: str, key: str, value: str, missing: str) -> Table:
    """Return the table of an array that has a value. Raises Refused if it is missing."""
    for table in tables(container, name):
        if table[key] == value:
            return cast(Table, table)
    raise Refused(missing)


def drop(container: Container, name: str, table: Table) -> None:
    """Remove one of an array of tables.

    Comments on lines of their own stay, since they may be about the next table.
    """
    array = tables(container, name)
    comments = [str(item.as_string()) for key, item in table.value.body if key is None]
    del array[list(array).index(table)]
    if not array:
        container.pop(name)
    _keep(container, comments)


def _keep(container: Container, comments: Iterable[str]) -> None:
    for text in filter(None, map(str.strip, comments)):
        container.add(tomlkit.comment(text.lstrip("# ")))


def has_expired(table: Mapping[str, Any]) -> bool:
    """Return whether the table of a token or a secret has expired."""
    return bool(table["expires"] != NEVER and table["expires"] < datetime.now(UTC))


def check_name(name: str, *, is_brief: bool = False) -> None:
    """Raise Refused if it cannot be a name; brief tokens and clients may be for the panel's own tests."""
    if is_test_name(name) and not is_brief:
        raise Refused(f'Names that begin with "{TEST_PREFIX}" are for the panel\'s own tests. Choose another.')
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise Refused("A name has 1 to 100 printable characters.")


def check_name_free(document: TOMLDocument, name: str) -> None:
    """Raise Refused if a token or a client has this name."""
    for table, kind in (("tokens", "token"), ("clients", "client")):
        if any(one["name"] == name for one in document.get(table, ())):
            raise Refused(f'There is a {kind} "{name}" already. Choose another name.')
