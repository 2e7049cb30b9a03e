"""One version of all documents: a table for each kind, with its indexes.

Documents are kept as JSON text: it takes a third of the memory of dictionaries, the garbage collector skips it, and
no caller can change it by accident.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from time import sleep
from typing import Any, Self

from storage.base import Document, Duplicate, Index, Missing, StoredDocument
from storage.engine.cow import Buckets, Entries, Pages
from storage.engine.encoding import decode, encode

SLICE = 512  # changes after which a long operation releases the interpreter to other threads
META = "_tinyscim"  # the snapshot's table of metadata, which has no documents

Change = tuple[str, int, Document | None]
"""A kind, a position, and the document there now, None if it was deleted."""

Written = tuple[str, int, bytes | None]
"""The same, with the document as JSON."""

KeyChanges = tuple[Index, Iterable[str], Iterable[str]]
"""An index, and the keys that a document gains and loses in it."""


def unindexed(indexes: Iterable[Index], kind: str, document: Document) -> str | None:
    """Return a message if an index fails on the document, else None."""
    for index in indexes:
        try:
            if index.kind == kind:
                set(index.keys(document))
        except Exception as error:
            return f"{kind} {document.get('id')!r} is not of the form that {index.name} needs ({error!r})"
    return None


class Table:
    """The documents of one kind by position, their positions by id, and the entries of their indexes."""

    def __init__(self, kind: str, indexes: Iterable[Index]) -> None:
        self.kind = kind
        self.last = 0
        self.indexes = [index for index in indexes if index.kind == kind]
        self.documents: Pages[bytes] = Pages()
        self.ids: Buckets[int] = Buckets()
        self.entries: dict[str, Entries] = {index.name: Entries() for index in self.indexes}
        self._own = set(self.entries)  # the indexes whose entries are not shared with another table

    def fork(self) -> Self:
        """Return a table that starts out equal and can be changed alone."""
        table = type(self).__new__(type(self))
        table.kind, table.last, table.indexes = self.kind, self.last, self.indexes
        table.documents, table.ids = self.documents.fork(), self.ids.fork()
        table.entries, table._own, self._own = self.entries, set(), set()
        return table

    def get(self, position: int) -> Document | None:
        """Return the document at the position, or None."""
        raw = self.documents.get(position)
        return None if raw is None else decode(raw)

    def find(self, id: str) -> StoredDocument | None:
        """Return the document with the id, or None."""
        position = self.ids.get(id)
        return None if position is None else StoredDocument(self.documents.get(position), decode)

    def position(self, id: str) -> int:
        """Return the position of the document with the id. Raises Missing."""
        position = self.ids.get(id)
        if position is None:
            raise Missing(self.kind, id)
        return position

    def lookup(self, index: str, key: str) -> Iterator[StoredDocument]:
        """Return the documents that have the key in the index, in order of creation; later writes do not show."""
        positions = self.entries[index].positions(key)
        if isinstance(positions, tuple):  # so few that they are read at once
            return iter([StoredDocument(self.documents.get(position), decode) for position in positions])
        documents = self.documents.fork()
        return (StoredDocument(documents.get(position), decode) for position in positions)

    def scan(self, after: int = 0, offset: int = 0, limit: int | None = None) -> Iterator[StoredDocument]:
        """Return documents in order of creation; later writes do not show."""
        rows = self.documents.fork().items(after, offset)
        return (StoredDocument(raw, decode) for _, raw in islice(rows, limit))

    def scan_sorted(self, index: str, descending: bool, offset: int, limit: int | None) -> Iterator[StoredDocument]:
        """Return documents in order of their key in the index; later writes do not show."""
        groups, documents = self.entries[index].sorted_positions(), self.documents.fork()
        missing = _without(documents, groups)
        ordered = chain([missing], reversed(groups)) if descending else chain(groups, [missing])
        positions = islice(chain.from_iterable(ordered), offset, None if limit is None else offset + limit)
        return (StoredDocument(documents.get(position), decode) for position in positions)

    def put(self, position: int, document: Document, before: Document | None = None, *, check: bool = False) -> None:
        """Write the document at the position, and update its index entries.

        `before` is the document that it replaces, if the caller has it. With `check`, raises Duplicate if another
        document has the id, or a key in a unique index.
        """
        before = before or self.get(position)
        if check:
            self._check_id(position, document)
        if before is None:
            if check:
                self._check_keys((index, index.keys(document), ()) for index in self.indexes if index.unique)
            self.add(position, document, encode(document))
            return
        changes = [_key_changes(index, before, document) for index in self._affected(before, document)]
        if check:
            self._check_keys(changes)
        self.documents.set(position, encode(document))
        self.last = max(self.last, position)
        if before["id"] != document["id"]:
            if self.ids.get(before["id"]) == position:
                self.ids.set(before["id"], None)
            self.ids.set(document["id"], position)
        self._update_entries(position, changes)

    def _check_id(self, position: int, document: Document) -> None:
        id = document.get("id")
        if not isinstance(id, str):
            raise TypeError(f'a document needs an "id" that is a string, not {id!r}')
        if self.ids.get(id) not in (None, position):
            raise Duplicate(self.kind, "id", id)

    def _check_keys(self, changes: Iterable[KeyChanges]) -> None:
        for index, gained, _ in changes:
            for key in gained if index.unique else ():
                if self.entries[index.name].get(key) is not None:
                    raise Duplicate(self.kind, index.name, key)

    def _update_entries(self, position: int, changes: Iterable[KeyChanges]) -> None:
        for index, gained, lost in changes:
            for key in gained:
                self._writable(index).add(key, position, (position,))
            if lost:
                self._writable(index).remove_all((key, position) for key in lost)

    def _affected(self, before: Document, after: Document) -> list[Index]:
        """Return the indexes in which a document's keys may change."""
        members = {index.member for index in self.indexes if index.member}
        unchanged = {member for member in members if _is_same_json(before.get(member), after.get(member))}
        return [index for index in self.indexes if index.member not in unchanged]

    def _writable(self, index: Index) -> Entries:
        """Return the entries of an index, copied first if they are shared."""
        if index.name not in self._own:
            self.entries = {**self.entries, index.name: self.entries[index.name].fork()}
            self._own.add(index.name)
        return self.entries[index.name]

    def add(self, position: int, document: Document, raw: bytes) -> None:
        """Insert a document, with its JSON, at a new position, without checks."""
        lone = (position,)
        # Escaped characters take more memory than others.
        self.documents.set(position, encode(document) if b"\\u" in raw else raw)
        self.ids.set(document["id"], position)
        self.last = max(self.last, position)
        for index in self.indexes:
            entries = self._writable(index)
            for key in index.keys(document):
                entries.add(key, position, lone)

    def drop(self, positions: Iterable[int]) -> None:
        """Delete the documents at the positions, if there are any; the positions are not used again."""
        rows = [(position, self.get(position)) for position in positions]
        self.last = max(self.last, *(position for position, _ in rows))
        there = [(position, before) for position, before in rows if before]
        self.documents.discard_all(position for position, _ in there)
        for _, before in there:
            self.ids.set(before["id"], None)
        for index in self.indexes:
            gone = ((key, position) for position, before in there for key in set(index.keys(before)))
            self._writable(index).remove_all(gone)


