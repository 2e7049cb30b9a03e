"""PATCH operations as they are sent, and their paths: attr, attr.sub, attr[filter].sub, urn:...:attr, urn:..."""

from dataclasses import dataclass
from typing import Any

from marshmallow import missing

from scim.errors import InvalidPath, shorten
from scim.filters import Filter, PathText
from scim.schema.resource_types import ResourceType, Target


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """An operation of a PatchOp message; `op` is "add", "remove" or "replace"."""

    op: str
    path: PathText | None = None
    value: Any = missing

    @property
    def has_value(self) -> bool:
        """Whether a value was sent; null is one."""
        return self.value is not missing


@dataclass(frozen=True, slots=True)
class Path:
    """Where an operation acts: a target and, for a multi-valued attribute, the elements that a filter selects."""

    target: Target
    filter: Filter | None = None


def resolve_path(path: PathText, type: ResourceType) -> Path:
    """Return what a path means in a resource type. Raises InvalidPath."""
    target = type.resolve(path.attribute)
    if target is None:
        raise InvalidPath(
            f'There is no attribute "{shorten(path.attribute)}" in {type.name}. Remove its mapping at the client, or '
            "declare the attribute in a [[schemas]] table of the configuration."
        )
    if path.filter is None:
        return Path(target)
    if target.sub or target.attribute is None:
        raise InvalidPath(f"{target} has no elements that [...] could select.")
    if path.sub is None:
        return Path(target, path.filter)
    sub = target.attribute.sub_attributes_by_name.get(path.sub)
    if sub is None:
        raise InvalidPath(f'{target} has no sub-attribute "{shorten(path.sub)}".')
    return Path(Target(target.extension, target.attribute, sub), path.filter)
