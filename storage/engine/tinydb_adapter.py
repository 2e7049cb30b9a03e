"""TinyDB's tables and storage over one version of the documents: the reader, and the writer."""

import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, cast

from tinydb import TinyDB
from tinydb.storages import Storage
from tinydb.table import Table as TinyDBTable

from storage.base import Document, StoredDocument
from storage.engine.encoding import decode
from storage.engine.versions import META, Table, Version, Written


class TableView(Mapping[str, Document]):
    """A table as TinyDB reads one: documents by the text of their position."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getitem__(self, key: str) -> Document:
        document = self._table.get(int(key))
        if document is None:
            raise KeyError(key)
        return document

    def __iter__(self) -> Iterator[str]:
        return (str(position) for position, _ in self._table.documents.items())

    def __len__(self) -> int:
        return len(self._table.documents)


class TrackedTable(MutableMapping[int, Document]):
    """The mapping that TinyDB's updaters change. It records writes, and documents that may be changed in place."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._now: dict[int, Document | None] = {}
        self._written: set[int] = set()

    def __getitem__(self, position: int) -> Document:
        if position not in self._now:
            self._now[position] = self._table.get(position)
        document = self._now[position]
        if document is None:
            raise KeyError(position)
        return document

    def __contains__(self, position: object) -> bool:
        key = cast(int, position)
        return (self._now[key] if key in self._now else self._table.documents.get(key)) is not None

    def __setitem__(self, position: int, document: Document) -> None:
        self._now[position] = document
        self._written.add(position)

    def __delitem__(self, position: int) -> None:
        if position not in self:
            raise KeyError(position)
        self._now[position] = None
        self._written.add(position)

    def __iter__(self) -> Iterator[int]:
        positions = dict.fromkeys(position for position, _ in self._table.documents.items())
        return (position for position in (positions | dict.fromkeys(self._written)) if position in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def changes(self) -> dict[int, Document | None]:
        """Return the document, or None, at each position that was written or changed in place."""
        return {
            position: now for position, now in self._now.items() if position in self._written or self._differs(position)
        }

    def _differs(self, position: int) -> bool:
        # As text, since 1 == True.
        return json.dumps(self._now[position]) != json.dumps(self._table.get(position))


class VersionTable(TinyDBTable):
    """A TinyDB table whose reads copy nothing and whose writes cost what they change."""

    _last_position = 0

    def put(self, position: int, document: Document) -> None:
        """Replace the document at the position; TinyDB's own update would merge the two."""
        self._update_table(lambda rows: rows.__setitem__(position, document))

    def _get_next_id(self) -> int:
        # TinyDB would continue from the highest id in use, and so use a deleted document's position again.
        self._last_position = max(self._last_position, self._view.version.table(self.name).last) + 1
        return self._last_position

    def _read_table(self) -> dict[str, Mapping[str, Any]]:
        return cast(dict[str, Mapping[str, Any]], TableView(self._view.version.table(self.name)))

    def _update_table(self, updater: Callable[[dict[int, Mapping[str, Any]]], None]) -> None:
        tracked = TrackedTable(self._view.version.table(self.name))
        updater(cast(dict[int, Mapping[str, Any]], tracked))
        self._view.change(self.name, tracked.changes())
        self.clear_cache()

    @property
    def _view(self) -> "View":
        return cast(View, self._storage)


class Database(TinyDB):
    """TinyDB over a view: all of its tables, queries and operations work on that one version."""

    table_class = VersionTable


class View(Storage):
    """A reader of one version, which is also a TinyDB storage."""

    def __init__(self, version: Version) -> None:
        self.version = version

    @property
    def database(self) -> Database:
        """TinyDB itself over this version, with its queries and operations."""
        # Not cached: the reference cycle would keep the version in memory.
        return Database(storage=lambda: self)

    def read(self) -> dict[str, dict[str, Any]]:
        """Return all tables, for TinyDB."""
        return {kind: cast(dict[str, Any], TableView(table)) for kind, table in self.version.tables().items()}

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Delete the documents that TinyDB has left out of all tables, as it does to drop some."""
        for kind, rows in self.read().items():
            gone = [position for position in rows if position not in data.get(kind, ())]
            self.change(kind, dict.fromkeys(map(int, gone)))

    def change(self, kind: str, changes: Mapping[int, Document | None]) -> None:
        """Raise RuntimeError: a reader cannot write."""
        raise RuntimeError("a change needs a transaction: use writing()")

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""
        return self.version.table(kind).find(id)

    def lookup(self, kind: str, index: str, key: str) -> Iterator[StoredDocument]:
        """Yield the documents that have the key in the index, in order of creation."""
        return self.version.table(kind).lookup(index, key)

    def scan(self, kind: str, *, after: int = 0, offset: int = 0, limit: int | None = None) -> Iterator[StoredDocument]:
        """Yield documents in order of creation, from the first whose position is above `after`."""
        return self.version.table(kind).scan(after, offset, limit)

    def position(self, kind: str, id: str) -> int:
        """Return the position in order of creation. Raises Missing."""
        return self.version.table(kind).position(id)

    def count(self, kind: str) -> int:
        """Return how many documents of the kind there are."""
        return len(self.version.table(kind).documents)


class Transaction(View):
    """The writer: a fork of a base version, and the positions that were changed."""

    def __init__(self, base: Version) -> None:
        super().__init__(base.fork())
        self.base = base
        self._read: dict[tuple[str, int], StoredDocument] = {}  # likely to be replaced, so decoded only once
        self._changed: dict[tuple[str, int], None] = {}

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""
        table = self.version.table(kind)
        position = table.ids.get(id)
        if position is None:
            return None
        if (kind, position) not in self._read:
            self._read[kind, position] = StoredDocument(table.documents.get(position), decode)
        return self._read[kind, position]

    def insert(self, kind: str, document: Document) -> None:
        """Add a document. Raises Duplicate."""
        self._table(kind).insert(document)

    def replace(self, kind: str, document: Document) -> None:
        """Replace the document with the same id. Raises Missing, Duplicate."""
        self._table(kind).put(self.position(kind, document["id"]), document)

    def delete(self, kind: str, id: str) -> None:
        """Delete the document. Raises Missing."""
        self._table(kind).remove(doc_ids=[self.position(kind, id)])

    def change(self, kind: str, changes: Mapping[int, Document | None]) -> None:
        """Apply the changes, up to the first that raises Duplicate."""
        if not kind or kind == META:
            raise ValueError(f"{kind!r} is not a valid kind")
        for position, document in changes.items():
            read = self._read.pop((kind, position), None)
            self.version.apply(kind, position, document, read.data if read else None, check=True)
            self._changed[kind, position] = None

    def changes(self) -> list[Written]:
        """Return the changes of the transaction, in order."""
        return [(kind, position, self.version.table(kind).documents.get(position)) for kind, position in self._changed]

    def _table(self, kind: str) -> VersionTable:
        return VersionTable(self, kind)
