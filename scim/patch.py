"""PATCH as a pure function: a resource and operations make a new resource (RFC 7644 section 3.5.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scim.attributes import Attribute
from scim.errors import Mutability, NoTarget
from scim.filters import Filter, compile_filter
from scim.registry import ResourceType, Target
from scim.tolerance import STRICT, Element, Fill
from scim.validation import check_required, load_value, refuse_read_only, refuse_too_many, set_schemas
from storage.base import Document


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation whose path is resolved and whose value is validated; `op` is "add", "remove" or "replace"."""

    op: str
    target: Target
    filter: Filter | None = None
    value: Any = None


Answered = Callable[[Target, Any], Any]
"""Gives an element of the attribute at a target as it is answered, with what is derived: filters go by that."""


def apply(
    type: ResourceType,
    resource: Document,
    operations: list[Operation],
    fill: Fill = STRICT.fill,
    answered: Answered = lambda target, element: element,
) -> Document:
    """Return the resource after every operation, in their order. Raises NoTarget, Mutability, InvalidFilter.

    The resource that came in is left as it was, so that nothing has happened where an operation fails.
    """
    result = _copy(resource)
    for operation in operations:
        _apply(type, result, operation, fill, answered)
    check_required(type, result)
    set_schemas(type, result)
    return result


def _apply(type: ResourceType, resource: Document, operation: Operation, fill: Fill, answered: Answered) -> None:
    target = operation.target
    if target.attribute is None:  # an extension's URN alone, which only "remove" keeps
        assert target.extension
        removed = resource.pop(target.extension, {})
        for attribute in type.schemas[target.extension].attributes:
            guard_immutable(attribute, removed.get(attribute.name), None)
        return
    refuse_read_only(target)
    holder = resource.setdefault(target.extension, {}) if target.extension else resource
    _Change(holder, operation, fill, answered).apply()
    if target.extension and not holder:
        del resource[target.extension]


class _Change:
    """One operation on the attributes of a resource, or of an extension in it."""

    def __init__(self, holder: dict[str, Any], operation: Operation, fill: Fill, answered: Answered) -> None:
        assert operation.target.attribute
        self.holder = holder
        self.operation = operation
        self.attribute = operation.target.attribute
        self.sub = operation.target.sub
        self.fill = fill
        self.answered = answered

    def apply(self) -> None:
        if self.attribute.type != "complex" and not self.operation.filter:
            self._simple()
            return
        elements = self._elements()
        selected = self._selected(elements)
        if self.operation.op == "remove":
            if (self.operation.filter or self.sub) and not selected:
                return
            self._remove(elements, selected)
        else:
            keep_one_primary(elements, self._written(elements, selected))
        self._put([element for element in elements if element not in ({}, None)])

    def _simple(self) -> None:
        name, value = self.attribute.name, self.operation.value
        if self.operation.op == "add" and self.attribute.multi_valued:
            value = _joined(self.attribute, self._elements(), value)
            refuse_too_many(self.attribute, value)
        guard_immutable(self.attribute, self.holder.get(name), value)
        if self.operation.op == "remove" or value == []:
            self.holder.pop(name, None)
        else:
            self.holder[name] = value

    def _elements(self) -> list[Any]:
        """Return what the attribute holds; what was stored before it became complex, or ceased to be, is no element."""
        value = self.holder.get(self.attribute.name)
        held = value if isinstance(value, list) else [] if value is None else [value]
        return [one for one in held if isinstance(one, dict) == (self.attribute.type == "complex")]

    def _put(self, elements: list[Any]) -> None:
        before = self.holder.get(self.attribute.name)
        value = elements if self.attribute.multi_valued else elements[0] if elements else None
        guard_immutable(self.attribute, before, value)
        refuse_too_many(self.attribute, elements)
        if elements:
            self.holder[self.attribute.name] = value
        else:
            self.holder.pop(self.attribute.name, None)

    def _selected(self, elements: list[Any]) -> list[int]:
        if self.operation.filter is None:
            return list(range(len(elements)))
        predicate = compile_filter(self.operation.filter, self.attribute)
        target = self.operation.target
        return [place for place, element in enumerate(elements) if predicate(self.answered(target, element))]

    def _remove(self, elements: list[Any], selected: list[int]) -> None:
        for place in selected:
            if self.sub:
                guard_immutable(self.sub, elements[place].get(self.sub.name), None)
                elements[place] = {key: kept for key, kept in elements[place].items() if key != self.sub.name}
            else:
                elements[place] = None

    def _written(self, elements: list[Any], selected: list[int]) -> list[int]:
        """Write into the elements and return the places of those that were written."""
        if self.sub is None and self.operation.filter is None and self.attribute.multi_valued:
            return self._listed(elements)
        if not selected:
            elements.append(self._new_element())
            return [len(elements) - 1]
        for place in selected:
            elements[place] = self._merged(elements[place])
        return selected

    def _listed(self, elements: list[Any]) -> list[int]:
        if self.operation.op == "replace":
            elements.clear()
        joined = _joined(self.attribute, elements, self.operation.value)
        touched = [place for place, one in enumerate(joined) if place >= len(elements) or one != elements[place]]
        elements[:] = joined
        return touched

    def _merged(self, element: Any) -> Any:
        if not isinstance(element, dict):
            return self.operation.value
        part = {self.sub.name: self.operation.value} if self.sub else self.operation.value
        for name, value in part.items():
            sub = self.attribute.subs.get(name)
            if sub:
                guard_immutable(sub, element.get(name), value)
        return _without_nulls(element | part)

    def _new_element(self) -> Any:
        if self.operation.filter is None:
            return self._merged({})
        element = self.fill(self.attribute, self.operation.filter, self.sub, self.operation.value)
        return filled_element(self.operation.target, element)


