"""Maps that share what they have in common: a fork, and a change to it, cost the same whatever their size.

A map is a list of small dictionaries, its parts. A fork shares them all, and from then on either side copies
a part before it writes to it, so that whoever reads the other goes on undisturbed.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Generic, Self, TypeVar

K = TypeVar("K")
V = TypeVar("V")

SPAN = 512  # positions to a page, buckets to a map: near the root of 100,000, so that both copies are short


class _Parts(Generic[K, V]):
    """The parts of a map, and which of them are its own to change."""

    __slots__ = ("_own", "_parts")

    def __init__(self, parts: int) -> None:
        self._parts: list[dict[K, V]] = [{}] * parts
        self._own: set[int] | None = set()

    def fork(self) -> Self:
        """Return a map that starts out equal and can be changed alone."""
        copy = type(self).__new__(type(self))
        copy._parts, copy._own = self._parts, None
        self._own = None
        return copy

    def _writable(self, number: int) -> dict[K, V]:
        if self._own is None:
            self._parts, self._own = self._parts.copy(), set()
        elif number in self._own:
            return self._parts[number]
        while number >= len(self._parts):
            self._parts.append({})
        self._own.add(number)
        part = self._parts[number] = self._parts[number].copy()
        return part


class Buckets(_Parts[str, V]):
    """Values by key, in no order."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(SPAN)

    def get(self, key: str) -> V | None:
        """Return the value of the key, or None."""
        return self._parts[hash(key) % SPAN].get(key)

    def set(self, key: str, value: V | None) -> None:
        """Give the key this value; None takes it away."""
        bucket = self._writable(hash(key) % SPAN)
        if value is None:
            bucket.pop(key, None)
        else:
            bucket[key] = value


class Pages(_Parts[int, V]):
    """Values by position, in order of position."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        super().__init__(0)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def fork(self) -> Self:
        """Return pages that start out equal and can be changed alone."""
        copy = super().fork()
        copy._count = self._count
        return copy

    def get(self, position: int) -> V | None:
        """Return the value at the position, or None."""
        number = position // SPAN
        return self._parts[number].get(position) if number < len(self._parts) else None

    def set(self, position: int, value: V) -> None:
        """Put the value at the position."""
        page = self._writable(position // SPAN)
        new = position not in page
        in_order = not new or not page or position > next(reversed(page))
        self._count += new
        page[position] = value
        if not in_order:
            self._parts[position // SPAN] = dict(sorted(page.items()))

    def discard(self, position: int) -> None:
        """Take away what is at the position, if anything is."""
        page = self._writable(position // SPAN)
        self._count -= position in page
        page.pop(position, None)

    def items(self, after: int = 0, offset: int = 0) -> Iterator[tuple[int, V]]:
        """Yield positions above `after` with their values, but for the first `offset` of them."""
        first = (after + 1) // SPAN
        pages = self._parts[first:]
        head = {place: value for place, value in pages[0].items() if place > after} if pages else {}
        for page in chain([head], pages[1:]):
            if offset < len(page):
                yield from islice(page.items(), offset, None)
            offset = max(offset - len(page), 0)


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
