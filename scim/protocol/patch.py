"""PATCH as a pure function from a resource and operations to a new resource (RFC 7644 section 3.5.2)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from scim.budget import Budget
from scim.errors import Mutability, NoTarget
from scim.filters import Filter, compile_filter
from scim.protocol.elements import Elements
from scim.protocol.leniency import STRICT, Element, MakeMissingElement
from scim.protocol.selection import alternatives, deriving_steps, size, steps_of
from scim.schema.attributes import Attribute
from scim.schema.resource_types import ResourceType, Target
from scim.schema.validation import check_element_count, check_required, check_writable, load_value, set_schemas
from storage.base import Document

WRITING = 3  # steps to write an element that a path selects
ADVICE = "Send fewer operations in one request, name elements by their value, or list several values in one operation."


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation with a resolved path and a validated value; `op` is "add", "remove" or "replace"."""

    op: str
    target: Target
    filter: Filter | None = None
    value: Any = None

    @property
    def steps(self) -> int:
        """The steps for each element of a multi-valued attribute, 0 if the operation finds elements by their key."""
        attribute = self.target.attribute
        if attribute is None or not attribute.multi_valued:
            return 0
        if self.filter is None:
            return 1 + WRITING if self.target.sub else 0
        listed = [term for term, key in alternatives(self.filter, attribute) if key is None]
        return sum(size(term) + deriving_steps(attribute) for term in listed)


Answered = Callable[[Target, Any], Any]
"""Returns an element of the attribute at a target with its derived sub-attributes, which filters can name."""


def apply(
    type: ResourceType,
    resource: Document,
    operations: list[Operation],
    budget: Budget,
    make_missing_element: MakeMissingElement = STRICT.make_missing_element,
    answered: Answered = lambda target, element: element,
) -> Document:
    """Return the resource after every operation, in their order. Raises NoTarget, Mutability, InvalidFilter, TooMany.

    The given resource does not change, so that a failing operation has no effect.
    """
    changing = _Resource(type, resource, budget, make_missing_element, answered)
    for operation in operations:
        changing.apply(operation)
    result = changing.result()
    check_required(type, result)
    set_schemas(type, result)
    return result


class _Resource:
    """A resource during a PATCH."""

    def __init__(
        self,
        type: ResourceType,
        resource: Document,
        budget: Budget,
        make_missing_element: MakeMissingElement,
        answered: Answered,
    ) -> None:
        self.budget, self.make_missing_element, self.answered = budget, make_missing_element, answered
        self._type = type
        self._document = _copy(resource)
        self._elements: dict[str | None, dict[str, Elements]] = {}

    def apply(self, operation: Operation) -> None:
        """Apply one operation."""
        target = operation.target
        attribute, extension = target.attribute, target.extension
        if attribute is None:  # only "remove" has an extension's URN as its target here
            assert extension
            self._remove_extension(extension)
            return
        check_writable(target)
        if attribute.multi_valued:
            _Change(self, operation, self._elements_of(extension, attribute)).apply()
        elif attribute.type == "complex" or operation.filter:
            elements = Elements(attribute, self._container(extension).get(attribute.name))
            _Change(self, operation, elements).apply()
            self._store(extension, attribute.name, elements)
        else:
            self._assign(extension, attribute, operation.value if operation.op != "remove" else None)

    def result(self) -> Document:
        """Return the changed resource."""
        for extension in list(self._elements):
            self._store_all(extension)
        return self._document

    def _remove_extension(self, extension: str) -> None:
        self._store_all(extension)
        removed = self._document.pop(extension, {})
        for attribute in self._type.schemas[extension].attributes:
            check_immutable(attribute, removed.get(attribute.name), None)

    def _elements_of(self, extension: str | None, attribute: Attribute) -> Elements:
        elements = self._elements.setdefault(extension, {})
        if attribute.name not in elements:
            elements[attribute.name] = Elements(attribute, self._container(extension).get(attribute.name))
        return elements[attribute.name]

    def _store_all(self, extension: str | None) -> None:
        for name, elements in self._elements.pop(extension, {}).items():
            self._store(extension, name, elements)

    def _store(self, extension: str | None, name: str, elements: Elements) -> None:
        if elements.changed:
            self._put(extension, name, elements.value)

    def _assign(self, extension: str | None, attribute: Attribute, value: Any) -> None:
        check_immutable(attribute, self._container(extension).get(attribute.name), value)
        self._put(extension, attribute.name, value)

    def _container(self, extension: str | None) -> dict[str, Any]:
        return self._document.get(extension, {}) if extension else self._document

    def _put(self, extension: str | None, name: str, value: Any) -> None:
        """Set a value, or remove it if it is None; an extension without attributes is removed as well."""
        container = self._document.setdefault(extension, {}) if extension else self._document
        if value is None:
            container.pop(name, None)
        else:
            container[name] = value
        if extension and not container:
            del self._document[extension]


