"""Turns a filter's tree into a predicate over the documents of one resource type.

Comparison goes by the attribute's type and caseExact (`Attribute.key`); of a multi-valued attribute one value that
matches is enough (RFC 7644 section 3.4.2.2).
"""

import operator
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from scim.attributes import Attribute
from scim.errors import InvalidFilter, shorten
from scim.filters.tree import And, Compare, Filter, Literal, Not, Or, Present, Unquoted, ValuePath
from scim.registry import ResourceType, Target
from storage.base import Document, Sealed

Predicate = Callable[[Document], bool]


class DerivedValues(Protocol):
    """An attribute whose value is not in the document but follows from other documents."""

    def elements(self, document: Document) -> list[dict[str, Any]]:
        """Return the attribute's value, as a list even where it is single-valued."""

    def has(self, document: Document, value: str) -> bool:
        """Tell whether an element's `value` is this one."""

    def find(self, value: str) -> Iterable[Sealed] | None:
        """Return the documents with such an element, or None where only a scan would find them."""


FindDerived = Callable[[str | None, str], DerivedValues | None]
"""Finds the derived attributes of a resource type, by the extension's URN (or None) and the attribute's name."""


def none_derived(extension: str | None, name: str) -> None:
    """Find no attribute, where only what is stored counts."""


class _Sub:
    """The names that hold inside the brackets of one attribute."""

    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute

    def resolve(self, name: str) -> Target | None:
        """Find a sub-attribute; of a simple attribute, `value` is the value itself."""
        if self._attribute.type != "complex" and name.lower() == "value":
            return Target(None, Attribute("value", self._attribute.type, case_exact=self._attribute.compares_exactly))
        sub = self._attribute.subs.get(name)
        return Target(None, sub) if sub else None


def compile_filter(
    tree: Filter,
    scope: ResourceType | Attribute,
    find_derived: FindDerived = none_derived,
    *,
    lenient: bool = False,
) -> Predicate:
    """Return the predicate of a tree over resources, or over the elements of one attribute. Raises InvalidFilter.

    Where `lenient`, an attribute that the resource type does not have is one without a value, as in a query over
    several resource types (RFC 7644 section 3.4.2.1).
    """
    names = _Sub(scope) if isinstance(scope, Attribute) else scope
    return _Compiler(names, find_derived, lenient).compile(tree)


class _Compiler:
    def __init__(self, scope: ResourceType | _Sub, find_derived: FindDerived, lenient: bool) -> None:
        self._scope = scope
        self._find_derived = find_derived
        self._lenient = lenient

    def compile(self, tree: Filter) -> Predicate:
        match tree:
            case Compare(path, op, value):
                return self._compare(path, op, value)
            case And(terms):
                return _every([self.compile(term) for term in terms])
            case Or(terms):
                return _some([self.compile(term) for term in terms])
            case Not(term):
                predicate = self.compile(term)
                return lambda document: not predicate(document)
            case Present(path):
                return self._present(path)
            case ValuePath(path, filter, None):
                return self._element(path, filter)
        raise InvalidFilter(f'Nothing may follow the "]" of {shorten(tree.path)}[...] in a filter.')

    def _present(self, path: str) -> Predicate:
        target = self._resolve(path)
        if target is None:
            return _never
        read = read_values(target, self._find_derived)
        return lambda document: any(value not in _EMPTY for value in read(document))

    def _compare(self, path: str, op: str, value: Literal) -> Predicate:
        target = self._resolve(path)
        if target is None:
            return _never
        if value is None:
            return self._compare_null(path, op)
        target = with_default_value(target, path)
        derived = self._find_derived(target.extension, target.attribute.name) if target.attribute else None
        if derived and op == "eq" and target.sub and target.sub.name == "value" and isinstance(value, str):
            return lambda document: derived.has(document, value)
        test = comparison(target.leaf, op, value)
        read = read_values(target, self._find_derived)
        if op == "ne":  # what is unassigned is not identical to any literal (RFC 7643 section 2.5)
            return lambda document: not (values := read(document)) or any(test(one) for one in values)
        return lambda document: any(test(one) for one in read(document))

    def _compare_null(self, path: str, op: str) -> Predicate:
        present = self._present(path)
        if op == "eq":
            return lambda document: not present(document)
        if op == "ne":
            return present
        raise InvalidFilter(f'null can be compared with "eq" and "ne" alone, not with "{op}".')

    def _element(self, path: str, filter: Filter) -> Predicate:
        target = self._resolve(path)
        if target is None:
            return _never
        if isinstance(self._scope, _Sub) or target.sub or not target.attribute:
            raise InvalidFilter(f"{shorten(path)} has no elements that [...] could select.")
        predicate = compile_filter(filter, target.attribute)
        read = read_values(target, self._find_derived)
        return lambda document: any(predicate(element) for element in read(document))

    def _resolve(self, path: str) -> Target | None:
        target = self._scope.resolve(path)
        if target is None and not self._lenient:
            raise InvalidFilter(f'There is no attribute "{shorten(path)}" to filter by.')
        return target


