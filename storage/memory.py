"""The reference store: dictionaries behind one lock."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from threading import RLock

from storage.base import Busy, Document, Duplicate, Expired, Index, Missing, StoredDocument
from storage.state import MemoryState


class _Table:
    """The documents of one kind, by id, with their positions and their indexes."""

    def __init__(self, indexes: Iterable[Index]) -> None:
        self.documents: dict[int, Document] = {}
        self.raws: dict[int, object] = {}  # new with each write of the document
        self.positions: dict[str, int] = {}
        self.last = 0
        self.indexes = {index.name: index for index in indexes}
        self.entries: dict[str, dict[str, dict[int, None]]] = {name: {} for name in self.indexes}

    def stored(self, position: int) -> StoredDocument:
        """Return the document at the position."""
        document = self.documents[position]
        return StoredDocument(self.raws[position], lambda _: document)

    def put(self, position: int, document: Document) -> None:
        """Write the document at its position. Raises Duplicate before anything has changed."""
        self._check(position, document)
        self.drop(position)
        self.documents[position], self.raws[position] = document, object()
        self.positions[document["id"]] = position
        self.last = max(self.last, position)
        for name, index in self.indexes.items():
            for key in index.keys(document):
                self.entries[name].setdefault(key, {})[position] = None

    def drop(self, position: int) -> None:
        """Delete the document at the position, if there is one."""
        document = self.documents.pop(position, None)
        if document is None:
            return
        del self.positions[document["id"]]
        for name, index in self.indexes.items():
            for key in index.keys(document):
                self.entries[name].get(key, {}).pop(position, None)
                if not self.entries[name].get(key, True):
                    del self.entries[name][key]

    def _check(self, position: int, document: Document) -> None:
        for name, index in self.indexes.items():
            if index.unique:
                for key in index.keys(document):
                    if any(other != position for other in self.entries[name].get(key, ())):
                        raise Duplicate(index.kind, name, key)


class _Log:
    """The entries of all transactions, which are never removed."""

    def __init__(self) -> None:
        self.last = self.gap = 0  # numbers of transactions: the last one, and the last one without an entry
        self.entries: list[tuple[int, Document]] = []

    def add(self, entry: Document | None) -> None:
        """Add a transaction with its entry, or without one."""
        self.last += 1
        if entry is None:
            self.gap = self.last
        else:
            self.entries.append((self.last, entry))

    def after(self, cursor: str) -> Iterator[tuple[str, Document]]:
        """Return the entries after a cursor. Raises ValueError or Expired."""
        if not re.fullmatch("[0-9]{0,18}", cursor):
            raise ValueError("this is not a cursor")
        number = int(cursor or 0)
        if cursor and not self.gap <= number <= self.last:
            raise Expired("the log does not have everything after this cursor")
        return iter([(str(last), entry) for last, entry in self.entries if last > number])


class MemoryStore:
    """Keeps documents in the memory of this process, for tests."""

    read_only = ""
    is_remote = False

    def __init__(self) -> None:
        self._lock = RLock()
        self._exclusive: set[str] = set()
        self._states: dict[str, MemoryState] = {}
        self._indexes: list[Index] = []
        self._tables: dict[str, _Table] = {}
        self._undo: list[Callable[[], object]] | None = None
        self._log = _Log()
        self._entry: Document | None = None
        self.version = object()

    def open(self, indexes: Iterable[Index]) -> None:
        """Declare the indexes, unless the store is open."""
        self._indexes = self._indexes or list(indexes)

    def close(self) -> None:
        """Do nothing: there are no files or threads to release."""

    @contextmanager
    def reading(self) -> Iterator["MemoryStore"]:
        """Hold the lock, so that no other thread writes meanwhile."""
        with self._lock:
            yield self

    @contextmanager
    def writing(self) -> Iterator["MemoryStore"]:
        """Hold the lock, and undo every change if an exception ends the transaction."""
        with self._lock:
            self._undo, self._entry = [], None
            self.version = object()
            try:
                yield self
                if self._undo or self._entry:
                    self._log.add(self._entry)
            except BaseException:
                for undo in reversed(self._undo):
                    undo()
                raise
            finally:
                self._undo = None

    @contextmanager
    def exclusive(self, name: str) -> Iterator[Callable[[], bool]]:
        """Keep other threads from the work of this name. Raises Busy."""
        with self._lock:
            if name in self._exclusive:
                raise Busy(name)
            self._exclusive.add(name)
        try:
            yield lambda: True
        finally:
            self._exclusive.remove(name)

    def state(self, name: str) -> MemoryState:
        """Return the object of a name."""
        return self._states.setdefault(name, MemoryState())

    def prefetch(self, kind: str, keys: Collection[str], index: str = "") -> None:
        """Do nothing: everything is in memory."""

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""
        table = self._table(kind)
        position = table.positions.get(id)
        return None if position is None else table.stored(position)

    def lookup(self, kind: str, index: str, key: str) -> Iterator[StoredDocument]:
        """Yield the documents that have the key in the index, in order of creation."""
        table = self._table(kind)
        return iter([table.stored(position) for position in sorted(table.entries[index].get(key, ()))])

    def scan(self, kind: str, *, after: int = 0, offset: int = 0, limit: int | None = None) -> Iterator[StoredDocument]:
        """Yield documents in order of creation, from the first whose position is above `after`."""
        table = self._table(kind)
        positions = [position for position in sorted(table.documents) if position > after]
        stop = None if limit is None else offset + limit
        return iter([table.stored(position) for position in islice(positions, offset, stop)])

    def scan_sorted(
        self, kind: str, index: str, *, descending: bool = False, offset: int = 0, limit: int | None = None
    ) -> Iterator[StoredDocument]:
        """Yield documents in order of their key in the index, of which each has at most one."""
        table = self._table(kind)
        keys = {position: key for key, positions in table.entries[index].items() for position in positions}
        order = sorted(sorted(table.documents), key=lambda at: (at not in keys, keys.get(at, "")), reverse=descending)
        return iter(
            [table.stored(position) for position in islice(order, offset, None if limit is None else offset + limit)]
        )

    def kinds(self) -> list[str]:
        """Return the kinds that have documents, in order."""
        return sorted(kind for kind, table in self._tables.items() if table.documents)

    def position(self, kind: str, id: str) -> int:
        """Return the position in order of creation. Raises Missing."""
        try:
            return self._table(kind).positions[id]
        except KeyError:
            raise Missing(kind, id) from None

    def count(self, kind: str, index: str = "", key: str = "") -> int:
        """Return how many documents of the kind there are, or how many have the key in an index."""
        if index:
            return len(self._table(kind).entries[index].get(key, ()))
        return len(self._table(kind).documents)

    @property
    def end(self) -> str:
        """The cursor after the last entry of the log."""
        return str(self._log.last)

    def entries(self, after: str) -> Iterator[tuple[str, Document]]:
        """Return the entries of the log after a cursor. Raises ValueError or Expired."""
        return self._log.after(after)

    def insert(self, kind: str, *documents: Document) -> None:
        """Add documents, or none. Raises Duplicate."""
        for number, document in enumerate(documents):
            try:
                self._insert(kind, document)
            except Duplicate:
                self.delete(kind, *(one["id"] for one in documents[:number]))
                raise

    def _insert(self, kind: str, document: Document) -> None:
        table = self._table(kind)
        if document["id"] in table.positions:
            raise Duplicate(kind, "id", document["id"])
        position = table.last + 1
        table.put(position, document)
        self._on_rollback(lambda: table.drop(position))

    def replace(self, kind: str, document: Document) -> None:
        """Replace the document with the same id. Raises Missing, Duplicate."""
        table, position = self._table(kind), self.position(kind, document["id"])
        before = table.documents[position]
        table.put(position, document)
        self._on_rollback(lambda: table.put(position, before))

    def delete(self, kind: str, *ids: str) -> None:
        """Delete documents. Raises Missing before any is deleted."""
        for position in [self.position(kind, id) for id in ids]:
            self._drop(self._table(kind), position)

    def append(self, entry: Document) -> None:
        """Append the entry of this transaction to the log. Raises RuntimeError if it has one."""
        if self._undo is None or self._entry is not None:
            raise RuntimeError("an entry needs a transaction of its own")
        self._entry = entry

    def _drop(self, table: _Table, position: int) -> None:
        before = table.documents[position]
        table.drop(position)
        self._on_rollback(lambda: table.put(position, before))

    def _table(self, kind: str) -> _Table:
        if kind not in self._tables:
            self._tables[kind] = _Table(index for index in self._indexes if index.kind == kind)
        return self._tables[kind]

    def _on_rollback(self, undo: Callable[[], object]) -> None:
        if self._undo is None:
            raise RuntimeError("a change needs a transaction: use writing()")
        self._undo.append(undo)
