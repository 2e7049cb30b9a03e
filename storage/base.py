"""The interface of a store.

It knows JSON documents, and indexes that its user declares over them; no filter, HTTP or SCIM. Every store passes
tests/storage/test_contract*.py.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Document = dict[str, Any]
"""Plain JSON with a string "id". Callers never change one in place: a store may return the object that it keeps."""


class StoredDocument:
    """A document as its store keeps it, decoded when `data` is first read.

    `raw` is hashable. Documents of a kind with equal `raw` are equal.
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
    """An index that the store maintains, from keys to the documents of one kind that have them.

    If all keys come from one member of the document, `member` names it: the store need not compute the keys again while
    it is unchanged. `definition` differs wherever `keys` would return other keys for the same document: a store that
    keeps the entries of an index builds it again then.
    """

    kind: str
    name: str
    keys: Callable[[Document], Iterable[str]]
    unique: bool = False
    member: str = ""
    definition: str = ""


class StoreError(Exception):
    """A store could not do what it was asked."""


class Missing(StoreError):
    """No document of this kind has this id."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"no {kind} has the id {id!r}")
        self.kind, self.id = kind, id


class Duplicate(StoreError):
    """Another document of this kind has the key in a unique index, or the id if `index` is "id"."""

    def __init__(self, kind: str, index: str, key: str) -> None:
        super().__init__(f"another {kind} has the {index} {key!r}")
        self.kind, self.index, self.key = kind, index, key


class Unavailable(StoreError):
    """The store cannot be read or written now, and nothing changed. `full` is true if the disk is full.

    If `is_unknown` is true, the transaction may have been committed all the same.
    """

    def __init__(self, reason: str, *, full: bool = False, is_unknown: bool = False) -> None:
        super().__init__(reason)
        self.full, self.is_unknown = full, is_unknown


class Busy(StoreError):
    """Another process, or another thread of this one, does this work."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is being done elsewhere")
        self.name = name


class Expired(StoreError):
    """The log does not have everything that came after a cursor."""


class Removed(Expired):
    """All entries that are kept come after the cursor, so a reader that lost the others goes on with the oldest."""


class StoreCorrupted(StoreError):
    """A file is damaged; the message names the file, the line and the remedy."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a store keeps its log at least, and up to how many bytes. By default it keeps nothing."""

    days: float = 0
    bytes: int = 0


NOTHING = Retention()


class Reader(Protocol):
    """One consistent version: all transactions that had committed when the reader was opened."""

    is_remote: bool
    """Whether each call is a round trip to a server, so that `prefetch` is worth its work."""

    @property
    def version(self) -> object:
        """An object that two readers share (`is`) only if nothing was written between them."""

    def prefetch(self, kind: str, keys: Collection[str], index: str = "") -> None:
        """Read at once what `get` of these ids, or `lookup` of these keys in an index, will return.

        At most a few thousand documents are kept for that, and a change of one may drop them.
        """

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""

    def lookup(self, kind: str, index: str, key: str) -> Iterator[StoredDocument]:
        """Yield the documents that have the key in the index, in order of creation."""

    def scan(self, kind: str, *, after: int = 0, offset: int = 0, limit: int | None = None) -> Iterator[StoredDocument]:
        """Yield documents in order of creation, from the first whose position is above `after`."""

    def scan_sorted(
        self, kind: str, index: str, *, descending: bool = False, offset: int = 0, limit: int | None = None
    ) -> Iterator[StoredDocument]:
        """Yield documents in order of their key in the index, of which each has at most one.

        Documents without a key come last, or first if the order is descending. Equal keys are in order of creation.
        """

    def kinds(self) -> list[str]:
        """Return the kinds that have documents, in order."""

    def position(self, kind: str, id: str) -> int:
        """Return the position in order of creation, from 1 on; none is used twice. Raises Missing."""

    def count(self, kind: str, index: str = "", key: str = "") -> int:
        """Return how many documents of the kind there are, or how many have the key in an index."""

    @property
    def end(self) -> str:
        """The cursor after the last entry of the log in this version."""

    def entries(self, after: str) -> Iterator[tuple[str, Document]]:
        """Yield the entries of the log after a cursor, each with the cursor after it, in the order of their commits.

        The empty cursor stands for the oldest entry that is kept. A cursor consists of letters, digits and hyphens.
        Raises Expired if entries after the cursor were removed, or if a transaction after it has changed documents
        without an entry. Raises ValueError if the text is not a cursor of this kind of store.
        """


class Writer(Reader, Protocol):
    """A reader that sees its own changes; others see them once the transaction has committed."""

    def insert(self, kind: str, *documents: Document) -> None:
        """Add documents, or none: raises Duplicate if one has an id or a unique key that another one has."""

    def replace(self, kind: str, document: Document) -> None:
        """Replace the document with the same id. Raises Missing, Duplicate."""

    def delete(self, kind: str, *ids: str) -> None:
        """Delete documents. Raises Missing before any is deleted."""

    def append(self, entry: Document) -> None:
        """Append the entry of this transaction to the log. It is kept if the changes are, and only readers see it.

        Raises RuntimeError if the transaction has an entry already.
        """


class State(Protocol):
    """A small JSON object beside the documents, shared by all threads, processes and hosts of the store."""

    def read(self) -> Document:
        """Return the object, which is empty at first. Callers never change it. Raises Unavailable."""

    def changing(self) -> AbstractContextManager[Document]:
        """Yield a copy that replaces the object unless there is an exception; changes are made one at a time.

        Raises Unavailable, or OSError if the object is a file of this host.
        """


class Store(Protocol):
    """Keeps documents. The constructor does no I/O, so that `open` can be called after a fork."""

    @property
    def read_only(self) -> str:
        """Return why the store refuses writes, or an empty text."""

    def open(self, indexes: Iterable[Index]) -> None:
        """Open the store with these indexes, unless it is open. Raises StoreCorrupted, Unavailable."""

    def reading(self) -> AbstractContextManager[Reader]:
        """Open a reader."""

    def writing(self) -> AbstractContextManager[Writer]:
        """Open the one writer: all its changes are kept or, after an exception, none. Raises Unavailable."""

    def exclusive(self, name: str) -> AbstractContextManager[Callable[[], bool]]:
        """Do the work of this name alone among all threads, processes and hosts of the store.

        Yields a function that returns whether that is still so: a connection to a server may be lost meanwhile. The
        end of the process ends the work. Raises Busy at once if another does it, and Unavailable.
        """

    def state(self, name: str) -> State:
        """Return the object of a name, which is not part of any version."""

    def close(self) -> None:
        """Release files and threads."""
