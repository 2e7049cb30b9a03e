"""Answers a filter by an index, or narrows it down to candidates."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from scim.filters.ast import And, Compare, Filter, Unquoted, ValuePath
from scim.filters.compiler import FindDerived, with_default_value
from scim.schema.resource_types import ResourceType, Target
from storage.base import Index, Reader, StoredDocument

IndexNames = Mapping[tuple[str | None, str, str | None], Index]
"""The indexes of a resource type, by the extension's URN (or None), the attribute's and the sub-attribute's name."""


class Found(NamedTuple):
    """Documents, which are read as they are asked for, and a function that returns their number."""

    documents: Iterator[StoredDocument]
    total: Callable[[], int]


def exact_index_lookup(
    tree: Filter, type: ResourceType, reader: Reader, indexes: IndexNames, find_derived: FindDerived
) -> Found | None:
    """Return what matches if the filter is one `eq` with a string and an index.

    Return None if no index answers the filter. Raises InvalidFilter.
    """
    if not isinstance(tree, Compare) or tree.op != "eq" or not isinstance(tree.value, str):
        return None
    target = type.resolve(tree.path)
    if isinstance(tree.value, Unquoted) or target is None or not target.attribute:
        return None
    if find_derived(target.extension, target.attribute.name):
        return None  # derived values have an equality of their own
    target = with_default_value(target, tree.path)
    if target.leaf.type not in ("string", "reference"):
        return None  # the text may be invalid for the type, which the predicate checks
    return _indexed(target, tree.value, type, reader, indexes)


def index_candidates(
    tree: Filter, type: ResourceType, reader: Reader, indexes: IndexNames, find_derived: FindDerived
) -> Iterable[StoredDocument] | None:
    """Return every document that may match, by the first indexed `eq` among the terms of an `and`.

    The whole filter still has to be evaluated. Return None if only a scan finds the documents.
    """
    for path, value in _equalities(tree):
        target = type.resolve(path)
        if target is None or not target.attribute:
            continue
        target = with_default_value(target, path)
        found = _look_up(target, value, type, reader, indexes, find_derived)
        if found is not None:
            return found
    return None


def _look_up(
    target: Target,
    value: str,
    type: ResourceType,
    reader: Reader,
    indexes: IndexNames,
    find_derived: FindDerived,
) -> Iterable[StoredDocument] | None:
    assert target.attribute
    source = find_derived(target.extension, target.attribute.name)
    found = source.find(value) if source and target.sub and target.sub.name == "value" else None
    if found is not None:
        return found
    indexed = _indexed(target, value, type, reader, indexes)
    return indexed.documents if indexed else None


def _indexed(target: Target, value: str, type: ResourceType, reader: Reader, indexes: IndexNames) -> Found | None:
    """Return the documents with a value, in order of creation, or None if the attribute is not indexed."""
    assert target.attribute
    extension, attribute, sub = target.extension, target.attribute.name, target.sub
    if (extension, attribute) == (None, "id"):
        documents = list(filter(None, [reader.get(type.name, value)]))
        return Found(iter(documents), lambda: len(documents))
    index = indexes.get((extension, attribute, sub.name if sub else None))
    if index is None:
        return None
    key = str(target.leaf.key(value))
    return Found(reader.lookup(type.name, index.name, key), partial(reader.count, type.name, index.name, key))


def _equalities(tree: Filter) -> Iterator[tuple[str, str]]:
    """Yield each path that must equal a string, and the string; paths in brackets include their attribute."""
    terms = tree.terms if isinstance(tree, And) else (tree,)
    for term in terms:
        match term:
            case Compare(path, "eq", str(value)):
                yield path, value
            case ValuePath(path, filter):
                yield from ((f"{path}.{inner}", value) for inner, value in _equalities(filter))
            case And():
                yield from _equalities(term)
