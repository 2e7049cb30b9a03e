"""Maps that share what they have in common: a fork, and a change to it, cost the same whatever their size.

A map is a list of small dictionaries, its parts. A fork shares them all, and from then on either side copies
a part before it writes to it, so that whoever reads the other goes on undisturbed.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Generic, Self, TypeVar

K = TypeVar("K")
V = TypeVar("V")

SPAN = (
    512  # positions to a page and buckets to a map: near the square root of 100,000, so that copies are short
)


class _Parts(Generic[K, V]):
    """The parts of a map, and which of them are its own to change."""

    __slots__ = ("_own", "_parts", "count")

    def __init__(self, parts: int) -> None:
        self._parts: list[dict[K, V]] = [{}] * parts
        self._own: set[int] | None = set()
        self.count = 0

    def fork(self) -> Self:
        """Return a map that starts out equal and can be changed alone."""
        copy = type(self).__new__(type(self))
        copy._parts, copy._own, copy.count = self._parts, None, self.count
        self._own = None
        return copy

    def __len__(self) -> int:
        return self.count

    def _writable(self, number: int) -> dict[K, V]:
        if self._own is None:
            self._parts, self._own = self._parts.copy(), set()
        while number >= len(self._parts):
            self._parts.append({})
        if number not in self._own:
            self._parts[number] = self._parts[number].copy()
            self._own.add(number)
        return self._parts[number]

    def _set(self, number: int, key: K, value: V) -> dict[K, V]:
        part = self._writable(number)
        self.count += key not in part
        part[key] = value
        return part

    def _discard(self, number: int, key: K) -> None:
        part = self._writable(number)
        self.count -= key in part
        part.pop(key, None)


class Buckets(_Parts[str, V]):
    """Values by key, in no order."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(SPAN)

    def get(self, key: str) -> V | None:
        """Return the value of the key, or None."""
        return self._parts[hash(key) % SPAN].get(key)

    def set(self, key: str, value: V) -> None:
        """Give the key this value."""
        self._set(hash(key) % SPAN, key, value)

    def discard(self, key: str) -> None:
        """Take the key away, if it is there."""
        self._discard(hash(key) % SPAN, key)


class Pages(_Parts[int, V]):
    """Values by position, in order of position."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(0)

    def get(self, position: int) -> V | None:
        """Return the value at the position, or None."""
        number = position // SPAN
        return self._parts[number].get(position) if number < len(self._parts) else None

    def set(self, position: int, value: V) -> None:
        """Put the value at the position."""
        number = position // SPAN
        page = self._writable(number)
        in_order = position in page or not page or position > next(reversed(page))
        self._set(number, position, value)
        if not in_order:
            self._parts[number] = dict(sorted(page.items()))

    def discard(self, position: int) -> None:
        """Take away what is at the position, if anything is."""
        self._discard(position // SPAN, position)

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
