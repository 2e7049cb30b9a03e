"""Compiles a filter's tree into a predicate over the documents of one resource type.

Values are compared by the attribute's type and caseExact (`Attribute.key`). A multi-valued attribute matches if one
of its values does (RFC 7644 section 3.4.2.2).

A term costs a step of the budget for each value that it is compared with. Equal terms share one predicate, and the
values at a target are read once for all terms.
"""

import operator
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar

from scim.budget import Budget
from scim.errors import InvalidFilter, shorten
from scim.filters.ast import And, Compare, Filter, Literal, Not, Or, Present, ValuePath, unparse
from scim.filters.comparison import Test, comparison
from scim.schema.attributes import Attribute, Key
from scim.schema.resource_types import ResourceType, Target
from scim.schema.values import is_unassigned
from storage.base import Document, StoredDocument

D = TypeVar("D")
V = TypeVar("V")

Predicate = Callable[[Document], bool]

REREADING = 2  # steps to read an element again


class DerivedValues(Protocol):
    """An attribute whose value is derived from other documents instead of stored."""

    def elements(self, document: Document) -> list[dict[str, Any]]:
        """Return the attribute's value, as a list even if it is single-valued."""

    def has(self, document: Document, value: str) -> bool:
        """Return whether an element has this `value`."""

    def find(self, value: str) -> Iterable[StoredDocument] | None:
        """Return the documents with such an element, or None if only a scan finds them."""


FindDerived = Callable[[str | None, str], DerivedValues | None]
"""Finds the derived attributes of a resource type, by the extension's URN (or None) and the attribute's name."""


def none_derived(extension: str | None, name: str) -> None:
    """Find no derived attributes: only stored values count."""


class _Sub:
    """The names inside the brackets of one attribute."""

    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute
        self._value = Attribute("value", attribute.type, case_exact=attribute.compares_exactly)

    def resolve(self, name: str) -> Target | None:
        """Find a sub-attribute; for a simple attribute, `value` is the value itself."""
        if self._attribute.type != "complex" and name.lower() == "value":
            return Target(None, self._value)
        sub = self._attribute.sub_attributes_by_name.get(name)
        return Target(None, sub) if sub else None


def compile_filter(
    tree: Filter,
    scope: ResourceType | Attribute,
    find_derived: FindDerived = none_derived,
    *,
    lenient: bool = False,
    budget: Budget | None = None,
) -> Predicate:
    """Return the predicate of a tree over resources, or over the elements of one attribute. Raises InvalidFilter.

    The predicate spends the budget and raises TooMany when it is used up. It caches its result for the last document:
    use it in one thread, and with documents that do not change.

    With `lenient`, attributes that the resource type lacks have no value instead of being an error, as in a query
    over several resource types (RFC 7644 section 3.4.2.1).
    """
    names = _Sub(scope) if isinstance(scope, Attribute) else scope
    return _Compiler(names, find_derived, lenient, budget or Budget()).compile(tree)


def remember_last(compute: Callable[[D], V]) -> Callable[[D], V]:
    """Cache the last result of a function of a document: a query asks several things of one document in a row."""
    last: object = _NOTHING
    result: V

    def known(document: D) -> V:
        nonlocal last, result
        if document is not last:
            result, last = compute(document), document
        return result

    return known


def _counted(matches: Predicate, spend: Callable[[], None]) -> Predicate:
    """Let a predicate spend the budget at each call and cache its last result as `remember_last` does."""
    last: object = _NOTHING
    result = False

    def counted(document: Document) -> bool:
        nonlocal last, result
        spend()
        if document is not last:
            result, last = matches(document), document
        return result

    return counted


