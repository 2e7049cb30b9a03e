"""Attributes whose values follow from other documents: members, groups, references such as manager, and location.

They are not stored, so they are never stale: an answer and a filter derive them alike.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from scim import members
from scim.attributes import Attribute
from scim.filters import read_values
from scim.indexes import is_reference
from scim.projection import Wanted
from scim.registry import Registry, ResourceType, Target
from scim.validation import set_schemas
from storage.base import Document, Reader

Locate = Callable[[ResourceType, str], str]
"""Gives the address of the resource of a type with an id."""

Stored = Callable[[Document], list[Any]]
"""Lists what is stored of a derived attribute."""


class Relations:
    """Derives attributes from what a reader sees."""

    def __init__(self, reader: Reader, registry: Registry, locate: Locate) -> None:
        self.reader = reader
        self.registry = registry
        self.locate = locate
        self._derived: dict[str, dict[tuple[str | None, str], _Each]] = {}

    def of(self, type: ResourceType) -> "Mapping[tuple[str | None, str], _Each]":
        """Return the derived attributes of a type, by the extension's URN and the attribute's name."""
        if type.name not in self._derived:
            rules = _rules(type, self.registry)
            self._derived[type.name] = {
                place: kind(self, type, attribute, read) for place, (kind, attribute, read) in rules.items()
            }
        return self._derived[type.name]

    def complete(self, type: ResourceType, document: Document, wanted: Wanted) -> Document:
        """Return the resource with those derived attributes that are wanted."""
        result = dict(document)
        for (extension, name), derived in self.of(type).items():
            if not wanted.includes(extension, derived.attribute):
                continue
            elements = derived.elements(document)
            if not elements:
                continue
            value: Any = elements if derived.attribute.multi_valued else elements[0]
            if extension:
                result[extension] = {**result[extension], name: value}
            else:
                result[name] = value
        return result

    def members(self, type: ResourceType, group: Document) -> list[dict[str, Any]]:
        """Return the members of a group as they are answered."""
        return self.of(type)[None, members.MEMBERS].elements(group)

    def answered(self, type: ResourceType, target: Target, element: Any) -> Any:
        """Return an element of an attribute as it is answered, if it refers to a resource; else as it is stored."""
        assert target.attribute
        derived = self.of(type).get((target.extension, target.attribute.name))
        return derived.element(element) if isinstance(derived, _Reference) else element

    def find(self, types: Iterable[str], id: str) -> tuple[ResourceType, Document] | None:
        """Return the resource of one of these types with this id."""
        for name in types:
            type = self.registry.types.get(name)
            document = self.reader.get(name, id) if type else None
            if type and document:
                return type, document
        return None


@lru_cache(maxsize=256)
def _rules(type: ResourceType, registry: Registry) -> "dict[tuple[str | None, str], tuple[_Kind, Attribute, Stored]]":
    """Return how the derived attributes of a type are derived, by place."""
    rules: dict[tuple[str | None, str], tuple[_Kind, Attribute, Stored]] = {}
    for (extension, name), kind in derived_attributes(type, registry).items():
        attribute = type.attribute(extension, name)
        rules[extension, name] = kind, attribute, read_values(Target(extension, attribute), {})
    return rules


@lru_cache(maxsize=256)
def derived_attributes(type: ResourceType, registry: Registry) -> "dict[tuple[str | None, str], _Kind]":
    """Return which attributes of a type are derived, and how, by the extension's URN and the attribute's name."""
    found: dict[tuple[str | None, str], _Kind] = {(None, "meta"): _Meta}
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
            kept = {**holder, name: _stored_reference(holder.get(name))}
            kept = {key: value for key, value in kept.items() if value}
            if extension is None:
                stored = kept
            else:
                stored[extension] = kept
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
    """A derived attribute of a type; `read` lists what is stored of it."""

    def __init__(self, relations: Relations, type: ResourceType, attribute: Attribute, read: Stored) -> None:
        self.attribute = attribute
        self._relations, self._type, self._read = relations, type, read


class _Meta(_Derived):
    """`meta`, with the location."""

    def elements(self, document: Document) -> list[dict[str, Any]]:
        return [{**document["meta"], "location": self._relations.locate(self._type, document["id"])}]

    def has(self, document: Document, value: str) -> bool:
        return False

    def find(self, value: str) -> Iterable[Document] | None:
        return None


class _Reference(_Derived):
    """References to resources: `$ref` and the name are there while the resource is."""

    def elements(self, document: Document) -> list[dict[str, Any]]:
        return [self.element(stored) for stored in self._read(document)]

    def has(self, document: Document, value: str) -> bool:
        return any(stored.get("value") == value for stored in self._read(document))

    def find(self, value: str) -> Iterable[Document] | None:
        return None  # its index is asked before

    def element(self, stored: dict[str, Any]) -> dict[str, Any]:
        found = self._relations.find(self.attribute.refers_to, stored.get("value", ""))
        if not found:
            return stored
        type, document = found
        element = {**stored, "$ref": self._relations.locate(type, document["id"])}
        for name in ("display", "displayName"):
            if name in self.attribute.subs and "displayName" in document:
                element[name] = document["displayName"]
        return element


class _Members(_Derived):
    """`members` of a group, each with its address, type and name while it is known here."""

    def elements(self, document: Document) -> list[dict[str, Any]]:
        return [self._element(one) for one in members.of_group(self._relations.reader, document["id"])]

    def has(self, document: Document, value: str) -> bool:
        return members.has(self._relations.reader, document["id"], value)

    def find(self, value: str) -> Iterable[Document] | None:
        reader = self._relations.reader
        return _in_order(reader, self._type, (one["group"] for one in members.of_member(reader, value)))

    def _element(self, membership: Document) -> dict[str, Any]:
        found = self._relations.find(self.attribute.refers_to, membership["member"])
        if not found:
            return members.stored_element(membership)
        type, document = found
        element = {
            "value": document["id"],
            "$ref": self._relations.locate(type, document["id"]),
            "type": type.name,
        }
        return {**element, "display": document["displayName"]} if "displayName" in document else element


class _Groups(_Derived):
    """`groups` of a user: those it is a member of, then those that these are members of, each once."""

    def __init__(self, relations: Relations, type: ResourceType, attribute: Attribute, read: Stored) -> None:
        super().__init__(relations, type, attribute, read)
        self._parents: dict[str, list[str]] = {}  # of groups, in which the users of a page meet again
        self._elements: dict[tuple[str, int], dict[str, Any]] = {}

    def elements(self, document: Document) -> list[dict[str, Any]]:
        return [self._element(id, depth) for id, depth in self._walk(document["id"])]

    def has(self, document: Document, value: str) -> bool:
        return any(id == value for id, _ in self._walk(document["id"]))

    def find(self, value: str) -> Iterable[Document] | None:
        reader, found, waiting = self._relations.reader, dict[str, None](), [value]
        for group in waiting:
            for one in members.of_group(reader, group):
                if one["member"] not in found:
                    found[one["member"]] = None
                    waiting.append(one["member"])
        return _in_order(reader, self._type, found)

    def _walk(self, id: str) -> Iterator[tuple[str, int]]:
        """Yield the groups with their distance; a group that contains itself is met once like any other."""
        seen, waiting = set[str](), [(id, 0)]
        for child, depth in waiting:
            for group in self._groups_of(child, depth):
                if group not in seen:
                    seen.add(group)
                    waiting.append((group, depth + 1))
                    yield group, depth + 1

    def _groups_of(self, id: str, depth: int) -> list[str]:
        if id in self._parents:
            return self._parents[id]
        groups = [one["group"] for one in members.of_member(self._relations.reader, id)]
        if depth:
            self._parents[id] = groups
        return groups

    def _element(self, id: str, depth: int) -> dict[str, Any]:
        if (id, depth) not in self._elements:
            self._elements[id, depth] = self._make_element(id, depth)
        return self._elements[id, depth]

    def _make_element(self, id: str, depth: int) -> dict[str, Any]:
        group = self._relations.reader.get(members.GROUP, id) or {}
        return {
            "value": id,
            "$ref": self._relations.locate(self._relations.registry.types[members.GROUP], id),
            "display": group.get("displayName", ""),
            "type": "direct" if depth == 1 else "indirect",
        }


_Each = _Meta | _Reference | _Members | _Groups
_Kind = type[_Meta] | type[_Reference] | type[_Members] | type[_Groups]


def _in_order(reader: Reader, type: ResourceType, ids: Iterable[str]) -> list[Document]:
    """Return the documents that there are with these ids, in order of creation."""
    documents = [document for id in ids if (document := reader.get(type.name, id))]
    return sorted(documents, key=lambda document: reader.position(type.name, document["id"]))
