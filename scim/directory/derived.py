"""Attributes derived from other documents: members, groups, roles, references such as manager, and meta.

They are not stored, so they are never stale. The derived attributes of a type are determined once.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from scim.directory import memberships, roles
from scim.directory.context import ReadContext
from scim.directory.indexes import is_reference
from scim.filters import read_values
from scim.protocol.leniency import Element
from scim.schema.attributes import fold
from scim.schema.resource_types import GROUP, Registry, ResourceType, Target
from storage.base import Document, Reader, StoredDocument

AttributeKey = tuple[str | None, str]
"""The extension's URN or None, and the attribute's name."""


class DerivedAttribute:
    """A derived attribute of a type: how its value is derived from its stored part and from other documents."""

    shown_if_empty = False
    key: Callable[[str], str] = staticmethod(str)
    """From a value in a filter to what `values` contains."""

    def __init__(self, type: ResourceType, extension: str | None, name: str) -> None:
        self.type, self.extension, self.name = type, extension, name
        self.attribute = type.attribute(extension, name)
        self.read = read_values(Target(extension, self.attribute))

    def elements(self, context: ReadContext, document: Document) -> Iterator[Element]:
        """Yield the elements of the attribute's value; a single-valued attribute has one."""
        raise NotImplementedError

    def prefetch(self, context: ReadContext, documents: Sequence[Document]) -> None:
        """Read ahead what the elements of some documents need."""

    def values(self, context: ReadContext, document: Document) -> Container[str]:
        """Return a container of the elements' `value`s, without deriving the elements."""
        return ()

    def find(self, context: ReadContext, value: str) -> Iterable[StoredDocument] | None:
        """Return the documents with such an element, or None if that takes a scan."""
        return None

    def steps(self, context: ReadContext, document: Document) -> int:
        """Return how many documents are read beside one for each element."""
        return 0

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

    def prefetch(self, context: ReadContext, documents: Sequence[Document]) -> None:
        context.prefetch_all(self.attribute.refers_to, {id for document in documents for id in self._ids(document)})

    def values(self, context: ReadContext, document: Document) -> Container[str]:
        return self._ids(document)

    def _ids(self, document: Document) -> set[str]:
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
        for members in memberships.parts(memberships.of_group(context.reader, document["id"])):
            context.prefetch_all(self.attribute.refers_to, [one["member"] for one in members])
            yield from (self.element(context, one) for one in members)

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
        return (_group(context, id, distance) for id, distance in context.groups_of(document["id"]).items())

    def prefetch(self, context: ReadContext, documents: Sequence[Document]) -> None:
        context.prefetch_groups([document["id"] for document in documents])

    def values(self, context: ReadContext, document: Document) -> Container[str]:
        return context.groups_of(document["id"])

    def find(self, context: ReadContext, value: str) -> Iterable[StoredDocument] | None:
        return _in_order(context.reader, self.type, memberships.below(context.reader, [value]))


class _Roles(DerivedAttribute):
    """`roles` of a user: the stored ones, then those that `[[roles]]` gives to members of the user's groups."""

    key = staticmethod(fold)

    def elements(self, context: ReadContext, document: Document) -> Iterator[Element]:
        return iter(roles.of_user(context, document))

    def prefetch(self, context: ReadContext, documents: Sequence[Document]) -> None:
        context.prefetch_groups([document["id"] for document in documents])

    def values(self, context: ReadContext, document: Document) -> Container[str]:
        return {fold(value) for one in self.elements(context, document) if isinstance(value := one.get("value"), str)}

    def find(self, context: ReadContext, value: str) -> Iterable[StoredDocument] | None:
        members = memberships.below(context.reader, roles.groups_with(context, value))
        stored = context.reader.lookup(self.type.name, roles.INDEX, fold(value))
        ids = chain(members, (one.data["id"] for one in stored))
        return _in_order(context.reader, self.type, ids)

    def steps(self, context: ReadContext, document: Document) -> int:
        return len(context.groups_of(document["id"]))

    def strip_derived(self, resource: Document) -> list[Element]:
        if self.name in resource:
            resource[self.name] = roles.stored(resource[self.name])
            if not resource[self.name]:
                del resource[self.name]
        return []


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
    if registry.roles and roles.is_roles(type, target):
        return _Roles
    return _Reference if is_reference(target, registry) else None


def _stored_reference(value: Any) -> Any:
    if isinstance(value, list):
        return [kept for element in value if (kept := _stored_reference(element))]
    if not isinstance(value, dict):  # stored before it became a reference
        return value
    return {name: part for name, part in value.items() if name not in _FOLLOWING}


_FOLLOWING = ("$ref", "display", "displayName")  # sub-attributes derived from the referenced resource


def _group(context: ReadContext, id: str, distance: int) -> Element:
    """Return a group as an element of `groups`."""
    return {
        "value": id,
        "$ref": context.resource_url(context.registry.types[GROUP], id),
        "display": context.name_of(id),
        "type": "direct" if distance == 1 else "indirect",
    }


def _in_order(reader: Reader, type: ResourceType, ids: Iterable[str]) -> list[StoredDocument]:
    """Return the existing documents among these ids, in order of creation."""
    found: dict[int, StoredDocument] = {}
    for part in memberships.parts(ids):
        reader.prefetch(type.name, part)
        found |= {reader.position(type.name, id): stored for id in part if (stored := reader.get(type.name, id))}
    return [found[position] for position in sorted(found)]
