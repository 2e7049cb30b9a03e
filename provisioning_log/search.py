"""Finds and counts entries by user or group, action, result and time."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from provisioning_log.entries import Entry, timestamp
from provisioning_log.entry_reader import read_entry
from provisioning_log.segments import time_of
from scim.schema.attributes import fold

MAX_RECORDING = timedelta(days=7)
RESULTS = ("success", "failure", "rejected")
_HEAD = 220  # bytes at the beginning of a line that have its time, id, actions and status
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

    @property
    def is_reversed(self) -> bool:
        """Whether the beginning is later than the end, so that nothing matches."""
        return bool(self.until) and self.since > self.until

    def matches(self, entry: Entry) -> bool:
        """Return whether an entry matches, except for its time."""
        return (
            (not self.action or self.action in entry.actions)
            and (not self.result or self.result == entry.result)
            and (not self.id or any(who.id == self.id for who in entry.people))
            and (not self.person or _is_about(entry, fold(self.person)))
        )

    def may_match(self, line: bytes) -> bool:
        """Return whether a line may match, without parsing it, which takes ten times as long."""
        if self.result and self.result != result_of(line):
            return False
        if any(text and f'"{text}"'.encode() not in line for text in (self.action, self.id)):
            return False
        return not self.person or _contains(line, _longest_plain(self.person))


class Totals(NamedTuple):
    """The number of entries: all, those of changes, of failures, and of requests without a known token."""

    all: int = 0
    changes: int = 0
    failures: int = 0
    rejected: int = 0


def newest(lines: Iterable[bytes], criteria: Criteria, before: str = "") -> Iterator[Entry]:
    """Yield the matching entries from lines in the order newest first, after the entry with the id `before`."""
    return matching(_after(_since(lines, criteria), before), criteria)


def totals(lines: Iterable[bytes], criteria: Criteria) -> Totals:
    """Count the entries that match apart from their result, in lines in the order newest first."""
    wanted = replace(criteria, result="")
    kinds: Counter[str] = Counter()
    if wanted.person or wanted.action or wanted.id:
        kinds.update(entry.result for entry in newest(lines, wanted))
    else:
        until = wanted.until.encode()
        for line in _since(lines, wanted):
            if not until or time_of(line) <= until:
                kinds[result_of(line)] += 1
    return Totals(kinds.total(), *(kinds[result] for result in RESULTS))


def result_of(line: bytes) -> str:
    """Return the result of a line's entry without parsing it; "failed" is the last of its actions."""
    if line.find(b'"failed"]', 0, _HEAD) > 0:
        is_known = line.find(b'"status":401,', 0, _HEAD) < 0 or b'"by":"' in line or b'"cause":"' in line
        return "failure" if is_known else "rejected"
    return "read" if line.find(b'"actions":["read"]', 0, _HEAD) > 0 else "success"


def matching(lines: Iterable[bytes], criteria: Criteria) -> Iterator[Entry]:
    """Yield the matching entries in the order of their lines; unreadable lines are skipped."""
    since, until = criteria.since.encode(), criteria.until.encode()
    for line in lines:
        if (since and time_of(line) < since) or (until and time_of(line) > until):
            continue
        if criteria.may_match(line):
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


def record_until(text: str) -> datetime:
    """Return when a recording of reads ends that lasts for a span such as 2h. Raises ValueError."""
    span = _AGO.fullmatch(text.strip().lower())
    length = timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else timedelta(0)
    if not timedelta(0) < length <= MAX_RECORDING:
        raise ValueError(f'"{text}" is not a time from 1m to 7d. Use, for example, 30m, 2h or 1d.')
    return datetime.now(UTC) + length


def _since(lines: Iterable[bytes], criteria: Criteria) -> Iterable[bytes]:
    since = criteria.since.encode()
    return takewhile(lambda line: time_of(line) >= since, lines) if since else lines


def _contains(line: bytes, plain: bytes) -> bool:
    """Return whether a line contains a lower-case ASCII text in any case; some other letters fold to ASCII."""
    return plain in line.lower() or (
        not line.isascii() and plain in line.decode("utf-8", "replace").casefold().encode("utf-8", "replace")
    )


@lru_cache(maxsize=16)
def _longest_plain(text: str) -> bytes:
    """Return the longest part of a text that folding and JSON leave as it is."""
    return max(_NOT_PLAIN.split(text.casefold()), key=len).encode()


_NOT_PLAIN = re.compile(r"[^ !#-\[\]-~]+")


def _after(lines: Iterable[bytes], id: str) -> Iterator[bytes]:
    rest = iter(lines)
    if id:
        needle = f'"id":"{id}"'.encode()
        next((line for line in rest if needle in line), None)
    return rest


def _is_about(entry: Entry, text: str) -> bool:
    return any(text in fold(name) for who in entry.people for name in (who.id, who.user_name, who.display_name))
