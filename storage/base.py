"""The border between the protocol and its storage.

Plain JSON documents cross it, with the indexes that the protocol declares over them; no filter, no HTTP and
no SCIM term does. Every store passes tests/storage/test_contract.py.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Document = dict[str, Any]
"""Plain JSON with a string "id". Whoever holds one never changes it: stores hand out what they keep."""


class StoredDocument:
    """A document as its store keeps it, decoded when `data` is first read.

    `raw` is hashable and, within one version, differs from that of every other document of the kind.
    """

    __slots__ = ("_data", "_decode", "raw")

    def __init__(self, raw: Hashable, decode: Callable[[Any], Document]) -> None:
        self.raw, self._decode = raw, decode
        self._data: Document | None = None

    @property
    def data(self) -> Document:
        """The document itself."""
        if self._data is None:
            self._data = self._decode(self.raw)
        return self._data


@dataclass(frozen=True, slots=True)
class Index:
    """A look-up that the store keeps up to date: from a key to the documents of one kind that have it.

    `member` is the one member of a document that all its keys come from, if there is one: while it stays as it is, the
    store need not compute the keys again.
    """

    kind: str
    name: str
    keys: Callable[[Document], Iterable[str]]
    unique: bool = False
    member: str = ""


class StoreError(Exception):
    """What a store could not do."""


class Missing(StoreError):
    """There is no document of this kind with this id."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"no {kind} has the id {id!r}")
        self.kind, self.id = kind, id


class Duplicate(StoreError):
    """Another document of this kind has the key in the unique index, or the id where `index` is "id"."""

    def __init__(self, kind: str, index: str, key: str) -> None:
        super().__init__(f"another {kind} has the {index} {key!r}")
        self.kind, self.index, self.key = kind, index, key


class Unavailable(StoreError):
    """The write was not taken and nothing changed; `full` where it is for want of room."""

    def __init__(self, reason: str, *, full: bool = False) -> None:
        super().__init__(reason)
        self.full = full


class StoreCorrupted(StoreError):
    """The files cannot be trusted; the message names the file, the place in it and the remedy."""


class Reader(Protocol):
    """One consistent state: the whole of every transaction that had committed when it was opened."""

    @property
    def version(self) -> object:
        """An object that two readers share (`is`) only if nothing was written between them."""

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""

    def lookup(self, kind: str, index: str, key: str) -> Iterator[StoredDocument]:
        """Yield the documents that have the key in the index, in order of creation."""

    def scan(self, kind: str, *, after: int = 0, offset: int = 0, limit: int | None = None) -> Iterator[StoredDocument]:
        """Yield documents in order of creation, from the first whose position is above `after`."""

    def position(self, kind: str, id: str) -> int:
        """Return the place in order of creation, from 1 on and never given a second time. Raises Missing."""

    def count(self, kind: str) -> int:
        """Return how many documents of the kind there are."""


class Writer(Reader, Protocol):
    """A reader that sees its own changes, none of which anybody else sees before the transaction commits."""

    def insert(self, kind: str, document: Document) -> None:
        """Add a document. Raises Duplicate."""

    def replace(self, kind: str, document: Document) -> None:
        """Put the document in the place of the one with its id. Raises Missing, Duplicate."""

    def delete(self, kind: str, id: str) -> None:
        """Take the document away. Raises Missing."""


class Store(Protocol):
    """Keeps documents. Making one does no I/O; `open` does, so that it can come after a fork."""

    def open(self, indexes: Iterable[Index]) -> None:
        """Make ready for use, keeping these indexes, unless it is open. Raises Damaged, Unavailable."""

    def reading(self) -> AbstractContextManager[Reader]:
        """Open a reader."""

    def writing(self) -> AbstractContextManager[Writer]:
        """Open the one writer: all of it is kept (or Unavailable) or, after an exception, none."""

    def close(self) -> None:
        """Let go of files and threads."""