def _key_changes(index: Index, before: Document, after: Document) -> KeyChanges:
    """Return the index, and the keys that a document gains and loses in it."""
    had, has = index.keys(before), index.keys(after)
    if had == has:
        return index, (), ()
    had, has = set(had), set(has)
    return index, has - had, had - has


def _is_same_json(one: Any, other: Any) -> bool:
    """Return whether two members have the same JSON; 1 and True are equal but have not."""
    return one is other or (one == other and (isinstance(one, str) or encode(one) == encode(other)))


def _without(documents: Pages[bytes], groups: Collection[Iterable[int]]) -> list[int]:
    """Return the positions of the documents that are in no group."""
    if len(groups) == len(documents):  # the common case: unique, and each document has a key
        return []
    grouped = set(chain.from_iterable(groups))
    return [position for position, _ in documents.items() if position not in grouped]


class Version:
    """The tables of all kinds. A fork copies a table before its first change to it."""

    def __init__(self, indexes: Iterable[Index]) -> None:
        self.indexes = list(indexes)
        self._tables: dict[str, Table] = {}
        self._own: set[str] = set()

    def fork(self) -> "Version":
        """Return a version that starts out equal and can be changed alone."""
        version = Version(self.indexes)
        version._tables = self._tables.copy()
        return version

    def table(self, kind: str) -> Table:
        """Return the table of the kind, to read."""
        return self._tables.get(kind) or Table(kind, self.indexes)

    def writable(self, kind: str) -> Table:
        """Return the table of the kind, to change."""
        if kind not in self._own:
            self._tables[kind] = self.table(kind).fork()
            self._own.add(kind)
        return self._tables[kind]

    def apply(
        self,
        kind: str,
        position: int,
        document: Document | None,
        before: Document | None = None,
        *,
        check: bool = False,
    ) -> None:
        """Write the document at the position as `Table.put` does, or delete it if `document` is None."""
        if document is None:
            self.drop(kind, [position])
        else:
            self.writable(kind).put(position, document, before, check=check)

    def drop(self, kind: str, positions: Iterable[int]) -> None:
        """Delete the documents at the positions."""
        rest = iter(positions)
        while part := list(islice(rest, SLICE)):
            self.writable(kind).drop(part)
            if len(part) == SLICE:
                sleep(0)

    def tables(self) -> dict[str, Table]:
        """Return all tables by kind."""
        return dict(self._tables)
