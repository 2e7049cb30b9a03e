"""Copy-on-write maps: a fork, and a change after it, cost the same at every size.

A map is a tree of two levels over small dictionaries, its parts. A fork shares all of them. From then on either side
copies a part before it changes it, so readers of the other side do not see the change.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice
from typing import Any, Generic, Self, TypeVar

K = TypeVar("K")
V = TypeVar("V")

FAN = 64  # parts to a node, and positions to a page
BUCKETS = 2048  # about 50 entries each at 100,000, since a change copies the bucket
NODE = FAN * FAN  # positions to a node


class _ForkableMap(Generic[K, V]):
    """The parts of a map, and which parts and nodes it shares with no fork and may change."""

    __slots__ = ("_nodes", "_own_nodes", "_own_parts")

    _own_nodes: set[int]

    def __init__(self, nodes: int) -> None:
        # The same empty part and node everywhere: a writer copies them first.
        self._nodes: list[list[dict[K, V]]] = [[{}] * FAN] * nodes
        self._own_parts: dict[int, dict[K, V]] = {}

    def fork(self) -> Self:
        """Return a map that starts out equal and can be changed alone."""
        copy = type(self).__new__(type(self))
        copy._nodes = self._nodes
        copy._own_parts, self._own_parts = {}, {}
        return copy

    def _writable(self, number: int) -> dict[K, V]:
        """Return a part, copied first if it is shared."""
        part = self._own_parts.get(number)
        return self._copy_part(number) if part is None else part

    def _copy_part(self, number: int) -> dict[K, V]:
        if not self._own_parts:
            self._copy_nodes()
        node = self._own_node(number // FAN)
        part = self._own_parts[number] = node[number % FAN] = node[number % FAN].copy()
        return part

    def _copy_nodes(self) -> None:
        self._nodes, self._own_nodes = self._nodes.copy(), set()

    def _own_node(self, number: int) -> list[dict[K, V]]:
        if number not in self._own_nodes:
            while number >= len(self._nodes):
                self._nodes.append([{}] * FAN)
            self._nodes[number] = self._nodes[number].copy()
            self._own_nodes.add(number)
        return self._nodes[number]


class Buckets(_ForkableMap[str, V]):
    """Values by key, unordered."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(BUCKETS // FAN)

    def get(self, key: str) -> V | None:
        """Return the value of the key, or None."""
        number = hash(key) % BUCKETS
        return self._nodes[number // FAN][number % FAN].get(key)

    def set(self, key: str, value: V | None) -> None:
        """Set the value of the key, or delete it if the value is None."""
        bucket = self._writable(hash(key) % BUCKETS)
        if value is None:
            bucket.pop(key, None)
        else:
            bucket[key] = value


class Pages(_ForkableMap[int, V]):
    """Values by position, in order of position, with a count for each node."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        super().__init__(0)
        self._counts: list[int] = []

    def __len__(self) -> int:
        return sum(self._counts)

    def fork(self) -> Self:
        """Return pages that start out equal and can be changed lone."""
        copy = super().fork()
        copy._counts = self._counts.copy()
        return copy

    def get(self, position: int) -> V | None:
        """Return the value at the position, or None."""
        if position >= len(self._nodes) * NODE:
            return None
        return self._nodes[position // NODE][position // FAN % FAN].get(position)

    def set(self, position: int, value: V) -> None:
        """Set the value at the position."""
        page = self._writable(position // FAN)
        self._count(position // NODE, position not in page)
        in_order = not page or position in page or position > next(reversed(page))
        page[position] = value
        if not in_order:
            rows = sorted(page.items())
            page.clear()
            page.update(rows)

    def discard_all(self, positions: Iterable[int]) -> None:
        """Delete the values at the positions."""
        for number, group in groupby(sorted(positions), lambda position: position // FAN):
            page = self._writable(number)
            before = len(page)
            for position in group:
                page.pop(position, None)
            self._count(number // FAN, len(page) - before)

    def items(self, after: int = 0, offset: int = 0) -> Iterator[tuple[int, V]]:
        """Return the positions above `after` with their values, without the first `offset`."""
        return chain.from_iterable(self._rows(after, offset))

    def _rows(self, after: int, offset: int) -> Iterator[Iterable[tuple[int, V]]]:
        for number in range((after + 1) // NODE, len(self._nodes)):
            # Skip a node by its count.
            if offset >= self._counts[number] and after < max(number * NODE, 1):
                offset -= self._counts[number]
                continue
            for page in self._nodes[number]:
                rows = _above(page, after) if after else page
                if offset < len(rows):
                    yield islice(rows.items(), offset, None)
                offset = max(offset - len(rows), 0)

    def _count(self, node: int, difference: int) -> None:
        if node >= len(self._counts):
            self._counts += [0] * (len(self._nodes) - len(self._counts))
        self._counts[node] += difference


def _above(page: dict[int, V], after: int) -> dict[int, V]:
    if not page or next(iter(page)) > after:
        return page
    return {position: value for position, value in page.items() if position > after}


Entry = tuple[int, ...] | Pages[Any]
"""The positions that share a key, in order: a tuple while they are few, pages when they are many."""

FEW = 64


class Entries(Buckets[Entry]):
    """An index: for each key the positions that have it."""

    __slots__ = ("_own_keys", "_sorted")

    _own_keys: set[str]  # whose pages are not shared

    def __init__(self) -> None:
        super().__init__()
        self._sorted: list[tuple[int, ...]] | None = None

    def fork(self) -> Self:
        """Return an index that starts out equal and can be changed alone."""
        copy = super().fork()
        copy._sorted = self._sorted
        return copy

    def sorted_positions(self) -> list[tuple[int, ...]]:
        """Return the positions of each key, in order of the keys; kept until the index changes."""
        if self._sorted is None:
            # Sorting a run for each node first holds other threads up for less time at once.
            runs = [sorted(chain.from_iterable(node)) for node in self._nodes]
            self._sorted = [tuple(self.positions(key)) for key in sorted(chain.from_iterable(runs))]
        return self._sorted

    def add(self, key: str, position: int, lone: tuple[int]) -> None:
        """Add the position to the key; `lone` is the tuple of this position, which keys without others share."""
        self._sorted = None
        bucket = self._writable(hash(key) % BUCKETS)
        entry = bucket.get(key)
        if entry is None:
            bucket[key] = lone
        elif isinstance(entry, tuple) and len(entry) < FEW:
            bucket[key] = tuple(sorted({*entry, position}))
        else:
            self._own_pages(bucket, key, entry).set(position, None)

    def remove_all(self, rows: Iterable[tuple[str, int]]) -> None:
        """Remove positions from their keys."""
        self._sorted = None
        many: dict[str, list[int]] = {}
        for key, position in rows:
            bucket = self._writable(hash(key) % BUCKETS)
            entry = bucket.get(key, ())
            if isinstance(entry, Pages):
                many.setdefault(key, []).append(position)
            elif len(entry) > 1:
                bucket[key] = tuple(other for other in entry if other != position)
            elif entry == (position,):
                del bucket[key]
        for key, positions in many.items():
            self._remove_pages(key, positions)

    def _remove_pages(self, key: str, positions: Iterable[int]) -> None:
        bucket = self._writable(hash(key) % BUCKETS)
        pages = self._own_pages(bucket, key, bucket[key])
        pages.discard_all(positions)
        if not len(pages):
            del bucket[key]

    def positions(self, key: str) -> Iterable[int]:
        """Return the positions of a key, in order."""
        entry = self.get(key)
        return (position for position, _ in entry.fork().items()) if isinstance(entry, Pages) else entry or ()

    def _copy_nodes(self) -> None:
        super()._copy_nodes()
        self._own_keys = set()

    def _own_pages(self, bucket: dict[str, Entry], key: str, entry: Entry) -> Pages[Any]:
        """Return the pages of a key, copied first if they are shared."""
        if isinstance(entry, Pages) and key in self._own_keys:
            return entry
        pages = entry.fork() if isinstance(entry, Pages) else _paged(entry)
        bucket[key] = pages
        self._own_keys.add(key)
        return pages


def _paged(entry: tuple[int, ...]) -> Pages[None]:
    pages: Pages[None] = Pages()
    for position in entry:
        pages.set(position, None)
    return pages
