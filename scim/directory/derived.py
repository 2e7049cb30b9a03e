"""Attributes derived from other documents: members, groups, references such as manager, and meta.

They are not stored, so they are never stale. The derived attributes of a type are determined once.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

from scim.directory import memberships
from scim.directory.indexes import is_reference
from scim.filters import read_values
from scim.protocol.leniency import Element
from scim.schema.resource_types import GROUP, Registry, ResourceType, Target
from storage.base import Document, Reader, StoredDocument

ResourceUrl = Callable[[ResourceType, str], str]
"""Returns the URL of the resource of a type with an id."""

V = TypeVar("V")

AttributeKey = tuple[str | None, str]
"""The extension's URN or None, and the attribute's name."""


class GroupCache:
    """The parents (group ids) and names of groups in one version of the store, since many users share groups."""

    def __init__(self) -> None:
        self.parents: dict[str, list[str]] = {}
        self.names: dict[str, str] = {}
        self._free = GROUP_CACHE_BYTES

    def put(self, cache: dict[str, V], id: str, value: V, size: int) -> None:
        """Add a value of about this many bytes if there is room."""
        if size + _OVERHEAD <= self._free:
            self._free -= size + _OVERHEAD
            cache[id] = value


GROUP_CACHE_BYTES = 16_000_000
_OVERHEAD = 300  # bytes that an entry takes beside its value


class ReadContext:
    """The sources of derived values: a reader, the registry, URLs, and a cache of groups."""

    def __init__(
        self, reader: Reader, registry: Registry, resource_url: ResourceUrl, groups: GroupCache | None = None
    ) -> None:
        self.reader, self.registry, self.resource_url = reader, registry, resource_url
        self.groups = groups or GroupCache()

    def find(self, types: Iterable[str], id: str) -> tuple[ResourceType, Document] | None:
        """Return the resource of one of these types with this id."""
        for name in types:
            type = self.registry.types.get(name)
            stored = self.reader.get(name, id) if type else None
            if type and stored:
                return type, stored.data
        return None


class DerivedAttribute:
    """A derived attribute of a type: how its value is derived from its stored part and from other documents."""

    shown_if_empty = False

    def __init__(self, type: ResourceType, extension: str | None, name: str) -> None:
        self.type, self.extension, self.name = type, extension, name
        self.attribute = type.attribute(extension, name)
        self.read = read_values(Target(extension, self.attribute))

    def elements(self, context: ReadContext, document: Document) -> Iterator[Element]:
        """Yield the elements of the attribute's value; a single-valued attribute has one."""
        raise NotImplementedError

    def values(self, context: ReadContext, document: Document) -> Container[str]:
        """Return a container of the elements' `value`s, without deriving the elements."""
        return ()

    def find(self, context: ReadContext, value: str) -> Iterable[StoredDocument] | None:
        """Return the documents with such an element, or None if that takes a scan."""
        return None

    def element(self, context: ReadContext, stored: Element) -> Element:
        """Return an element as clients see it."""
        return stored

    def strip_derived(self, resource: Document) -> list[Element]:
        """Remove the derived part from a resource, in place; return the elements that are stored elsewhere."""
        return []


class _Meta(DerivedAttribute):
    """`meta` with the location."""

    def elements(self, context: ReadContext, document: Document) -> Iterator[Element]:
        yield {**document["meta"], "location": context.resource_url(self.type, document["id"])}


class _Reference(DerivedAttribute):
    """References to resources, with `$ref` and the name if the resource exists. An index finds them."""

    def __init__(self, type: ResourceType, extension: str | None, name: str) -> None:
        super().__init__(type, extension, name)
        self._names = [name for name in ("display", "displayName") if name in self.attribute.sub_attributes_by_name]

    def elements(self, context: ReadContext, document: Document) -> Iterator[Element]:
        return (self.element(context, stored) for stored in self.read(document))

    def values(self, context: ReadContext, document: Document) -> Container[str]:
        return {value for stored in self.read(document) if isinstance(value := stored.get("value"), str)}

    def element(self, context: ReadContext, stored: Element) -> Element:
        found = context.find(self.attribute.refers_to, stored.get("value", ""))
        if not found:
            return stored
        type, document = found
        element = {**stored, "$ref": context.resource_url(type, document["id"])}
        if "displayName" in document:
            for name in self._names:
                element[name] = document["displayName"]
        return element

    def strip_derived(self, resource: Document) -> list[Element]:
        container = resource.get(self.extension, {}) if self.extension else resource
        sent = container.get(self.name)
        kept = _stored_reference(sent) if sent else sent
        if kept != sent:
            if self.extension:
                container = resource[self.extension] = dict(container)
            if kept:
                container[self.name] = kept
            else:
                del container[self.name]
        return []


