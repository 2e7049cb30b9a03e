"""Reads the definitions of attributes and schemas, from JSON or TOML."""

from collections.abc import Iterable, Mapping
from typing import Any

from scim.schema.attributes import (
    LONGEST_URN,
    MUTABILITIES,
    NAME,
    RETURNED,
    TYPES,
    UNIQUENESS,
    Attribute,
    DefinitionError,
    Schema,
    fold,
)

_KEYS = {
    "name": "name",
    "type": "type",
    "multiValued": "multi_valued",
    "description": "description",
    "required": "required",
    "caseExact": "case_exact",
    "mutability": "mutability",
    "returned": "returned",
    "uniqueness": "uniqueness",
    "canonicalValues": "canonical_values",
    "referenceTypes": "reference_types",
    "subAttributes": "sub_attributes",
}
_CHOICES = {"type": TYPES, "mutability": MUTABILITIES, "returned": RETURNED, "uniqueness": UNIQUENESS}
_FLAGS = ("multiValued", "required", "caseExact")
_LISTS = ("canonicalValues", "referenceTypes", "subAttributes")


def read_attribute(table: Mapping[str, Any], *, inside: str = "") -> Attribute:
    """Read an attribute from the notation of RFC 7643 section 7. Raises DefinitionError."""
    name = table.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DefinitionError(
            f'an attribute{inside} needs a "name" of at most 100 letters, digits, "_", "-", "." and "$"'
        )
    for key, value in table.items():
        _check_characteristic(f"attribute {name}{inside}", key, value)
    kind = table.get("type", "string")
    subs = table.get("subAttributes", ())
    if (kind == "complex") != bool(subs):
        raise DefinitionError(f'attribute {name}{inside}: "subAttributes" are for the type "complex", which needs them')
    if inside and kind == "complex":
        raise DefinitionError(f"attribute {name}{inside}: a sub-attribute cannot be complex (RFC 7643 2.3.8)")
    values: dict[str, Any] = {_KEYS[key]: tuple(value) if key in _LISTS else value for key, value in table.items()}
    values["sub_attributes"] = tuple(read_attribute(sub, inside=f" of {name}") for sub in subs)
    _check_distinct_names(values["sub_attributes"], f"attribute {name}")
    return Attribute(**values)


def read_schema(table: Mapping[str, Any]) -> Schema:
    """Read a schema from the notation of RFC 7643 section 7. Raises DefinitionError."""
    id = table.get("id")
    if not isinstance(id, str) or not id.lower().startswith("urn:"):
        raise DefinitionError('"id" must be a URN like "urn:ietf:params:scim:schemas:extension:contoso:2.0:User"')
    if len(id) > LONGEST_URN:
        raise DefinitionError(f'"id" must have at most {LONGEST_URN} characters, not {len(id)}')
    listed = table.get("attributes")
    if not isinstance(listed, list) or not listed or not all(isinstance(item, Mapping) for item in listed):
        raise DefinitionError('"attributes" must list at least one attribute')
    attributes = tuple(read_attribute(item) for item in listed)
    _check_distinct_names(attributes, "the schema")
    name = table.get("name") or id.rpartition(":")[2]
    return Schema(id, str(name), str(table.get("description", "")), attributes)


def _check_characteristic(where: str, key: str, value: Any) -> None:
    if key not in _KEYS:
        raise DefinitionError(f'{where}: there is no characteristic "{key}"; there are {", ".join(_KEYS)}')
    if key in _CHOICES and value not in _CHOICES[key]:
        raise DefinitionError(f'{where}: "{key}" must be one of {", ".join(_CHOICES[key])}')
    if key in _FLAGS and not isinstance(value, bool):
        raise DefinitionError(f'{where}: "{key}" must be true or false')
    if key in _LISTS:
        wanted = Mapping if key == "subAttributes" else str
        if not isinstance(value, list) or not all(isinstance(item, wanted) for item in value):
            raise DefinitionError(f'{where}: "{key}" must be a list')
    if key == "description" and not isinstance(value, str):
        raise DefinitionError(f'{where}: "description" must be text')


def _check_distinct_names(attributes: Iterable[Attribute], where: str) -> None:
    """Raise DefinitionError if a name is ambiguous: `a.b` may be an attribute, or the `b` of an attribute `a`."""
    seen: set[str] = set()
    for attribute in attributes:
        for name in (attribute.name, *(f"{attribute.name}.{sub.name}" for sub in attribute.sub_attributes)):
            if fold(name) in seen:
                raise DefinitionError(f"{where} has two attributes named {name}")
            seen.add(fold(name))
