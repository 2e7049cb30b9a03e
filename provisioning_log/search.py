"""Finds entries by user or group, action, result and time, page by page."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from provisioning_log.entries import Entry, timestamp
from provisioning_log.entry_reader import read_entry
from provisioning_log.segments import time_of
from scim.schema.attributes import fold

RESULTS = ("success", "failure")
_AGO = re.compile(r"(\d{1,5})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Criteria:
    """Search criteria; empty ones match all. `id` is a resource id; times have the format of `timestamp`."""

    person: str = ""
    action: str = ""
    result: str = ""
    since: str = ""
    until: str = ""
    id: str = ""

    def matches(self, entry: Entry) -> bool:
        """Return whether an entry matches, except for its time."""
        return (
            (not self.action or self.action in entry.actions)
            and (not self.result or (self.result == "failure") == entry.failed)
            and (not self.id or any(who.id == self.id for who in entry.people))
            and (not self.person or _is_about(entry, fold(self.person)))
        )

    def needles(self) -> list[bytes]:
        """Return texts that a matching line contains, to skip the others without parsing them."""
        return [f'"{text}"'.encode() for text in (self.action, self.id) if text]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of entries; `before` continues with the next page and is empty on the last one."""

    entries: list[Entry]
    before: str = ""


def find_page(lines: Iterable[bytes], criteria: Criteria, before: str = "", limit: int = 50) -> Page:
    """Return a page of entries from lines in the order newest first."""
    found: list[Entry] = []
    if criteria.since:
        since = criteria.since.encode()
        lines = takewhile(lambda line: time_of(line) >= since, lines)
    for entry in matching(_after(lines, before), criteria):
        if len(found) == limit:
            return Page(found, found[-1].id if found else before)
        found.append(entry)
    return Page(found)


def matching(lines: Iterable[bytes], criteria: Criteria) -> Iterator[Entry]:
    """Yield the matching entries in the order of their lines; unreadable lines are skipped."""
    needles = criteria.needles()
    since, until = criteria.since.encode(), criteria.until.encode()
    for line in lines:
        if (since and time_of(line) < since) or (until and time_of(line) > until):
            continue
        if all(needle in line for needle in needles):
            with suppress(ValueError):
                entry = read_entry(line)
                if criteria.matches(entry):
                    yield entry


def read_time(text: str) -> str:
    """Convert `2026-01-31`, `2026-01-31T12:00` (UTC) or `2h` (ago) to a timestamp. Raises ValueError, OverflowError."""
    ago = _AGO.fullmatch(text.strip().lower())
    if ago:
        return timestamp((datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).timestamp())
    moment = datetime.fromisoformat(text.strip())
    return timestamp((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _after(lines: Iterable[bytes], id: str) -> Iterator[bytes]:
    rest = iter(lines)
    if id:
        needle = f'"id":"{id}"'.encode()
        next((line for line in rest if needle in line), None)
    return rest


def _is_about(entry: Entry, text: str) -> bool:
    return any(text in fold(name) for who in entry.people for name in (who.id, who.user_name, who.display_name))
