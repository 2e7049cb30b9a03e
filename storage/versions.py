"""Maps that share what they have in common: a fork, and a change to it, cost the same whatever their size.

A map is a tree of two levels over small dictionaries, its parts. A fork shares all of it, and from then on
either side copies what it is about to change, so that whoever reads the other goes on undisturbed.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Generic, Self, TypeVar

K = TypeVar("K")
V = TypeVar("V")

FAN = 64  # parts to a node, and positions to a page
BUCKETS = 2048  # few entries to a bucket at 100,000: to copy one is to touch all that is in it
NODE = FAN * FAN  # positions to a node


class _Parts(Generic[K, V]):
    """The parts of a map, and which of them, and of the nodes, are its own to change."""

    __slots__ = ("_nodes", "_own_nodes", "_own_parts")

    def __init__(self, nodes: int) -> None:
        self._nodes: list[list[dict[K, V]]] = [[{}] * FAN] * nodes
        self._own_nodes: set[int] | None = set()
        self._own_parts: set[int] = set()

    def fork(self) -> Self:
        """Return a map that starts out equal and can be changed alone."""
        copy = type(self).__new__(type(self))
        copy._nodes, copy._own_nodes = self._nodes, None
        self._own_nodes = None
        return copy

    def _writable(self, number: int) -> dict[K, V]:
        """Return a part that is its own."""
        if self._own_nodes is None:
            self._nodes, self._own_nodes, self._own_parts = self._nodes.copy(), set(), set()
        node = self._own_node(number // FAN, self._own_nodes)
        if number not in self._own_parts:
            node[number % FAN] = node[number % FAN].copy()
            self._own_parts.add(number)
        return node[number % FAN]

    def _own_node(self, number: int, own: set[int]) -> list[dict[K, V]]:
        if number not in own:
            while number >= len(self._nodes):
                self._nodes.append([{}] * FAN)
            self._nodes[number] = self._nodes[number].copy()
            own.add(number)
        return self._nodes[number]


class Buckets(_Parts[str, V]):
    """Values by key, in no order."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(BUCKETS // FAN)

    def get(self, key: str) -> V | None:
        """Return the value of the key, or None."""
        number = hash(key) % BUCKETS
        return self._nodes[number // FAN][number % FAN].get(key)

    def set(self, key: str, value: V | None) -> None:
        """Give the key this value; None takes it away."""
        bucket = self._writable(hash(key) % BUCKETS)
        if value is None:
            bucket.pop(key, None)
        else:
            bucket[key] = value


class Pages(_Parts[int, V]):
    """Values by position, in order of position, with a count for each node."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        super().__init__(0)
        self._counts: list[int] = []

    def __len__(self) -> int:
        return sum(self._counts)

    def fork(self) -> Self:
        """Return pages that start out equal and can be changed alone."""
        copy = super().fork()
        copy._counts = self._counts.copy()
        return copy

    def get(self, position: int) -> V | None:
        """Return the value at the position, or None."""
        if position >= len(self._nodes) * NODE:
            return None
        return self._nodes[position // NODE][position // FAN % FAN].get(position)

    def set(self, position: int, value: V) -> None:
        """Put the value at the position."""
        page = self._writable(position // FAN)
        self._count(position // NODE, position not in page)
        in_order = not page or position in page or position > next(reversed(page))
        page[position] = value
        if not in_order:
            self._nodes[position // NODE][position // FAN % FAN] = dict(sorted(page.items()))

    def discard(self, position: int) -> None:
        """Take away what is at the position, if anything is."""
        page = self._writable(position // FAN)
        self._count(position // NODE, -(position in page))
        page.pop(position, None)

    def items(self, after: int = 0, offset: int = 0) -> Iterator[tuple[int, V]]:
        """Yield positions above `after` with their values, but for the first `offset` of them."""
        for number in range((after + 1) // NODE, len(self._nodes)):
            # A node that is to be left out whole need not be looked into.
            if offset >= self._counts[number] and after < max(number * NODE, 1):
                offset -= self._counts[number]
                continue
            for page in self._nodes[number]:
                rows = _above(page, after)
                yield from islice(rows.items(), offset, None)
                offset = max(offset - len(rows), 0)

    def _count(self, node: int, difference: int) -> None:
        self._counts += [0] * (len(self._nodes) - len(self._counts))
        self._counts[node] += difference


def _above(page: dict[int, V], after: int) -> dict[int, V]:
    if not page or next(iter(page)) > after:
        return page
    return {position: value for position, value in page.items() if position > after}


Entry = tuple[int, ...] | Pages[Any]
"""The positions that share a key, in order: a tuple while they are few, pages when they are many."""

FEW = 64


def added(entry: Entry | None, position: int, alone: tuple[int]) -> Entry:
    """Return the entry with the position; `alone`, the position alone, is shared by its lone entries."""
    if entry is None:
        return alone
    if isinstance(entry, tuple) and len(entry) < FEW:
        return tuple(sorted({*entry, position}))
    pages = entry.fork() if isinstance(entry, Pages) else _paged(entry)
    pages.set(position, None)
    return pages


def removed(entry: Entry | None, position: int) -> Entry | None:
    """Return the entry without the position, or None if nothing is left."""
    if isinstance(entry, Pages):
        pages = entry.fork()
        pages.discard(position)
        return pages if len(pages) else None
    return tuple(place for place in entry or () if place != position) or None


def positions(entry: Entry | None) -> Iterable[int]:
    """Return the positions of an entry, in order."""
    return (place for place, _ in entry.items()) if isinstance(entry, Pages) else entry or ()


def _paged(entry: tuple[int, ...]) -> Pages[None]:
    pages: Pages[None] = Pages()
    for place in entry:
        pages.set(place, None)
    return pages