def filled_element(target: Target, element: Element | None) -> Element:
    """Return the element that an operation adds where its filter selects none. Raises NoTarget, InvalidValue."""
    whole = Target(target.extension, target.attribute)
    if element is None:
        raise NoTarget(f"No element of {whole} matches the filter in the path.")
    wanted = _without_nulls(element)
    loaded: Element = load_value(whole, wanted, [], element=True)
    if loaded.keys() != wanted.keys():
        raise NoTarget(f"No element of {whole} matches the filter in the path, and none can be made to.")
    return loaded


def keep_one_primary(elements: list[Any], touched: list[int]) -> None:
    """Let the last element that became primary be the only one (RFC 7644 section 3.5.2)."""
    primaries = [place for place in touched if isinstance(elements[place], dict) and elements[place].get("primary")]
    for place, element in enumerate(elements):
        if primaries and place != primaries[-1] and isinstance(element, dict) and element.get("primary"):
            elements[place] = element | {"primary": False}


def guard_immutable(attribute: Attribute, before: Any, after: Any) -> None:
    """Raise Mutability if an immutable attribute that has a value would get another (RFC 7643 section 2.2)."""
    if attribute.mutability == "immutable" and before is not None and after != before:
        raise Mutability(f"{attribute.name} is immutable and has a value.")


def guard_all_immutable(type: ResourceType, before: Document, after: Document) -> None:
    """Raise Mutability if a replacement changes an immutable attribute that has a value (RFC 7644 section 3.5.1)."""
    for extension, attributes in type.attributes_by_schema():
        old, new = (one if extension is None else one.get(extension, {}) for one in (before, after))
        for attribute in attributes:
            guard_immutable(attribute, old.get(attribute.name), new.get(attribute.name))


def _joined(attribute: Attribute, elements: list[Any], added: list[Any]) -> list[Any]:
    """Return the elements and the added ones; an added one that matches an element is merged into it.

    Two match if their `value` is equal and their `type` does not differ: a service should not return the same pair
    twice (RFC 7643 section 2.4), and a client that adds what it added before changes nothing.
    """
    result = list(elements)
    places: dict[Any, list[int]] = {}
    for place, element in enumerate(result):
        places.setdefault(_value_key(attribute, element), []).append(place)
    for one in added:
        alike = places.setdefault(_value_key(attribute, one), [])
        found = next((place for place in alike if _same_type(attribute, result[place], one)), None)
        if found is None:
            alike.append(len(result))
            result.append(one)
        elif isinstance(one, dict):
            result[found] = result[found] | one
    return result


def _value_key(attribute: Attribute, element: Any) -> Any:
    """Return what identifies an element: its `value`, or all that it holds if it has none."""
    if attribute.type != "complex":
        return attribute.key(element)
    value = attribute.subs.get("value")
    if value and element.get("value") is not None:
        return value.key(element["value"])
    return frozenset((name, repr(part)) for name, part in element.items())


def _same_type(attribute: Attribute, one: Any, other: Any) -> bool:
    kind = attribute.subs.get("type")
    types = {kind.key(element["type"]) for element in (one, other) if kind and element.get("type") is not None}
    return len(types) < 2


def _without_nulls(element: Any) -> Any:
    if not isinstance(element, dict):
        return element
    return {name: value for name, value in element.items() if value is not None}


def _copy(resource: Document) -> Document:
    """Copy as deep as operations write: elements are never changed in place, they are replaced."""
    return {key: dict(value) if isinstance(value, dict) else value for key, value in resource.items()}