def with_default_value(target: Target, path: str) -> Target:
    """Return what a comparison means: of a complex attribute its `value`. Raises InvalidFilter if it has none."""
    attribute = target.attribute
    if attribute is None or (target.sub is None and attribute.type == "complex"):
        sub = attribute.subs.get("value") if attribute else None
        if sub is None:
            raise InvalidFilter(f"{shorten(path)} is complex: name the sub-attribute to compare.")
        return Target(target.extension, attribute, sub)
    return target


def comparison(attribute: Attribute, op: str, value: Literal) -> Callable[[Any], bool]:
    """Return the test of one value of the attribute against a literal. Raises InvalidFilter if their types differ."""
    if isinstance(value, Unquoted):
        raise InvalidFilter(f'The value "{shorten(value)}" needs quotation marks.')
    fits = _LITERALS[attribute.type]
    if not isinstance(value, fits) or (isinstance(value, bool) and bool not in fits):
        raise InvalidFilter(
            f'{attribute.name} is of type {attribute.type}: "{shorten(str(value))}" cannot be compared with it.'
        )
    if op in _TEXT_TESTS:
        return _text_test(attribute, op, value)
    if op in _ORDERS and attribute.type in ("boolean", "binary"):
        raise InvalidFilter(f'{attribute.name} is of type {attribute.type}, which has no order for "{op}".')
    key = attribute.key
    wanted: Any = key(value)
    if wanted is None:  # the literal is a text, as it should be, but no dateTime
        raise InvalidFilter(f'{attribute.name}: "{shorten(str(value))}" is no dateTime like 2026-01-31T12:00:00Z.')
    if op in _ORDERS:
        order = _ORDERS[op]
        return lambda one: (found := key(one)) is not None and order(found, wanted)
    if op == "eq":
        return lambda one: key(one) == wanted
    return lambda one: key(one) != wanted


def _text_test(attribute: Attribute, op: str, value: Literal) -> Callable[[Any], bool]:
    """Return the test of `co`, `sw` or `ew`; of a dateTime, for a part of how it is written."""
    if not isinstance(value, str):
        raise InvalidFilter(f'{attribute.name} is of type {attribute.type}: "{op}" is for text.')
    test = _TEXT_TESTS[op]
    key = _WRITTEN.key if attribute.type == "dateTime" else attribute.key
    wanted = key(value)
    return lambda one: (found := key(one)) is not None and test(found, wanted)


def read_values(target: Target, find_derived: FindDerived = none_derived) -> Callable[[Document], list[Any]]:
    """Return the function that lists the values at a target, none where nothing is assigned.

    What was stored before the configuration made an attribute complex is no element of it.
    """
    extension, attribute, sub = target.extension, target.attribute, target.sub
    if attribute is None:
        return lambda document: [document[extension]] if extension and document.get(extension) else []
    name = attribute.name
    source = find_derived(extension, name)
    if source:
        values: Callable[[Document], Any] = source.elements
    elif extension:
        values = lambda document: document.get(extension, _NOTHING).get(name)  # noqa: E731
    elif attribute.name == "value" and attribute.type != "complex":
        values = lambda one: one.get(name) if isinstance(one, dict) else one  # noqa: E731
    else:
        values = lambda document: document.get(name)  # noqa: E731
    if attribute.type != "complex":
        return lambda document: _listed(values(document))
    if sub is None:
        return lambda document: [one for one in _listed(values(document)) if isinstance(one, dict)]
    part = sub.name
    return lambda document: [
        one[part] for one in _listed(values(document)) if isinstance(one, dict) and one.get(part) is not None
    ]


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _every(predicates: list[Predicate]) -> Predicate:
    return lambda document: all(predicate(document) for predicate in predicates)


def _some(predicates: list[Predicate]) -> Predicate:
    return lambda document: any(predicate(document) for predicate in predicates)


def _never(_: Document) -> bool:
    return False


_EMPTY: tuple[Any, ...] = (None, "", [], {})
_NOTHING: dict[str, Any] = {}
_ORDERS = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
_WRITTEN = Attribute("written", case_exact=True)
_TEXT_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
}
_LITERALS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "reference": (str,),
    "binary": (str,),
    "dateTime": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "decimal": (int, float),
}
