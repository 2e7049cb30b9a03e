"""The elements of a multi-valued attribute during a PATCH, indexed by value and type."""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any

from scim.schema.attributes import Attribute, Key
from scim.schema.values import is_unassigned


class Elements:
    """The elements of one attribute during a PATCH.

    An element keeps its position until it is removed, so that one index by value and type serves all operations.
    """

    def __init__(self, attribute: Attribute, held: Any) -> None:
        kept = attribute.elements(held)
        self.changed = False
        self._attribute, self._held = attribute, held
        self._by_position: dict[int, Any] = dict(enumerate(kept))
        self._next_position = len(kept)
        self._primaries = {position for position, element in self._by_position.items() if _is_primary(element)}
        self._index: _Index | None = None
        self._weight: int | None = None

    def __len__(self) -> int:
        return len(self._by_position)

    def __getitem__(self, position: int) -> Any:
        return self._by_position[position]

    def positions(self) -> list[int]:
        """Return the positions of all elements, in order."""
        return list(self._by_position)

    def positions_of(self, value: Key) -> list[int]:
        """Return the positions of the elements whose `value` has this key."""
        return self._indexed().positions_of(value)

    @property
    def value(self) -> Any:
        """The attribute's value, or None."""
        if not self.changed:
            return self._held
        values = list(self._by_position.values())
        return (values if self._attribute.multi_valued else values[0]) if values else None

    @property
    def weight(self) -> int:
        """The steps that it takes to examine all elements."""
        if self._weight is None:
            self._weight = sum(map(weight, self._by_position.values()))
        return self._weight

    def put(self, position: int, element: Any) -> None:
        """Replace the element at a position; an empty one is removed."""
        self.changed = True
        before = self._by_position.get(position)
        if self._weight is not None:
            self._weight += weight(element) - weight(before)
        if is_unassigned(element):
            self._by_position.pop(position, None)
            self._primaries.discard(position)
            if self._index:
                self._index.remove(position)
            return
        self._by_position[position] = element
        (self._primaries.add if _is_primary(element) else self._primaries.discard)(position)
        if self._index and not _has_same_key(before, element):
            self._index.put(position, element)

    def append(self, element: Any) -> int:
        """Append an element and return its position."""
        position = self._next_position
        self._next_position += 1
        self.put(position, element)
        return position

    def clear(self) -> None:
        """Remove every element."""
        self.changed = True
        self._weight = None
        self._by_position.clear()
        self._primaries.clear()
        self._index = None

    def join(self, added: Iterable[Any]) -> list[int]:
        """Add elements, merging each into the element that it matches, and return the positions that changed.

        Elements match if they have the same `value` and not a different `type`: a service should not return the same
        pair twice (RFC 7643 section 2.4), and adding an element again changes nothing.
        """
        before: dict[int, Any] = {}
        for element in added:
            position = self._indexed().find(element)
            if position is None:
                before[self.append(element)] = None
            elif isinstance(element, dict):
                before.setdefault(position, self[position])
                self.put(position, self[position] | element)
        self.changed = True
        return [position for position in sorted(before) if self._by_position.get(position) != before[position]]

    def keep_one_primary(self, written: list[int]) -> None:
        """Make the last element that became primary the only one (RFC 7644 section 3.5.2)."""
        last = next((position for position in reversed(written) if position in self._primaries), None)
        if last is not None:
            for position in self._primaries - {last}:
                self.put(position, self[position] | {"primary": False})

    def _indexed(self) -> "_Index":
        if self._index is None:
            self._index = _Index(self._attribute)
            for position, element in self._by_position.items():
                self._index.put(position, element)
        return self._index


class _Index:
    """The positions of elements by `value`, and by `value` and `type`.

    The lists of positions are heaps. A changed or removed element stays in them until it is found; its present key
    shows that the entry is stale.
    """

    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute
        self._keys: dict[int, tuple[Any, Key]] = {}
        self._by_value: dict[Any, list[int]] = {}
        self._by_key: dict[tuple[Any, Key], list[int]] = {}

    def put(self, position: int, element: Any) -> None:
        key = self._key(element)
        if self._keys.get(position) != key:
            self._keys[position] = key
            heappush(self._by_value.setdefault(key[0], []), position)
            heappush(self._by_key.setdefault(key, []), position)

    def remove(self, position: int) -> None:
        self._keys.pop(position, None)

    def positions_of(self, value: Any) -> list[int]:
        current = sorted({position for position in self._by_value.get(value, ()) if self._value_at(position) == value})
        self._by_value[value] = current  # a sorted list is a heap
        return list(current)

    def find(self, element: Any) -> int | None:
        """Return the first position of an element with the same `value` and not a different `type`."""
        value, kind = self._key(element)
        if kind is None:
            return self._first(self._by_value.get(value, []), lambda key: bool(key[0] == value))
        found = [self._first(self._by_key.get(key, []), key.__eq__) for key in ((value, kind), (value, None))]
        return min((position for position in found if position is not None), default=None)

    def _first(self, positions: list[int], is_right: Callable[[tuple[Any, Key]], bool]) -> int | None:
        while positions and not is_right(self._keys.get(positions[0], _GONE)):
            heappop(positions)
        return positions[0] if positions else None

    def _value_at(self, position: int) -> Any:
        return self._keys.get(position, _GONE)[0]

    def _key(self, element: Any) -> tuple[Any, Key]:
        """Return the key of an element: its `value`, or its whole content if it has none, and its `type`."""
        if self._attribute.type != "complex":
            return self._attribute.key(element), None
        value, kind = (
            self._attribute.sub_attributes_by_name.get("value"),
            self._attribute.sub_attributes_by_name.get("type"),
        )
        type_key = kind.key(element["type"]) if kind and element.get("type") is not None else None
        if value and element.get("value") is not None:
            return value.key(element["value"]), type_key
        parts = (part if isinstance(part, str) else (repr(part),) for part in element.values())
        return frozenset(zip(element, parts, strict=True)), type_key


def weight(element: Any) -> int:
    """Return the steps that it takes to examine an element: more than one if its texts are long."""
    if is_unassigned(element):
        return 0
    texts = element.values() if isinstance(element, dict) else (element,)
    return 1 + sum([len(text) // (4_096 if text.isascii() else 10) for text in texts if isinstance(text, str)])


def _has_same_key(before: Any, element: Any) -> bool:
    """Return whether a written element has the same key as before: neither `value` nor `type` changed."""
    if not isinstance(before, dict) or before.get("value") is None:
        return False
    return bool(before["value"] == element.get("value") and before.get("type") == element.get("type"))


def _is_primary(element: Any) -> bool:
    return isinstance(element, dict) and bool(element.get("primary"))


_GONE = object(), None