class _Change:
    """One operation on the elements of an attribute; a single value is one element."""

    def __init__(self, resource: _Resource, operation: Operation, elements: Elements) -> None:
        assert operation.target.attribute
        self.resource = resource
        self.operation = operation
        self.elements = elements
        self.attribute = operation.target.attribute
        self.sub = operation.target.sub

    def apply(self) -> None:
        is_immutable = self.attribute.mutability == "immutable"
        before = self._whole_value() if is_immutable else None
        if self.operation.op == "remove":
            self._remove()
        else:
            self.elements.keep_one_primary(self._write())
        if is_immutable:
            check_immutable(self.attribute, before, self._whole_value())
        check_element_count(self.attribute, self.elements)

    def _whole_value(self) -> Any:
        self.resource.budget.spend(self.elements.weight)
        return self.elements.value

    def _selected(self) -> list[int]:
        """Return the positions of the selected elements. Raises InvalidFilter, TooMany."""
        spend = self.resource.budget.spend
        if self.operation.filter is None:
            if self.attribute.multi_valued:
                spend(self.elements.weight + WRITING * len(self.elements))
            return self.elements.positions()
        found: set[int] = set()
        for term, key in alternatives(self.operation.filter, self.attribute):
            positions = self.elements.positions() if key is None else self.elements.positions_of(key)
            found.update(self._matching(term, positions))
        spend(WRITING * len(found))
        return sorted(found)

    def _matching(self, filter: Filter, positions: list[int]) -> list[int]:
        budget, answered, target = self.resource.budget, self.resource.answered, self.operation.target
        matches = compile_filter(filter, self.attribute, budget=budget)
        if not self.attribute.refers_to and len(positions) == len(self.elements):
            budget.spend(self.elements.weight - len(positions))  # once for all elements
            return [position for position in positions if matches(self.elements[position])]
        found = []
        for position in positions:
            element = answered(target, self.elements[position])
            budget.spend(steps_of(element, self.attribute))
            if matches(element):
                found.append(position)
        return found

    def _remove(self) -> None:
        if self.operation.filter is None and self.sub is None:
            self.elements.clear()
            return
        for position in self._selected():
            element = self.elements[position]
            if self.sub:
                check_immutable(self.sub, element.get(self.sub.name), None)
                self.elements.put(position, {key: kept for key, kept in element.items() if key != self.sub.name})
            else:
                self.elements.put(position, None)

    def _write(self) -> list[int]:
        """Write the value and return the positions of the written elements."""
        if self.sub is None and self.operation.filter is None and self.attribute.multi_valued:
            return self._list()
        selected = self._selected()
        if not selected:
            return [self.elements.append(self._new_element())]
        for position in selected:
            self.elements.put(position, self._merged(self.elements[position]))
        return selected

    def _list(self) -> list[int]:
        if self.operation.op == "replace":
            self.elements.clear()
            if self.attribute.type != "complex":
                return [self.elements.append(element) for element in self.operation.value]
        return self.elements.join(self.operation.value)

    def _merged(self, element: Any) -> Any:
        if not isinstance(element, dict):
            return self.operation.value
        part = {self.sub.name: self.operation.value} if self.sub else self.operation.value
        for name, value in part.items():
            sub = self.attribute.sub_attributes_by_name.get(name)
            if sub:
                check_immutable(sub, element.get(name), value)
        return _without_nulls(element | part)

    def _new_element(self) -> Any:
        if self.operation.filter is None:
            return self._merged({})
        target, filter = self.operation.target, self.operation.filter
        matches = compile_filter(filter, self.attribute, budget=self.resource.budget)
        element = self.resource.make_missing_element(self.attribute, filter, self.sub, self.operation.value)
        return filled_element(target, element, lambda added: matches(self.resource.answered(target, added)))


def foreseen_steps(resource: Document, operations: Iterable[Operation]) -> int:
    """Return the steps that operations take on the present elements of a resource."""
    total = 0
    for operation in operations:
        target = operation.target
        if target.attribute and operation.steps:
            container = resource.get(target.extension, {}) if target.extension else resource
            held = container.get(target.attribute.name)
            total += operation.steps * (len(held) if isinstance(held, list) else 0)
    return total


def filled_element(target: Target, element: Element | None, matches: Callable[[Element], bool]) -> Element:
    """Return the element to add if a filter selects none. Raises NoTarget, InvalidValue."""
    whole = Target(target.extension, target.attribute)
    if element is None:
        raise NoTarget(f"No element of {whole} matches the filter in the path.")
    wanted = _without_nulls(element)
    loaded: Element = load_value(whole, wanted, [], element=True)
    if loaded.keys() != wanted.keys() or not matches(loaded):
        raise NoTarget(f"No element of {whole} matches the filter in the path, and no matching one can be added.")
    return loaded


def check_immutable(attribute: Attribute, before: Any, after: Any) -> None:
    """Raise Mutability if the value of an immutable attribute would change (RFC 7643 section 2.2)."""
    if attribute.mutability == "immutable" and before is not None and after != before:
        raise Mutability(f"{attribute.name} is immutable and has a value.")


def check_all_immutable(type: ResourceType, before: Document, after: Document) -> None:
    """Raise Mutability if a replacement changes the value of an immutable attribute (RFC 7644 section 3.5.1)."""
    for extension, attributes in type.attributes_by_schema():
        old, new = (document if extension is None else document.get(extension, {}) for document in (before, after))
        for attribute in attributes:
            check_immutable(attribute, old.get(attribute.name), new.get(attribute.name))


def _without_nulls(element: Any) -> Any:
    if not isinstance(element, dict):
        return element
    return {name: value for name, value in element.items() if value is not None}


def _copy(resource: Document) -> Document:
    """Copy two levels: operations replace elements and never change them in place."""
    return {key: dict(value) if isinstance(value, dict) else value for key, value in resource.items()}
