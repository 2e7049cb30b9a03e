"""The store's indexes: of unique attributes, of references, and of those that the configuration names."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scim.directory import memberships, roles
from scim.directory.index_lookup import IndexNames
from scim.filters import read_values
from scim.schema.attributes import DefinitionError
from scim.schema.resource_types import Registry, ResourceType, Target
from storage.base import Document, Index

_KEYS = 1  # rises when `Attribute.key` returns another key for a value: stores then build their indexes again


@dataclass(frozen=True)
class Indexes:
    """All indexes, and those of each resource type by attribute."""

    all: list[Index]
    by_type: dict[str, IndexNames]


def declare(registry: Registry, names: Iterable[str] = ()) -> Indexes:
    """Return the indexes of unique attributes, references and the named attributes. Raises DefinitionError."""
    targets = [(type, target) for type in registry.types.values() for target in _needed(type, registry)]
    targets += _named(registry, [*names, *(roles.INDEXED if registry.roles else ())])
    by_type: dict[str, dict[tuple[str | None, str, str | None], Index]] = {name: {} for name in registry.types}
    for type, target in targets:
        assert target.attribute
        key = (target.extension, target.attribute.name, target.sub.name if target.sub else None)
        by_type[type.name].setdefault(key, _index(type, target))
    own = [index for indexes in by_type.values() for index in indexes.values()]
    return Indexes([*own, *memberships.INDEXES], dict(by_type))


def is_reference(target: Target, registry: Registry) -> bool:
    """Return whether the attribute refers to resource types of this service."""
    refers_to = target.attribute.refers_to if target.attribute else ()
    return any(name in registry.types for name in refers_to)


def _needed(type: ResourceType, registry: Registry) -> Iterable[Target]:
    for target in type.targets():
        attribute = target.attribute
        assert attribute
        unique = target.leaf.uniqueness != "none" and attribute.name != "id"
        refers = target.sub is not None and target.sub.name == "value" and attribute.mutability != "readOnly"
        refers = refers and not memberships.is_members(type, target.extension, attribute)
        if unique or (refers and is_reference(target, registry)):
            yield target


def _named(registry: Registry, names: Iterable[str]) -> Iterable[tuple[ResourceType, Target]]:
    for name in names:
        found = [(type, target) for type in registry.types.values() if (target := type.resolve(name))]
        usable = [(type, target) for type, target in found if _is_stored(type, target)]
        if not usable:
            raise DefinitionError(f'[directory] indexed_attributes: "{name}" is not an attribute that can be indexed')
        yield from usable


def _is_stored(type: ResourceType, target: Target) -> bool:
    """Return whether the attribute's value is part of the stored document, from which indexes are made."""
    if target.attribute is None or target.leaf.type == "complex" or target.leaf.mutability == "readOnly":
        return False
    derived = target.attribute.refers_to and target.sub and target.sub.name != "value"
    return not derived and not memberships.is_members(type, target.extension, target.attribute)


def _index(type: ResourceType, target: Target) -> Index:
    assert target.attribute
    member = target.extension or target.attribute.name
    leaf = target.leaf
    definition = f"{_KEYS} {leaf.type} {leaf.compares_exactly}"
    return Index(type.name, str(target), _keys(target), leaf.uniqueness != "none", member, definition)


def _keys(target: Target) -> Callable[[Document], Iterable[str]]:
    """Return a function from a document to its keys in the index."""
    read, key = read_values(target), target.leaf.key
    return lambda document: [str(found) for value in read(document) if (found := key(value)) is not None]
