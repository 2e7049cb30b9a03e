"""What the panel and the commands change in config.toml, kept the same on all hosts of a store.

Each host has its own file. The store has the entries of the shared tables, and each host remembers the entries on which
both last agreed. An entry that differs in the file was changed here, and one that differs in the store on another host.
"""

import logging
import os
import secrets
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import tomlkit
from tomlkit import TOMLDocument

from config.edit import MAX_REVOKED, Refused, changing, drop, tables
from config.reload import stamp
from storage.base import Document, State, StoreError, Unavailable

TICK = 0.5  # seconds between two looks of one worker
SPREAD = 3 * TICK  # seconds after which all hosts know a change, if none of them is busy

# The shared arrays, with the key that names an entry, and the shared options; () stands for all of a table.
ARRAYS = {"clients": "id", "revoked_tokens": "sha256", "tokens": "name", "webhooks": "name"}
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "attribute_names": (),
    "connection": (),
    "log": ("record_reads_until",),
    "metrics": ("enabled", "sha256"),
    "panel": (),
}

# Members of both states: the entries, the number of their last change, and where that is counted.
ENTRIES, NUMBER, COUNTED_IN = "entries", "number", "counted_in"
Entries = dict[str, str]
"""TOML by table and name, such as "tokens entra"."""

log = logging.getLogger("tinyscim")


class SharedConfig:
    """Writes this host's changes to the store, and those of other hosts to this host's file.

    `agreed` is this host's own, and `find` returns the state that all hosts share, once `open` has opened the store. A
    file that the service cannot replace is left alone: it is managed elsewhere. `problem` says why changes of another
    host, which may have revoked a token, could not be written.
    """

    def __init__(self, path: Path, agreed: State, find: Callable[[], State], open: Callable[[], None]) -> None:
        self._path, self._agreed, self._find, self._open = path, agreed, find, open
        self._seen: object = None
        self._followed: Document | None = None
        self._logged = self.problem = ""

    def start(self) -> None:
        """Start the thread that agrees with the other hosts."""
        Thread(target=self._run, name="shared configuration", daemon=True).start()

    def agree(self) -> None:
        """Exchange changes with the store if there are any. Raises Unavailable."""
        state = self._find()
        seen = stamp(self._path), state.read()
        if seen == self._seen or self._is_left_alone(seen[1]):
            self.problem = ""
            return
        try:
            self._seen = seen if self._exchange(state) else None
            self.problem = ""
        except (Refused, OSError, StoreError) as error:
            text = f"this host cannot follow the configuration of the others: {error}"
            self.problem = "" if seen[1] == self._followed else text
            raise Unavailable(text) from error

    def _is_left_alone(self, shared: Document) -> bool:
        """Return whether the file cannot be replaced, and no host changed anything since this one agreed, if it did."""
        agreed = self._agreed.read().get(ENTRIES)
        return agreed in (None, shared.get(ENTRIES)) and not os.access(self._path.resolve().parent, os.W_OK)

    def _exchange(self, state: State) -> bool:
        """Bring the store and the file up to date, and return whether they were."""
        with self._agreed.changing() as agreed, state.changing() as shared, changing(self._path) as document:
            local = entries(document.unwrap())
            before = shared.get(ENTRIES, local)
            base = _known(before) if _has_lost(agreed, shared) else agreed.get(ENTRIES, local)
            result = merge(base, local, before)
            changed = _apply(document, local, result)
            if result != shared.get(ENTRIES):
                number = max(agreed.get(NUMBER, 0), shared.get(NUMBER, 0)) + 1
                shared |= {COUNTED_IN: shared.get(COUNTED_IN) or secrets.token_hex(8), NUMBER: number, ENTRIES: result}
            agreed |= {**shared, ENTRIES: _known(result)}
        self._followed = shared
        if changed:
            log.info("%s was brought up to date with other hosts: %s", self._path, ", ".join(sorted(changed)))
        return not changed and result == before

    def _run(self) -> None:
        while True:
            time.sleep(TICK)
            try:
                self._open()
                self.agree()
                self._logged = ""
            except StoreError as error:
                if str(error) != self._logged:
                    log.error("%s", error)
                self._logged = str(error)
            except Exception:  # the thread must survive
                log.exception("this host does not follow the configuration of the others")


def entries(tables: Mapping[str, Any]) -> Entries:
    """Return the shared entries of a configuration."""
    found = {f"{name} {one[key]}": tomlkit.dumps(one) for name, key in ARRAYS.items() for one in tables.get(name, ())}
    options = ((name, option, value) for name in OPTIONS for option, value in tables.get(name, {}).items())
    found |= {f"{name} {option}": tomlkit.dumps({option: value}) for name, option, value in options}
    return _known(found)


def merge(base: Entries, local: Entries, shared: Entries) -> Entries:
    """Return the shared entries with this host's changes since `base`. A revoked token stays revoked."""
    result = {key: text for key, text in shared.items() if key in local or key not in base}
    result |= {key: text for key, text in local.items() if text != base.get(key)}
    revoked = _last_revoked(local, shared)
    hashes = [f'"{_split(key)[1]}"' for key in revoked]
    kept = {key: text for key, text in result.items() if not any(sha256 in text for sha256 in hashes)}
    return {key: text for key, text in kept.items() if _split(key)[0] != "revoked_tokens"} | revoked


def _last_revoked(local: Entries, shared: Entries) -> Entries:
    """Return the revoked tokens that either has, up to as many as are kept."""
    found = [(key, text) for key, text in (local | shared).items() if _split(key)[0] == "revoked_tokens"]
    found.sort(key=lambda item: (str(tomllib.loads(item[1]).get("ended")), item[0] in shared))
    return dict(found[-MAX_REVOKED:])


def _has_lost(agreed: Document, shared: Document) -> bool:
    """Return whether the store lost changes that this host knows: a backup was restored, or a standby lacked them."""
    is_same = agreed.get(COUNTED_IN) == shared.get(COUNTED_IN)
    return is_same and shared.get(NUMBER, 0) < agreed.get(NUMBER, 0)


def _apply(document: TOMLDocument, before: Entries, after: Entries) -> set[str]:
    """Change the document's entries, and return the names of the changed tables.

    [panel] allow comes before the password, and an array's new entries in the order of their times.
    """
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key) and _is_known(key)}
    given = {key: tomllib.loads(after.get(key, "")) for key in sorted(changed)}
    for key, values in sorted(given.items(), key=lambda item: str(item[1].get("ended") or item[1].get("created"))):
        table, name = _split(key)
        if table in ARRAYS:
            _replace(document, table, name, values)
        elif values:
            document.setdefault(table, tomlkit.table()).update(values)
        else:
            document[table].pop(name)
    return {_split(key)[0] for key in changed}


def _replace(document: TOMLDocument, table: str, name: str, values: Mapping[str, Any]) -> None:
    found = [one for one in tables(document, table) if one[ARRAYS[table]] == name]
    if values:
        tables(document, table).append(tomlkit.item(values))
    for one in found:
        drop(document, table, one)


def _split(key: str) -> tuple[str, str]:
    table, _, name = key.partition(" ")
    return table, name


def _known(entries: Entries) -> Entries:
    return {key: text for key, text in entries.items() if _is_known(key)}


def _is_known(key: str) -> bool:
    """Return whether this version knows the entry: a newer one on another host may share more."""
    table, name = _split(key)
    return table in ARRAYS or (table in OPTIONS and (name in OPTIONS[table] or not OPTIONS[table]))
