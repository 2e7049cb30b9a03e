"""What a write changed: the old and new value of each attribute, for the provisioning log and the event feed."""

from typing import Any

from scim.schema.resource_types import ResourceType
from storage.base import Document

Changes = dict[str, tuple[Any, Any]]
_MANAGED = ("id", "schemas", "meta")  # by the service, so they follow from the rest


def changes(type: ResourceType, before: Document | None, after: Document | None) -> Changes:
    """Return the old and new value of each changed attribute, by its full name."""
    found = _differences(before or {}, after or {})
    for name in _MANAGED:
        found.pop(name, None)
    for schema in type.extensions:
        if schema.id in found:
            old, new = found.pop(schema.id)
            found |= _differences(old or {}, new or {}, f"{schema.id}:")
    return found


def _differences(old: Document, new: Document, prefix: str = "") -> Changes:
    found = {}
    for name in {**old, **new}:
        was, now = old.get(name), new.get(name)
        if was is not now and was != now:
            found[prefix + name] = (was, now)
    return found
