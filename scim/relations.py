"""Attributes whose values follow from other documents: members, groups, references such as manager, and location.

They are not stored, so they are never stale: an answer and a filter derive them alike. How, follows from the type and
is worked out once; each answer is made with what one reader sees.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeVar

from scim import members
from scim.filters import DerivedAttributes, read_values
from scim.indexes import is_reference
from scim.projection import Wanted
from scim.registry import Registry, ResourceType, Target
from scim.validation import set_schemas
from storage.base import ID, Document, Reader, Sealed

Locate = Callable[[ResourceType, str], str]
"""Gives the address of the resource of a type with an id."""

K = TypeVar("K")
V = TypeVar("V")

Place = tuple[str | None, str]
"""Where an attribute stands: the extension's URN or None, and the attribute's name."""


class Met:
    """Groups that were met in one state of the store, in which many users meet again, as far as there is room.

    By id, the groups that have one as a member; by id and distance, the element of `groups`.
    """

    def __init__(self, take: Callable[[int], bool] = lambda size: True) -> None:
        self.parents: dict[str, list[str]] = {}
        self.elements: dict[tuple[str, int], dict[str, Any]] = {}
        self._take = take

    def keep(self, where: dict[K, V], key: K, value: V, size: int) -> None:
        """Keep a value of so many bytes, if there is room."""
        if self._take(_OVERHEAD + size):
            where[key] = value


_OVERHEAD = 700  # bytes that an entry takes beside what varies


class Relations:
    """Derives attributes from what a reader sees; `met` is what others saw of the same state of the store."""

    def __init__(self, reader: Reader, registry: Registry, locate: Locate, met: Met | None = None) -> None:
        self.reader, self.registry, self.locate = reader, registry, locate
        self.met = met or Met()

    def of(self, type: ResourceType) -> DerivedAttributes:
        """Return what finds the derived attributes of a type, as filters need them."""
        return partial(self._seen, _derived(type, self.registry))

    def wanted(self, type: ResourceType, wanted: Wanted) -> "tuple[_Derived, ...]":
        """Return those derived attributes of a type that are wanted, for `complete`."""
        return _wanted(type, self.registry, wanted)

    def complete(self, document: Document, derived_attributes: "Iterable[_Derived]") -> Document:
        """Return the resource with these derived attributes."""
        result = dict(document)
        for derived in derived_attributes:
            elements = derived.elements(self, document)
            if not elements:
                continue
            value: Any = elements if derived.attribute.multi_valued else elements[0]
            if derived.extension:
                result[derived.extension] = {**result[derived.extension], derived.name: value}
            else:
                result[derived.name] = value
        return result

    def members(self, type: ResourceType, group: Document) -> list[dict[str, Any]]:
        """Return the members of a group as they are answered."""
        return _derived(type, self.registry)[None, members.MEMBERS].elements(self, group)

    def answered(self, type: ResourceType, target: Target, element: Any) -> Any:
        """Return an element of an attribute as it is answered, if it refers to a resource; else as it is stored."""
        assert target.attribute
        derived = _derived(type, self.registry).get((target.extension, target.attribute.name))
        return derived.element(self, element) if isinstance(derived, _Reference) else element

    def find(self, types: Iterable[str], id: str) -> tuple[ResourceType, Document] | None:
        """Return the resource of one of these types with this id."""
        for name in types:
            type = self.registry.types.get(name)
            document = self.reader.get(name, id) if type else None
            if type and document:
                return type, document
        return None

    def _seen(self, derived: "dict[Place, _Derived]", extension: str | None, name: str) -> "_Seen | None":
        found = derived.get((extension, name))
        return _Seen(self, found) if found else None


@lru_cache(maxsize=256)
def _derived(type: ResourceType, registry: Registry) -> "dict[Place, _Derived]":
    """Return how the derived attributes of a type are derived, by place."""
    kinds = derived_attributes(type, registry)
    return {(extension, name): kind(type, extension, name) for (extension, name), kind in kinds.items()}


@lru_cache(maxsize=256)
def _wanted(type: ResourceType, registry: Registry, wanted: Wanted) -> "tuple[_Derived, ...]":
    every = _derived(type, registry).values()
    return tuple(one for one in every if wanted.includes(one.extension, one.attribute))


@lru_cache(maxsize=256)
def derived_attributes(type: ResourceType, registry: Registry) -> "dict[Place, _Kind]":
    """Return which attributes of a type are derived, and how, by place."""
    found: dict[Place, _Kind] = {(None, "meta"): _Meta}
    for extension, attributes in type.locations():
        for attribute in attributes:
            if members.is_members(type, extension, attribute):
                found[extension, attribute.name] = _Members
            elif attribute.mutability == "readOnly" and attribute.refers_to == (members.GROUP,):
                found[extension, attribute.name] = _Groups
            elif is_reference(Target(extension, attribute), registry):
                found[extension, attribute.name] = _Reference
    return found


def detach(type: ResourceType, registry: Registry, document: Document) -> tuple[Document, list[dict[str, Any]]]:
    """Part what is stored of a resource from its members, and leave out what is derived from other documents."""
    stored = dict(document)
    joining: list[dict[str, Any]] = []
    for (extension, name), kind in derived_attributes(type, registry).items():
        if kind is _Members:
            joining = stored.pop(name, [])
        elif kind is _Reference and (holder := stored if extension is None else stored.get(extension)):
            sent = holder.get(name)
            kept = _stored_reference(sent)
            if kept == sent:
                continue
            holder = {**holder, name: kept}
            if not kept:
                del holder[name]
            if extension is None:
                stored = holder
            else:
                stored[extension] = holder
    set_schemas(type, stored)
    return stored, joining


def without_reference(type: ResourceType, target: Target, document: Document, id: str) -> Document:
    """Return the stored resource without what refers to the id at the target."""
    assert target.attribute
    name = target.attribute.name
    holder = dict(document[target.extension] if target.extension else document)
    value = holder.pop(name)
    if isinstance(value, list):
        holder[name] = [element for element in value if element.get("value") != id]
    holder = {key: kept for key, kept in holder.items() if kept != []}
    result = {**document, target.extension: holder} if target.extension else holder
    if target.extension and not holder:
        del result[target.extension]
    set_schemas(type, result)
    return result


def _stored_reference(value: Any) -> Any:
    if isinstance(value, list):
        return [kept for element in value if (kept := _stored_reference(element))]
    return {name: part for name, part in (value or {}).items() if name not in _DERIVED_SUBS}


_DERIVED_SUBS = ("$ref", "display", "displayName")


class _Derived:
    """A derived attribute of a type: how its value follows from what is stored of it and from other documents."""

    def __init__(self, type: ResourceType, extension: str | None, name: str) -> None:
        self.type, self.extension, self.name = type, extension, name
        self.attribute = type.attribute(extension, name)
        self.read = read_values(Target(extension, self.attribute))

    def elements(self, seen: Relations, document: Document) -> list[dict[str, Any]]:
        """Return the attribute's value, as a list even where it is single-valued."""
        raise NotImplementedError

    def has(self, seen: Relations, document: Document, value: str) -> bool:
        """Tell whether an element's `value` is this one."""
        return False

    def find(self, seen: Relations, value: str) -> Iterable[Sealed] | None:
        """Return the documents with such an element, or None where only a scan would find them."""
        return None


