"""Deletes a resource and every reference to it (RFC 7644 section 3.6)."""

from collections.abc import Iterator

from scim.directory import disabled, memberships
from scim.directory.indexes import Indexes
from scim.directory.transactions import save
from scim.schema.resource_types import GROUP, Registry, ResourceType, Target
from scim.schema.validation import set_schemas
from storage.base import Document, Writer


def delete_resource(
    writer: Writer, registry: Registry, indexes: Indexes, type: ResourceType, document: Document
) -> None:
    """Delete a stored resource and every reference to it."""
    writer.delete(type.name, document["id"])
    disabled.track(writer, document["id"], document, None)
    remove_references(writer, registry, indexes, type, document["id"])


def remove_references(writer: Writer, registry: Registry, indexes: Indexes, type: ResourceType, id: str) -> None:
    """Remove the id from groups and from attributes such as manager."""
    groups = memberships.remove_references(writer, id)
    writer.prefetch(GROUP, groups)
    for group_id in groups:
        group = writer.get(GROUP, group_id)
        if group:
            save(writer, registry.types[GROUP], group.data, group.data, members_changed=True)
    for other, target in _references_to(registry, indexes, type):
        for stored in list(writer.lookup(other.name, str(target), id)):
            remaining = _without_reference(other, target, stored.data, id)
            save(writer, other, stored.data, remaining, members_changed=False)


def _references_to(registry: Registry, indexes: Indexes, type: ResourceType) -> Iterator[tuple[ResourceType, Target]]:
    """Yield the indexed attributes that can refer to resources of the type."""
    for other in registry.types.values():
        for extension, name, sub in indexes.by_type[other.name]:
            attribute = other.attribute(extension, name)
            if sub == "value" and type.name in attribute.refers_to:
                yield other, Target(extension, attribute, attribute.sub_attributes_by_name.get(sub))


def _without_reference(type: ResourceType, target: Target, document: Document, id: str) -> Document:
    """Return the stored resource without the target's references to the id."""
    assert target.attribute
    name = target.attribute.name
    container = dict(document[target.extension] if target.extension else document)
    value = container.pop(name)
    if isinstance(value, list):
        container[name] = [element for element in value if element.get("value") != id]
    container = {key: kept for key, kept in container.items() if kept != []}
    result = {**document, target.extension: container} if target.extension else container
    if target.extension and not container:
        del result[target.extension]
    set_schemas(type, result)
    return result
