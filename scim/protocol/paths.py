"""PATCH paths: attr, attr.sub, attr[filter], attr[filter].sub, urn:...:attr, urn:... (RFC 7644 section 3.5.2)."""

from dataclasses import dataclass

from scim.errors import InvalidPath, shorten
from scim.filters import Filter, cached_if_short, parse_path
from scim.schema.resource_types import ResourceType, Target


@dataclass(frozen=True, slots=True)
class Path:
    """Where an operation acts: a target and, of a multi-valued attribute, the elements that a filter selects."""

    target: Target
    filter: Filter | None = None


@cached_if_short
def read_path(text: str, type: ResourceType) -> Path:
    """Return what a path means in a resource type. Raises InvalidPath, InvalidFilter."""
    attribute, filter, sub = parse_path(text)
    target = type.resolve(attribute)
    if target is None:
        raise InvalidPath(
            f'There is no attribute "{shorten(attribute)}" in {type.name}. Remove its mapping at the client, or '
            "declare the attribute in a [[schemas]] table of the configuration."
        )
    if filter is None:
        return Path(target)
    if target.sub or target.attribute is None:
        raise InvalidPath(f"{target} has no elements that [...] could select.")
    if sub is None:
        return Path(target, filter)
    found = target.attribute.sub_attributes_by_name.get(sub)
    if found is None:
        raise InvalidPath(f'{target} has no sub-attribute "{shorten(sub)}".')
    return Path(Target(target.extension, target.attribute, found), filter)