_Kind = type[_Derived]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A derived attribute as a reader sees it."""

    relations: Relations
    derived: _Derived

    def elements(self, document: Document) -> list[dict[str, Any]]:
        return self.derived.elements(self.relations, document)

    def has(self, document: Document, value: str) -> bool:
        return self.derived.has(self.relations, document, value)

    def find(self, value: str) -> Iterable[Sealed] | None:
        return self.derived.find(self.relations, value)


class _Meta(_Derived):
    """`meta`, with the location."""

    def elements(self, seen: Relations, document: Document) -> list[dict[str, Any]]:
        return [{**document["meta"], "location": seen.locate(self.type, document["id"])}]


class _Reference(_Derived):
    """References to resources: `$ref` and the name are there while the resource is. Its index finds them."""

    def __init__(self, type: ResourceType, extension: str | None, name: str) -> None:
        super().__init__(type, extension, name)
        self._names = [name for name in ("display", "displayName") if name in self.attribute.subs]

    def elements(self, seen: Relations, document: Document) -> list[dict[str, Any]]:
        return [self.element(seen, stored) for stored in self.read(document)]

    def has(self, seen: Relations, document: Document, value: str) -> bool:
        return any(stored.get("value") == value for stored in self.read(document))

    def element(self, seen: Relations, stored: dict[str, Any]) -> dict[str, Any]:
        found = seen.find(self.attribute.refers_to, stored.get("value", ""))
        if not found:
            return stored
        type, document = found
        element = {**stored, "$ref": seen.locate(type, document["id"])}
        if "displayName" in document:
            for name in self._names:
                element[name] = document["displayName"]
        return element


class _Members(_Derived):
    """`members` of a group, each with its address, type and name while it is known here."""

    def elements(self, seen: Relations, document: Document) -> list[dict[str, Any]]:
        return [self._element(seen, one) for one in members.of_group(seen.reader, document["id"])]

    def has(self, seen: Relations, document: Document, value: str) -> bool:
        return members.has(seen.reader, document["id"], value)

    def find(self, seen: Relations, value: str) -> Iterable[Sealed] | None:
        return _in_order(seen.reader, self.type, (one["group"] for one in members.of_member(seen.reader, value)))

    def _element(self, seen: Relations, membership: Document) -> dict[str, Any]:
        found = seen.find(self.attribute.refers_to, membership["member"])
        if not found:
            return members.stored_element(membership)
        type, document = found
        element = {"value": document["id"], "$ref": seen.locate(type, document["id"]), "type": type.name}
        return {**element, "display": document["displayName"]} if "displayName" in document else element


class _Groups(_Derived):
    """`groups` of a user: those it is a member of, then those that these are members of, each once."""

    def elements(self, seen: Relations, document: Document) -> list[dict[str, Any]]:
        return [_group(seen, id, distance) for id, distance in _groups_of(seen, document["id"]).items()]

    def has(self, seen: Relations, document: Document, value: str) -> bool:
        return value in _groups_of(seen, document["id"])

    def find(self, seen: Relations, value: str) -> Iterable[Sealed] | None:
        found, waiting = dict[str, None](), [value]
        for group in waiting:
            for one in members.of_group(seen.reader, group):
                if one["member"] not in found:
                    found[one["member"]] = None
                    waiting.append(one["member"])
        return _in_order(seen.reader, self.type, found)


def _groups_of(seen: Relations, id: str) -> dict[str, int]:
    """Return the groups with their distance, the nearest first; one that contains itself is met once like any other."""
    met = dict.fromkeys(_parents(seen, id), 1)
    waiting = list(met)
    for group in waiting:
        parents = seen.met.parents.get(group)
        if parents is None:
            parents = _parents(seen, group)
            seen.met.keep(seen.met.parents, group, parents, 100 * len(parents))
        for parent in parents:
            if parent not in met:
                met[parent] = met[group] + 1
                waiting.append(parent)
    return met


def _parents(seen: Relations, id: str) -> list[str]:
    return [one["group"] for one in members.of_member(seen.reader, id)]


def _group(seen: Relations, id: str, distance: int) -> dict[str, Any]:
    """Return a group as an element of `groups`."""
    elements = seen.met.elements
    found = elements.get((id, distance))
    if found is None:
        group = seen.reader.get(members.GROUP, id) or {}
        name = group.get("displayName", "")
        found = {
            "value": id,
            "$ref": seen.locate(seen.registry.types[members.GROUP], id),
            "display": name,
            "type": "direct" if distance == 1 else "indirect",
        }
        seen.met.keep(elements, (id, distance), found, len(name))
    return found


def _in_order(reader: Reader, type: ResourceType, ids: Iterable[str]) -> list[Sealed]:
    """Return the documents that there are with these ids, in order of creation."""
    found = [(reader.position(type.name, id), one) for id in ids for one in reader.sealed(type.name, ID, id)]
    return [one for _, one in sorted(found)]
