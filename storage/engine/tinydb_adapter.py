"""The reader and the writer over one version of the documents. A reader is a TinyDB storage, too."""

from collections.abc import Collection, Iterator, Mapping
from time import sleep
from typing import Any, NoReturn, cast

from tinydb import TinyDB
from tinydb.storages import Storage

from storage.base import Document, Duplicate, StoredDocument
from storage.engine.encoding import decode, encode
from storage.engine.log import Log
from storage.engine.versions import META, SLICE, Table, Version, Written


class TableView(Mapping[str, Document]):
    """A table as TinyDB reads one: documents by the text of their position, each decoded when it is read."""

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


class View(Storage):
    """A reader of one version, and of the log up to it, which is also a TinyDB storage."""

    is_remote = False

    def __init__(self, version: Version, log: Log) -> None:
        self.version, self._log = version, log

    @property
    def database(self) -> TinyDB:
        """TinyDB itself over this version, for its queries."""
        # Not cached: the reference cycle would keep the version in memory.
        return TinyDB(storage=lambda: self)

    def read(self) -> dict[str, dict[str, Any]]:
        """Return all tables, for TinyDB."""
        return {kind: cast(dict[str, Any], TableView(table)) for kind, table in self.version.tables().items()}

    def write(self, data: dict[str, dict[str, Any]]) -> NoReturn:
        """Raise RuntimeError: TinyDB would rewrite all documents, and use the positions of deleted ones again."""
        raise RuntimeError("use insert, replace or delete of a writer: TinyDB only reads the store")

    def prefetch(self, kind: str, keys: Collection[str], index: str = "") -> None:
        """Do nothing: everything is in memory."""

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""
        return self.version.table(kind).find(id)

    def lookup(self, kind: str, index: str, key: str) -> Iterator[StoredDocument]:
        """Yield the documents that have the key in the index, in order of creation."""
        return self.version.table(kind).lookup(index, key)

    def scan(self, kind: str, *, after: int = 0, offset: int = 0, limit: int | None = None) -> Iterator[StoredDocument]:
        """Yield documents in order of creation, from the first whose position is above `after`."""
        return self.version.table(kind).scan(after, offset, limit)

    def scan_sorted(
        self, kind: str, index: str, *, descending: bool = False, offset: int = 0, limit: int | None = None
    ) -> Iterator[StoredDocument]:
        """Yield documents in order of their key in the index, of which each has at most one."""
        return self.version.table(kind).scan_sorted(index, descending, offset, limit)

    def kinds(self) -> list[str]:
        """Return the kinds that have documents, in order."""
        return sorted(kind for kind, table in self.version.tables().items() if len(table.documents))

    def position(self, kind: str, id: str) -> int:
        """Return the position in order of creation. Raises Missing."""
        return self.version.table(kind).position(id)

    def count(self, kind: str, index: str = "", key: str = "") -> int:
        """Return how many documents of the kind there are, or how many have the key in an index."""
        if index:
            return sum(1 for _ in self.version.table(kind).entries[index].positions(key))
        return len(self.version.table(kind).documents)

    @property
    def end(self) -> str:
        """The cursor after the last entry of the log in this version."""
        return str(self._log.end)

    def entries(self, after: str) -> Iterator[tuple[str, Document]]:
        """Yield the entries of the log after a cursor, each with the cursor after it. Raises ValueError or Expired."""
        return self._log.entries(after)


class Transaction(View):
    """The writer: a fork of a base version, and the positions that were changed."""

    def __init__(self, base: Version, log: Log) -> None:
        super().__init__(base.fork(), log)
        self.base = base
        self._read: dict[tuple[str, int], StoredDocument] = {}  # likely to be replaced, so decoded only once
        self._changed: dict[tuple[str, int], None] = {}
        self.entry: bytes | None = None

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""
        table = self.version.table(kind)
        position = table.ids.get(id)
        if position is None:
            return None
        if (kind, position) not in self._read:
            self._read[kind, position] = StoredDocument(table.documents.get(position), decode)
        return self._read[kind, position]

    def insert(self, kind: str, *documents: Document) -> None:
        """Add documents, or none. Raises Duplicate."""
        if not kind or kind == META:
            raise ValueError(f"{kind!r} is not a valid kind")
        for number, document in enumerate(documents):
            try:
                self._apply(kind, self.version.table(kind).last + 1, document)
            except Duplicate:
                self.delete(kind, *(one["id"] for one in documents[:number]))
                raise

    def replace(self, kind: str, document: Document) -> None:
        """Replace the document with the same id. Raises Missing, Duplicate."""
        self._apply(kind, self.position(kind, document["id"]), document)

    def delete(self, kind: str, *ids: str) -> None:
        """Delete documents. Raises Missing."""
        table = self.version.table(kind)
        positions = [table.position(id) for id in ids]
        self.version.drop(kind, positions)
        for position in positions:
            self._read.pop((kind, position), None)
            self._changed[kind, position] = None

    def append(self, entry: Document) -> None:
        """Append the entry of this transaction to the log. Raises RuntimeError if it has one."""
        if self.entry is not None:
            raise RuntimeError("the transaction has an entry already")
        self.entry = encode(entry)

    def _apply(self, kind: str, position: int, document: Document | None) -> None:
        read = self._read.pop((kind, position), None)
        self.version.apply(kind, position, document, read.data if read else None, check=True)
        self._changed[kind, position] = None
        if len(self._changed) % SLICE == 0:
            sleep(0)

    def changes(self) -> list[Written]:
        """Return the changes of the transaction, in order."""
        return [(kind, position, self.version.table(kind).documents.get(position)) for kind, position in self._changed]