class _Members(DerivedAttribute):
    """`members` of a group, each with URL, type and name if the resource exists."""

    shown_if_empty = True  # clients compare them with their own: authentik does not if they are absent

    def elements(self, context: ReadContext, document: Document) -> Iterator[Element]:
        return (self.element(context, one) for one in memberships.of_group(context.reader, document["id"]))

    def values(self, context: ReadContext, document: Document) -> Container[str]:
        return memberships.Values(context.reader, document["id"])

    def find(self, context: ReadContext, value: str) -> Iterable[StoredDocument] | None:
        return _in_order(
            context.reader, self.type, (one["group"] for one in memberships.of_member(context.reader, value))
        )

    def strip_derived(self, resource: Document) -> list[Element]:
        sent: list[Element] = resource.pop(self.name, [])
        return sent

    def element(self, context: ReadContext, stored: Element) -> Element:
        found = context.find(self.attribute.refers_to, stored["member"])
        if not found:
            return memberships.stored_element(stored)
        type, document = found
        element = {"value": document["id"], "$ref": context.resource_url(type, document["id"]), "type": type.name}
        return {**element, "display": document["displayName"]} if "displayName" in document else element


class _Groups(DerivedAttribute):
    """`groups` of a user: direct groups first, then the groups that contain those, each once."""

    def elements(self, context: ReadContext, document: Document) -> Iterator[Element]:
        return (_group(context, id, distance) for id, distance in _groups_of(context, document["id"]).items())

    def values(self, context: ReadContext, document: Document) -> Container[str]:
        return _groups_of(context, document["id"])

    def find(self, context: ReadContext, value: str) -> Iterable[StoredDocument] | None:
        found, waiting = dict[str, None](), [value]
        for group in waiting:
            for one in memberships.of_group(context.reader, group):
                if one["member"] not in found:
                    found[one["member"]] = None
                    waiting.append(one["member"])
        return _in_order(context.reader, self.type, found)


@lru_cache(maxsize=256)
def derived_attributes(type: ResourceType, registry: Registry) -> dict[AttributeKey, DerivedAttribute]:
    """Return the derived attributes of a type, by extension and name."""
    found: dict[AttributeKey, DerivedAttribute] = {(None, "meta"): _Meta(type, None, "meta")}
    for extension, attributes in type.attributes_by_schema():
        for attribute in attributes:
            kind = _kind(type, Target(extension, attribute), registry)
            if kind:
                found[extension, attribute.name] = kind(type, extension, attribute.name)
    return found


def _kind(type: ResourceType, target: Target, registry: Registry) -> Callable[..., DerivedAttribute] | None:
    attribute = target.attribute
    assert attribute
    if memberships.is_members(type, target.extension, attribute):
        return _Members
    if attribute.mutability == "readOnly" and attribute.refers_to == (GROUP,):
        return _Groups
    return _Reference if is_reference(target, registry) else None


def _stored_reference(value: Any) -> Any:
    if isinstance(value, list):
        return [kept for element in value if (kept := _stored_reference(element))]
    if not isinstance(value, dict):  # stored before it became a reference
        return value
    return {name: part for name, part in value.items() if name not in _FOLLOWING}


_FOLLOWING = ("$ref", "display", "displayName")  # sub-attributes derived from the referenced resource


def _groups_of(context: ReadContext, id: str) -> dict[str, int]:
    """Return the distance of each group by its id, the nearest first. Cycles are visited once."""
    distances = dict.fromkeys(_parents(context, id), 1)
    waiting = list(distances)
    for group in waiting:
        parents = context.groups.parents.get(group)
        if parents is None:
            parents = _parents(context, group)
            context.groups.put(context.groups.parents, group, parents, 100 * len(parents))
        for parent in parents:
            if parent not in distances:
                distances[parent] = distances[group] + 1
                waiting.append(parent)
    return distances


def _parents(context: ReadContext, id: str) -> list[str]:
    return [one["group"] for one in memberships.of_member(context.reader, id)]


def _group(context: ReadContext, id: str, distance: int) -> Element:
    """Return a group as an element of `groups`."""
    return {
        "value": id,
        "$ref": context.resource_url(context.registry.types[GROUP], id),
        "display": _group_name(context, id),
        "type": "direct" if distance == 1 else "indirect",
    }


def _group_name(context: ReadContext, id: str) -> str:
    name = context.groups.names.get(id)
    if name is None:
        group = context.reader.get(GROUP, id)
        name = str(group.data.get("displayName", "")) if group else ""
        context.groups.put(context.groups.names, id, name, 4 * len(name))
    return name


def _in_order(reader: Reader, type: ResourceType, ids: Iterable[str]) -> list[StoredDocument]:
    """Return the existing documents among these ids, in order of creation."""
    found = {reader.position(type.name, id): stored for id in ids if (stored := reader.get(type.name, id))}
    return [found[position] for position in sorted(found)]
