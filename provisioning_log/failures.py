"""Groups the failures in the log that are not solved by their cause."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

import orjson

from provisioning_log.activity import Activity
from provisioning_log.advice import advice
from provisioning_log.entries import Entry, Subject
from provisioning_log.entry_reader import read_entry
from provisioning_log.export import detail
from provisioning_log.search import Criteria, newest, result_of
from provisioning_log.segments import time_of
from scim.schema.attributes import fold

MAX_FAILURES = 2_000  # the newest; more are not counted
_SHARED = (404, 409, 412)  # here quoted values differ from object to object; elsewhere they name the attribute
_QUOTED = re.compile(r'"[^"]*"')

Key = tuple[str, str]
"""Identifies writes of a resource: the method, and its id or, for a creation, its name."""


@dataclass(slots=True)
class Cause:
    """Failures for the same reason; `example` is the newest entry."""

    title: str
    example: Entry
    count: int = 0

    @property
    def advice(self) -> str:
        """How to fix the cause."""
        return advice(self.example)


def by_cause(read: Callable[[], Iterable[bytes]], since: str, activity: Activity) -> list[Cause]:
    """Return the causes in the lines that `read` returns, newest first; the most frequent cause comes first.

    Left out are rejected requests with an unknown token, which any stranger can send, and failures that are solved.
    """
    found = islice(newest(read(), Criteria(result="failure", since=since)), MAX_FAILURES)
    failures = [entry for entry in found if not _is_over(entry, activity)]
    writes = _latest_writes(read, failures)
    causes: dict[tuple[int, str], Cause] = {}
    for entry in failures:
        if all(writes.get(key, "") <= entry.time for key in _solutions(entry)):
            title = _title(entry)
            causes.setdefault((entry.status, title), Cause(title, entry)).count += 1
    return sorted(causes.values(), key=lambda cause: -cause.count)


def _latest_writes(read: Callable[[], Iterable[bytes]], failures: list[Entry]) -> dict[Key, str]:
    """Return the time of the latest successful write with each key that solves one of the failures."""
    latest = {key: "" for entry in failures for key in _solutions(entry)}
    oldest = min((entry.time for entry in failures), default="").encode()
    later = takewhile(lambda line: time_of(line) >= oldest, read()) if latest else ()
    for line in filter(lambda line: result_of(line) == "success", later):
        with suppress(ValueError):  # unreadable lines are skipped
            for key in _keys_of(line):
                if latest.get(key) == "":
                    latest[key] = time_of(line).decode()
    return latest


def _keys_of(line: bytes) -> Iterable[Key]:
    """Return the keys of the write in a line, which is not parsed as a whole: there may be 100,000."""
    end = line.find(b'"who":{"id":"')
    if end < 0:
        return ()
    if b'"method":"POST"' in line[:end]:
        return _keys("POST", _who(line, end + 6))
    id = line[end + 13 : line.find(b'"', end + 13)].decode()
    return _keys("DELETE" if b'"method":"DELETE"' in line[:end] else "PATCH", Subject(id))


def _who(line: bytes, start: int) -> Subject:
    """Return the subject in a line, which begins at a position."""
    try:
        return Subject(**orjson.loads(line[start : line.find(b"}", start) + 1]))
    except (ValueError, TypeError):  # a name has a brace
        return read_entry(line).who


def _keys(method: str, who: Subject) -> list[Key]:
    if method == "POST":
        return [(method, fold(name)) for name in (who.user_name, who.display_name) if name]
    return [("PATCH" if method == "PUT" else method, who.id)] if who.id else []


def _solutions(entry: Entry) -> list[Key]:
    """Return the writes that solve a failure: a later one of the same kind, or the resource's deletion."""
    keys = _keys(entry.method, entry.who)
    return keys[:1] if entry.method == "POST" else [*keys, *_keys("DELETE", entry.who)]


def _is_over(entry: Entry, activity: Activity) -> bool:
    """Return whether a failure would have been repeated by now.

    A rejected client has signed in again. A request that no write can solve was not sent again in a later cycle.
    """
    moment = datetime.fromisoformat(entry.time).timestamp()
    cycles = [cycle for cycle in activity.cycles if cycle.client.token == entry.by]
    if entry.status == 401:
        return max([activity.last_request, *(cycle.end for cycle in cycles)]) > moment
    is_write = entry.method in ("POST", "PUT", "PATCH", "DELETE") and bool(entry.who) and entry.status != 404
    return not is_write and any(cycle.start - 1 > moment for cycle in cycles)


def _title(entry: Entry) -> str:
    text = detail(entry) or f"{entry.method} failed with the status {entry.status}."
    return _QUOTED.sub('"…"', text) if entry.status in _SHARED else text
