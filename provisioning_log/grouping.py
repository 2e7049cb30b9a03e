"""Groups entries by provisioning cycle, and the changes of a group's members into one row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from provisioning_log.activity import Activity, Cycle
from provisioning_log.entries import Entry

MAX_ROWS = 50
MAX_ENTRIES = 2_000  # that one page reads
_MEMBERSHIP = (("joined",), ("left",))


@dataclass(slots=True)
class Row:
    """An entry, or several about the members of one group; `verb` is "joined", "left" or empty."""

    entries: list[Entry]
    verb: str = ""

    @property
    def entry(self) -> Entry:
        """The newest entry."""
        return self.entries[0]

    @property
    def members(self) -> int:
        """The number of members that joined or left."""
        return sum(entry.moved for entry in self.entries)

    @property
    def is_collapsed(self) -> bool:
        """Whether the row stands for several members."""
        return bool(self.verb) and self.members > 1


@dataclass(slots=True)
class Section:
    """Rows of one cycle; without a cycle, of one day (UTC)."""

    cycle: Cycle | None
    rows: list[Row] = field(default_factory=list)
    _members: dict[tuple[str, str], Row] = field(default_factory=dict, repr=False)

    def add(self, entry: Entry) -> bool:
        """Add an entry, and return whether it is a new row."""
        if entry.actions not in _MEMBERSHIP:
            self.rows.append(Row([entry]))
            return True
        key = (entry.actions[0], entry.who.id)
        if key in self._members:
            self._members[key].entries.append(entry)
            return False
        self._members[key] = Row([entry], entry.actions[0])
        self.rows.append(self._members[key])
        return True


@dataclass(slots=True)
class GroupedPage:
    """The sections of a page, newest first; `before` continues with the next page and is empty on the last one."""

    sections: list[Section]
    before: str = ""


def group(entries: Iterator[Entry], activity: Activity) -> GroupedPage:
    """Return a page from entries in the order newest first."""
    sections: dict[object, Section] = {}
    cycle: Cycle | None = None
    rows, last = 0, ""
    for number, entry in enumerate(entries):
        if rows == MAX_ROWS or number == MAX_ENTRIES:
            return GroupedPage(list(sections.values()), last)
        cycle = _cycle_of(entry, activity, cycle)
        key = (cycle.client, cycle.start) if cycle else entry.time[:10]
        rows += sections.setdefault(key, Section(cycle)).add(entry)
        last = entry.id
    return GroupedPage(list(sections.values()))


def _cycle_of(entry: Entry, activity: Activity, latest: Cycle | None) -> Cycle | None:
    """Return the cycle of an entry, which is mostly that of the entry before."""
    moment = datetime.fromisoformat(entry.time).timestamp()
    if latest and latest.client.token == entry.by and latest.includes(moment):
        return latest
    return activity.cycle_at(entry.by, moment) if entry.by else None
