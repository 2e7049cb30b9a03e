"""Lists for people: search without regard to case and accents, sort by a column, and counts.

A row with the search text is kept for each resource until it is written, so a list decodes only what was written since
the last one.
"""

import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple
from unicodedata import combining, normalize

from scim.directory.search import first_value
from scim.schema.attributes import Key, fold
from scim.schema.resource_types import Target
from storage.base import Document, Reader

_MAX_VALUE = 200  # characters of each value that are searched
_MAX_TEXT = 4_000  # and of all values of a resource
_MAX_WORDS = 20  # that are searched for
_SLICE = 100  # resources decoded between two pauses
_ID_WORD = 8  # characters of the shortest word that is looked for in ids: shorter ones occur there by chance
_LETTERS = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
_SKIPPED = ("schemas", "meta", "$ref")
_SKIPPED_IN_ELEMENTS = (*_SKIPPED, "type", "primary")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which resources to list, in which order; `columns` are the attributes that are shown."""

    columns: tuple[Target, ...]
    sort_by: Target
    descending: bool = False
    search: str = ""
    active: bool | None = None


class Row(NamedTuple):
    """What is kept of a resource: its texts as `simplify` returns them, and the sort key of each column used so far."""

    id: str
    name: str
    text: str
    ids: str
    active: bool
    keys: dict[str, Key]

    def has(self, word: str) -> bool:
        """Return whether a word occurs in the resource's values."""
        return word in self.text or (len(word) >= _ID_WORD and word in self.ids)


class Lists:
    """The rows of each kind, in the version of the store that was read last."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Rows] = {}
        self._lock = Lock()

    def find(self, reader: Reader, kind: str, query: ListQuery) -> list[Row]:
        """Return the rows of the matching resources, in their order."""
        references = [target for target in query.columns if _is_reference(target)]
        rows: Iterable[Row] = self._rows(reader, kind, (*references, query.sort_by))
        names = {str(target): self._names(reader, target) for target in references}
        for word in simplify(query.search).split()[:_MAX_WORDS]:
            named = {column: {id for id, name in known.items() if word in name} for column, known in names.items()}
            rows = [row for row in rows if row.has(word) or any(row.keys[each] in ids for each, ids in named.items())]
        if query.active is not None:
            rows = [row for row in rows if row.active is query.active]
        return self._sorted(reader, rows, query)

    def prepare(self, reader: Reader, kind: str, columns: Iterable[Target]) -> None:
        """Make the rows, with the sort keys of these columns."""
        self._rows(reader, kind, columns)

    def count(self, reader: Reader, kind: str) -> tuple[int, int]:
        """Return how many resources are active and how many are disabled."""
        rows = self._rows(reader, kind)
        active = sum(row.active for row in rows)
        return active, len(rows) - active

    def _rows(self, reader: Reader, kind: str, columns: Iterable[Target] = ()) -> Collection[Row]:
        """Return the rows in order of creation, with the sort keys of these columns."""
        with self._lock:
            return self._kinds.setdefault(kind, _Rows(kind)).at(reader, columns)

    def _names(self, reader: Reader, reference: Target) -> Mapping[Any, str]:
        """Return the names of the resources that an attribute may refer to, by id."""
        assert reference.attribute
        return {row.id: row.name for kind in reference.attribute.refers_to for row in self._rows(reader, kind)}

    def _sorted(self, reader: Reader, rows: Iterable[Row], query: ListQuery) -> list[Row]:
        """Sort by a column; resources without a value come last, and equal ones stay in order of creation."""
        column = str(query.sort_by)
        names = self._names(reader, query.sort_by) if _is_reference(query.sort_by) else None
        keyed = [(row.keys[column] if names is None else names.get(row.keys[column]), row) for row in rows]
        known = [pair for pair in keyed if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=query.descending)  # type: ignore[arg-type,return-value]
        return [row for _, row in known] + [row for key, row in keyed if key is None]


class _Rows:
    """The rows of one kind by `StoredDocument.raw`, and how to read the sort keys of the columns used so far."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._version: object = None
        self._rows: dict[Hashable, Row] = {}
        self._columns: dict[str, Callable[[Document], Key]] = {}

    def at(self, reader: Reader, columns: Iterable[Target]) -> Collection[Row]:
        """Return the rows of the reader's version."""
        missing = {name: _key_reader(target) for target in columns if (name := str(target)) not in self._columns}
        if missing or self._version is not reader.version:
            self._columns |= missing
            self._rows = dict(self._updated(reader))
            self._version = reader.version
        return self._rows.values()

    def _updated(self, reader: Reader) -> Iterator[tuple[Hashable, Row]]:
        decoded = 0
        for stored in reader.scan(self._kind):
            row = self._rows.get(stored.raw)
            if row is None or len(row.keys) < len(self._columns):
                row = row or _make_row(stored.data)
                row.keys.update((name, read(stored.data)) for name, read in self._columns.items())
                decoded += 1
                if decoded % _SLICE == 0:
                    time.sleep(0)  # let requests of other threads run
            yield stored.raw, row


def simplify(text: str) -> str:
    """Return a text in lower case and without accents."""
    folded = fold(text)
    if folded.isascii():
        return folded
    return "".join(letter for letter in normalize("NFKD", folded) if not combining(letter)).translate(_LETTERS)


def _make_row(document: Document) -> Row:
    texts: list[str] = []
    ids: list[str] = []
    _collect(document, texts, ids, _SKIPPED)
    name = document.get("displayName") or document.get("userName") or document["id"]
    text = simplify("\n".join(texts)[:_MAX_TEXT])
    return Row(
        document["id"], simplify(str(name)), text, "\n".join(ids).lower(), document.get("active") is not False, {}
    )


def _collect(value: Any, texts: list[str], ids: list[str], skipped: tuple[str, ...]) -> None:
    """Add the texts and numbers in a value to `texts`, or to `ids` if they look like one."""
    if isinstance(value, str):
        is_id = len(value) == 36 and value.count("-") == 4
        (ids if is_id else texts).append(value[:_MAX_VALUE])
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in skipped:
                _collect(inner, texts, ids, skipped)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, texts, ids, _SKIPPED_IN_ELEMENTS)
    elif not isinstance(value, bool):
        texts.append(str(value))


def _is_reference(target: Target) -> bool:
    return bool(target.attribute and target.attribute.refers_to)


def _key_reader(target: Target) -> Callable[[Document], Key]:
    """Return a function that reads a column's sort key; for a reference it is the id of the resource."""
    attribute = target.attribute
    assert attribute
    if _is_reference(target):
        return first_value(Target(target.extension, attribute, attribute.sub_attributes_by_name.get("value")))
    read = first_value(target)
    return lambda document: target.leaf.key(read(document))
