"""Finds the few documents that can match at all. What it finds is always checked against the whole filter."""

from collections.abc import Iterable, Iterator, Mapping

from scim.filters.evaluate import DerivedAttributes, with_default_value
from scim.filters.tree import And, Compare, Element, Filter
from scim.registry import ResourceType, Target
from storage.base import ID, Index, Reader, Sealed

IndexNames = Mapping[tuple[str | None, str, str | None], Index]
"""The indexes of a resource type, by the extension's URN (or None), the attribute's and the sub-attribute's name."""


def candidates(
    tree: Filter, type: ResourceType, reader: Reader, indexes: IndexNames, derived: DerivedAttributes
) -> Iterable[Sealed] | None:
    """Return every document that may match, by the first indexed `eq` among the `and`ed terms; None: scan."""
    for path, value in _equalities(tree):
        target = type.resolve(path)
        if target is None or not target.attribute:
            continue
        target = with_default_value(target, path)
        found = _look_up(target, value, type, reader, indexes, derived)
        if found is not None:
            return found
    return None


def _look_up(
    target: Target,
    value: str,
    type: ResourceType,
    reader: Reader,
    indexes: IndexNames,
    derived: DerivedAttributes,
) -> Iterable[Sealed] | None:
    assert target.attribute
    extension, attribute, sub = target.extension, target.attribute.name, target.sub
    if (extension, attribute) == (None, "id"):
        return reader.sealed(type.name, ID, value)
    index = indexes.get((extension, attribute, sub.name if sub else None))
    if index:
        return reader.sealed(type.name, index.name, str(target.leaf.key(value)))
    source = derived(extension, attribute)
    if source and sub and sub.name == "value":
        return source.find(value)
    return None


def _equalities(tree: Filter) -> Iterator[tuple[str, str]]:
    """Yield the paths that must equal a string, those inside brackets with their attribute before them."""
    terms = tree.terms if isinstance(tree, And) else (tree,)
    for term in terms:
        match term:
            case Compare(path, "eq", str(value)):
                yield path, value
            case Element(path, filter):
                yield from ((f"{path}.{inner}", value) for inner, value in _equalities(filter))
            case And():
                yield from _equalities(term)
