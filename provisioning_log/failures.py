"""Groups the failures in the log by their cause."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from provisioning_log.advice import advice
from provisioning_log.entries import Entry
from provisioning_log.export import detail
from provisioning_log.search import Criteria, newest

MAX_FAILURES = 2_000  # the newest; more are not counted
_SHARED = (404, 409, 412)  # here quoted values differ from object to object; elsewhere they name the attribute
_QUOTED = re.compile(r'"[^"]*"')


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


def by_cause(lines: Iterable[bytes], since: str) -> list[Cause]:
    """Return the causes in lines that are in the order newest first, the most frequent cause first.

    Rejected requests with an unknown token are left out: any stranger can send them.
    """
    causes: dict[tuple[int, str], Cause] = {}
    for entry in islice(newest(lines, Criteria(result="failure", since=since)), MAX_FAILURES):
        if entry.by or entry.cause:
            title = _title(entry)
            causes.setdefault((entry.status, title), Cause(title, entry)).count += 1
    return sorted(causes.values(), key=lambda cause: -cause.count)


def _title(entry: Entry) -> str:
    text = detail(entry) or f"{entry.method} failed with the status {entry.status}."
    return _QUOTED.sub('"…"', text) if entry.status in _SHARED else text