class _Compiler:
    def __init__(self, scope: ResourceType | _Sub, find_derived: FindDerived, lenient: bool, budget: Budget) -> None:
        self._scope = scope
        self._find_derived = find_derived
        self._lenient = lenient
        self._budget = budget
        self._predicates: dict[Hashable, Predicate] = {}
        self._readers: dict[Hashable, Callable[[Document], list[Any]]] = {}
        self._inner: dict[Target, _Compiler] = {}

    def compile(self, tree: Filter) -> Predicate:
        """Return the predicate of a tree. Equal trees share one, which is evaluated once for each document."""
        match tree:
            case And(terms):
                return self._joined(_every, terms)
            case Or(terms):
                return self._joined(_some, terms)
            case Not(term):
                predicate = self.compile(term)
                return self._shared((operator.not_, predicate), lambda: lambda document: not predicate(document))
        return self._shared(unparse(tree), partial(self._term, tree))

    def _joined(self, join: Callable[[tuple[Predicate, ...]], Predicate], terms: Iterable[Filter]) -> Predicate:
        parts = tuple(dict.fromkeys(map(self.compile, terms)))
        return parts[0] if len(parts) == 1 else self._shared((join, parts), partial(join, parts))

    def _shared(self, key: Hashable, make: Callable[[], Predicate]) -> Predicate:
        found = self._predicates.get(key)
        if found is None:
            found = self._predicates[key] = _counted(make(), self._budget.spend)
        return found

    def _term(self, tree: Compare | Present | ValuePath) -> Predicate:
        match tree:
            case Compare(path, op, value):
                return self._compare(path, op, value)
            case Present(path):
                return self._present(path)
            case ValuePath(path, filter, None):
                return self._element(path, filter)
        raise InvalidFilter(f'Nothing may follow the "]" of {shorten(tree.path)}[...] in a filter.')

    def _present(self, path: str) -> Predicate:
        target = self._resolve(path)
        if target is None:
            return _never
        return self._tested(target, None, lambda values: any(map(_is_present, values)))

    def _tested(self, target: Target, key: Callable[[Any], Key] | None, test: Test) -> Predicate:
        """Return the test of the keys of all values at a target."""
        read, spend = self._reader(target, key), self._budget.spend

        def matches(document: Document) -> bool:
            keys = read(document)
            if len(keys) > 1:  # the first is counted for the term itself
                spend(len(keys) - 1)
            return test(keys)

        return matches

    def _reader(self, target: Target, key: Callable[[Any], Key] | None = None) -> Callable[[Document], list[Any]]:
        """Return the function that lists the values at a target, or their keys, once per document for all terms."""
        found = self._readers.get((target, key))
        if found is None:
            read = read_values(target, self._find_derived)
            found = remember_last((lambda document: list(map(key, read(document)))) if key else read)
            self._readers[target, key] = found
        return found

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
        return self._tested(target, *comparison(target.leaf, op, value, self._budget))

    def _compare_null(self, path: str, op: str) -> Predicate:
        present = self._present(path)
        if op == "eq":
            return lambda document: not present(document)
        if op == "ne":
            return present
        raise InvalidFilter(f'null can only be compared with "eq" and "ne", not with "{op}".')

    def _element(self, path: str, filter: Filter) -> Predicate:
        target = self._resolve(path)
        if target is None:
            return _never
        if isinstance(self._scope, _Sub) or target.sub or not target.attribute:
            raise InvalidFilter(f"{shorten(path)} has no elements that [...] could select.")
        if target not in self._inner:
            self._inner[target] = _Compiler(_Sub(target.attribute), none_derived, False, self._budget)
        predicate, read, spend = self._inner[target].compile(filter), self._reader(target), self._budget.spend

        def matches(document: Document) -> bool:
            elements = read(document)
            if len(elements) > 1:  # only the last element is cached: each filter reads several again
                spend(REREADING * len(elements))
            return any(map(predicate, elements))

        return matches

    def _resolve(self, path: str) -> Target | None:
        target = self._scope.resolve(path)
        if target is None and not self._lenient:
            raise InvalidFilter(f'There is no attribute "{shorten(path)}" to filter by.')
        return target


def with_default_value(target: Target, path: str) -> Target:
    """Return the target of a comparison: for a complex attribute, its `value`. Raises InvalidFilter if it has none."""
    attribute = target.attribute
    if attribute is None or (target.sub is None and attribute.type == "complex"):
        sub = attribute.sub_attributes_by_name.get("value") if attribute else None
        if sub is None:
            raise InvalidFilter(f"{shorten(path)} is complex: name the sub-attribute to compare.")
        return Target(target.extension, attribute, sub)
    return target


def read_values(target: Target, find_derived: FindDerived = none_derived) -> Callable[[Document], list[Any]]:
    """Return the function that lists the values at a target.

    Values from before the configuration made an attribute complex are not among its elements.
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
    elif attribute.type == "complex":
        values = lambda document: document.get(name)  # noqa: E731
    elif name == "value":
        values = lambda element: element.get(name) if isinstance(element, dict) else element  # noqa: E731
    else:
        return lambda document: _listed(document.get(name))
    if attribute.type != "complex":
        return lambda document: _listed(values(document))
    if sub is None:
        return lambda document: attribute.elements(values(document))
    part = sub.name
    return lambda document: [
        element[part] for element in attribute.elements(values(document)) if element.get(part) is not None
    ]


def _is_present(value: Any) -> bool:
    return value != "" and not is_unassigned(value)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _every(predicates: tuple[Predicate, ...]) -> Predicate:
    return lambda document: all(predicate(document) for predicate in predicates)


def _some(predicates: tuple[Predicate, ...]) -> Predicate:
    return lambda document: any(predicate(document) for predicate in predicates)


def _never(_: Document) -> bool:
    return False


_NOTHING: dict[str, Any] = {}
