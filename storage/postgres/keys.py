"""The bytes that stand for kinds, ids and index keys, and the entries of a document in the declared indexes."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from storage.base import Document, Index

LONGEST = 2_000  # bytes of a text that are kept as they are: a B-tree has no entry above about 2,700
NO_KEY = b"\xff"  # of a document without a key in an index: it sorts behind every text


class Entry(NamedTuple):
    """The number of an index, a key of a document in it, and whether no other document may have that key."""

    number: int
    key: bytes
    is_unique: bool


def as_bytes(text: str) -> bytes:
    """Return the bytes for a text; they sort as the text does, except that long ones end in a digest."""
    data = text.encode("utf-8", "surrogatepass")
    return data if len(data) <= LONGEST else data[:LONGEST] + sha256(data).digest()


class DeclaredIndexes:
    """The indexes of a store, each with the number of its entries. `stamp` is the same for the same indexes."""

    def __init__(self, numbered: Iterable[tuple[int, Index]], stamp: str) -> None:
        self.stamp = stamp
        self._by_name = {(index.kind, index.name): (number, index) for number, index in numbered}
        self._names = {number: index.name for number, index in self._by_name.values()}
        self._by_kind: dict[str, list[tuple[int, Index]]] = {}
        for number, index in self._by_name.values():
            self._by_kind.setdefault(index.kind, []).append((number, index))

    def number(self, kind: str, name: str) -> int:
        """Return the number of an index. Raises KeyError if it is not declared."""
        return self._by_name[kind, name][0]

    def name(self, number: int) -> str:
        """Return the name of an index."""
        return self._names[number]

    def of_kind(self, kind: str) -> list[tuple[int, Index]]:
        """Return the indexes of a kind with their numbers."""
        return self._by_kind.get(kind, [])

    def entries(self, kind: str, document: Document) -> dict[Entry, str]:
        """Return the entries of a document in all indexes, each with its key as text."""
        found: dict[Entry, str] = {}
        for number, index in self.of_kind(kind):
            found |= entries_in(number, index, document)
        return found


def entries_in(number: int, index: Index, document: Document) -> dict[Entry, str]:
    """Return the entries of a document in an index: one for each key, or one that says that there is no key."""
    keys = index.keys(document)
    return {Entry(number, as_bytes(key), index.unique): key for key in keys} or {Entry(number, NO_KEY, False): ""}
