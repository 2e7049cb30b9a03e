"""The elements of a multi-valued attribute while a PATCH changes them, found by their value and type."""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any

from scim.schema.attributes import Attribute, Key
from scim.schema.values import is_unassigned


class Elements:
    """The elements of one attribute while operations change them.

    An element keeps its place until it is removed, so that the index by value and type is built once for all
    operations.
    """

    def __init__(self, attribute: Attribute, held: Any) -> None:
        listed = held if isinstance(held, list) else [] if held is None else [held]
        # What was stored before the attribute became complex, or ceased to be, is no element.
        kept = [one for one in listed if isinstance(one, dict) == (attribute.type == "complex")]
        self.changed = False
        self._attribute, self._held = attribute, held
        self._by_place: dict[int, Any] = dict(enumerate(kept))
        self._next_place = len(kept)
        self._primaries = {place for place, one in self._by_place.items() if _is_primary(one)}
        self._index: _Index | None = None
        self._weight: int | None = None

    def __len__(self) -> int:
        return len(self._by_place)

    def __getitem__(self, place: int) -> Any:
        return self._by_place[place]

    def places(self) -> list[int]:
        """Return the places of all elements, in their order."""
        return list(self._by_place)

    def places_of(self, value: Key) -> list[int]:
        """Return the places of the elements whose `value` has this key."""
        return self._indexed().places_of(value)

    @property
    def value(self) -> Any:
        """The attribute's value; None where there is none."""
        if not self.changed:
            return self._held
        values = list(self._by_place.values())
        return (values if self._attribute.multi_valued else values[0]) if values else None

    @property
    def weight(self) -> int:
        """How many steps it takes to look at all elements."""
        if self._weight is None:
            self._weight = sum(map(weight, self._by_place.values()))
        return self._weight

    def put(self, place: int, element: Any) -> None:
        """Put an element in a place; an empty one is dropped."""
        self.changed = True
        before = self._by_place.get(place)
        if self._weight is not None:
            self._weight += weight(element) - weight(before)
        if is_unassigned(element):
            self._by_place.pop(place, None)
            self._primaries.discard(place)
            if self._index:
                self._index.remove(place)
            return
        self._by_place[place] = element
        (self._primaries.add if _is_primary(element) else self._primaries.discard)(place)
        if self._index and not _is_found_alike(before, element):
            self._index.put(place, element)

    def append(self, element: Any) -> int:
        """Put an element behind the others and return its place."""
        place = self._next_place
        self._next_place += 1
        self.put(place, element)
        return place

    def clear(self) -> None:
        """Remove every element."""
        self.changed = True
        self._weight = None
        self._by_place.clear()
        self._primaries.clear()
        self._index = None

    def join(self, added: Iterable[Any]) -> list[int]:
        """Add elements, and return the places that were written; one that matches an element is merged into it.

        Two match if their `value` is equal and their `type` does not differ: a service should not return the same pair
        twice (RFC 7643 section 2.4), and a client that adds what it added before changes nothing.
        """
        before: dict[int, Any] = {}
        for one in added:
            place = self._indexed().find(one)
            if place is None:
                before[self.append(one)] = None
            elif isinstance(one, dict):
                before.setdefault(place, self[place])
                self.put(place, self[place] | one)
        self.changed = True
        return [place for place in sorted(before) if self._by_place.get(place) != before[place]]

    def keep_one_primary(self, written: list[int]) -> None:
        """Let the last element that became primary be the only one (RFC 7644 section 3.5.2)."""
        last = next((place for place in reversed(written) if place in self._primaries), None)
        if last is not None:
            for place in self._primaries - {last}:
                self.put(place, self[place] | {"primary": False})

    def _indexed(self) -> "_Index":
        if self._index is None:
            self._index = _Index(self._attribute)
            for place, element in self._by_place.items():
                self._index.put(place, element)
        return self._index


class _Index:
    """The places of elements by `value`, and by `value` and `type`.

    The lists of places are heaps. An element that has changed or gone leaves its place in them; such places are
    recognised by their present key.
    """

    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute
        self._keys: dict[int, tuple[Any, Key]] = {}
        self._by_value: dict[Any, list[int]] = {}
        self._by_key: dict[tuple[Any, Key], list[int]] = {}

    def put(self, place: int, element: Any) -> None:
        key = self._key(element)
        if self._keys.get(place) != key:
            self._keys[place] = key
            heappush(self._by_value.setdefault(key[0], []), place)
            heappush(self._by_key.setdefault(key, []), place)

    def remove(self, place: int) -> None:
        self._keys.pop(place, None)

    def places_of(self, value: Any) -> list[int]:
        current = sorted({place for place in self._by_value.get(value, ()) if self._value_at(place) == value})
        self._by_value[value] = current  # which is a heap, too
        return list(current)

    def find(self, element: Any) -> int | None:
        """Return the first place of an element with the same `value` and no other `type`."""
        value, kind = self._key(element)
        if kind is None:
            return self._first(self._by_value.get(value, []), lambda key: bool(key[0] == value))
        found = [self._first(self._by_key.get(key, []), key.__eq__) for key in ((value, kind), (value, None))]
        return min((place for place in found if place is not None), default=None)

    def _first(self, places: list[int], is_right: Callable[[tuple[Any, Key]], bool]) -> int | None:
        while places and not is_right(self._keys.get(places[0], _GONE)):
            heappop(places)
        return places[0] if places else None

    def _value_at(self, place: int) -> Any:
        return self._keys.get(place, _GONE)[0]

    def _key(self, element: Any) -> tuple[Any, Key]:
        """Return what identifies an element: its `value`, or all that it holds if it has none, and its `type`."""
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
    """Return how many steps it takes to look at an element: more than one if it has long texts."""
    if is_unassigned(element):
        return 0
    texts = element.values() if isinstance(element, dict) else (element,)
    return 1 + sum([len(one) // (4_096 if one.isascii() else 10) for one in texts if isinstance(one, str)])


def _is_found_alike(before: Any, element: Any) -> bool:
    """Return whether the index need not look at an element that was written: neither `value` nor `type` changed."""
    if not isinstance(before, dict) or before.get("value") is None:
        return False
    return bool(before["value"] == element.get("value") and before.get("type") == element.get("type"))


def _is_primary(element: Any) -> bool:
    return isinstance(element, dict) and bool(element.get("primary"))


_GONE = object(), None
