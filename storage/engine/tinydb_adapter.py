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


class Rows(Mapping[str, Document]):
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


class Touched(MutableMapping[int, Document]):
    """The mapping that TinyDB's updaters change. It records what they write, and what they may change in place."""

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
        place = cast(int, position)
        return (self._now[place] if place in self._now else self._table.documents.get(place)) is not None

    def __setitem__(self, position: int, document: Document) -> None:
        self._now[position] = document
        self._written.add(position)

    def __delitem__(self, position: int) -> None:
        if position not in self:
            raise KeyError(position)
        self._now[position] = None
        self._written.add(position)

    def __iter__(self) -> Iterator[int]:
        places = dict.fromkeys(place for place, _ in self._table.documents.items())
        return (place for place in (places | dict.fromkeys(self._written)) if place in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def changes(self) -> dict[int, Document | None]:
        """Return what is now at each position that was written, or whose document was changed in place."""
        return {place: now for place, now in self._now.items() if place in self._written or self._differs(place)}

    def _differs(self, position: int) -> bool:
        # As text, since 1 == True.
        return json.dumps(self._now[position]) != json.dumps(self._table.get(position))


class VersionTable(TinyDBTable):
    """A TinyDB table whose reads copy nothing and whose writes cost what they change."""

    _given = 0

    def put(self, position: int, document: Document) -> None:
        """Replace the document at the position; TinyDB's own update would merge the two."""
        self._update_table(lambda rows: rows.__setitem__(position, document))

    def _get_next_id(self) -> int:
        # TinyDB would count on from the highest id in use, and give a deleted document's place a second time.
        self._given = max(self._given, self._view.version.table(self.name).last) + 1
        return self._given

    def _read_table(self) -> dict[str, Mapping[str, Any]]:
        return cast(dict[str, Mapping[str, Any]], Rows(self._view.version.table(self.name)))

    def _update_table(self, updater: Callable[[dict[int, Mapping[str, Any]]], None]) -> None:
        touched = Touched(self._view.version.table(self.name))
        updater(cast(dict[int, Mapping[str, Any]], touched))
        self._view.change(self.name, touched.changes())
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
        """Return TinyDB itself over this version, with its queries and operations."""
        # Made anew each time: if the view held it, the two would hold each other, and the version with them.
        return Database(storage=lambda: self)

    def read(self) -> dict[str, dict[str, Any]]:
        """Return all tables, for TinyDB."""
        return {kind: cast(dict[str, Any], Rows(table)) for kind, table in self.version.tables().items()}

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Take all tables as TinyDB hands them over when it drops some, and keep the difference."""
        for kind, rows in self.read().items():
            gone = [position for position in rows if position not in data.get(kind, ())]
            self.change(kind, dict.fromkeys(map(int, gone)))

    def change(self, kind: str, changes: Mapping[int, Document | None]) -> None:
        """Refuse: a version is only read."""
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
        """Return the document's place in order of creation. Raises Missing."""
        return self.version.table(kind).position(id)

    def count(self, kind: str) -> int:
        """Return how many documents of the kind there are."""
        return len(self.version.table(kind).documents)


class Transaction(View):
    """The writer: a fork of the version it stands on, and the changes that make the difference."""

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
        """Put the document in the place of the one with its id. Raises Missing, Duplicate."""
        self._table(kind).put(self.position(kind, document["id"]), document)

    def delete(self, kind: str, id: str) -> None:
        """Take the document away. Raises Missing."""
        self._table(kind).remove(doc_ids=[self.position(kind, id)])

    def change(self, kind: str, changes: Mapping[int, Document | None]) -> None:
        """Make the changes, up to the first that may not be. Raises Duplicate."""
        if not kind or kind == META:
            raise ValueError(f"{kind!r} is no name for a kind of documents")
        for position, document in changes.items():
            read = self._read.pop((kind, position), None)
            self.version.apply(kind, position, document, read.data if read else None, check=True)
            self._changed[kind, position] = None

    def changes(self) -> list[Written]:
        """Return what the transaction changed, in order."""
        return [(kind, place, self.version.table(kind).documents.get(place)) for kind, place in self._changed]

    def _table(self, kind: str) -> VersionTable:
        return VersionTable(self, kind)
