"""Validates resources and PATCH values: by marshmallow, then by the rules that concern several values."""

from collections.abc import Iterable, Mapping, Sized
from functools import lru_cache
from typing import Any

import marshmallow as ma

from scim.errors import InvalidValue, Mutability
from scim.schema.attributes import Attribute
from scim.schema.fields import first_error
from scim.schema.resource_schemas import canonical_value, canonicalise, patch_field, resource_schema
from scim.schema.resource_types import ResourceType, Target
from scim.schema.values import is_unassigned
from storage.base import Document

MAX_ELEMENTS = 1_000


def load_resource(type: ResourceType, body: Mapping[str, Any]) -> tuple[Document, list[str]]:
    """Return a resource as it is stored, without id and meta, and the names that no schema knows.

    Attributes that are readOnly (RFC 7644 section 3.3), never returned or without a value (RFC 7643 section 2.5) are
    left out. Raises InvalidValue, InvalidSyntax.
    """
    unknown: list[str] = []
    urns = {key: urn for key in body if (urn := type.urn(key))}
    canonical = canonicalise(type.by_name, {key: body[key] for key in body if key not in urns}, "", unknown)
    for key, urn in urns.items():
        value = body[key]
        if urn != type.schema.id and value is not None:
            names = type.schemas[urn].by_name
            canonical[urn] = canonicalise(names, value, f"{urn}:", unknown) if isinstance(value, dict) else value
    try:
        loaded: Document = resource_schema(type).load(canonical)
    except ma.ValidationError as error:
        raise InvalidValue(_sentence("", error.messages)) from None
    document = {name: value for name, value in loaded.items() if not is_unassigned(value)}
    for extension, attributes in type.attributes_by_schema():
        _check_elements(attributes, document if extension is None else document.get(extension, {}))
    set_schemas(type, document)
    return document, unknown


def _check_elements(attributes: Iterable[Attribute], values: Mapping[str, Any]) -> None:
    for attribute in attributes:
        if attribute.multi_valued and attribute.name in values:
            check_element_count(attribute, values[attribute.name])
            _check_one_primary(attribute, values[attribute.name])


def set_schemas(type: ResourceType, document: Document) -> None:
    """Set `schemas` to the schemas in use: the type's own and the extensions that have a value."""
    document["schemas"] = [urn for urn in type.schemas if urn == type.schema.id or document.get(urn)]


def load_value(target: Target, value: Any, unknown: list[str], *, element: bool = False) -> Any:
    """Return a PATCH value for a target as it is stored, and add unknown names to `unknown`.

    For a multi-valued attribute it is a list, even if one element was sent; with `element`, it is (part of) one
    element. Within a single complex value, null removes a sub-attribute. Raises InvalidValue, Mutability.
    """
    leaf = target.leaf
    many = leaf.multi_valued and not element
    if many and (isinstance(value, dict) if leaf.type == "complex" else not isinstance(value, list)):
        value = [value]
    check_writable(target)
    value = canonical_value(leaf, value, f"{target}.", unknown, nulls=not many)
    try:
        loaded = patch_field(leaf, many=many).deserialize(value, partial=True)
    except ma.ValidationError as error:
        raise InvalidValue(_sentence(str(target), error.messages)) from None
    if many:
        check_element_count(leaf, loaded)
    return loaded


def check_writable(target: Target) -> None:
    """Raise Mutability if the target is readOnly."""
    if any(attribute and attribute.mutability == "readOnly" for attribute in (target.attribute, target.sub)):
        raise Mutability(f"{target} is readOnly.")


def check_required(type: ResourceType, document: Document) -> None:
    """Raise Mutability if a required attribute has lost its value (RFC 7644 section 3.5.2.2)."""
    for extension, attributes in _with_requirements(type):
        container = document if extension is None else document.get(extension)
        if container is None:
            if extension in type.required_extensions:
                raise Mutability(f"{extension} is required and cannot be removed.")
            continue
        for attribute in attributes:
            if attribute.required and attribute.name not in container:
                raise Mutability(f"{Target(extension, attribute)} is required and cannot be removed.")
            for sub in attribute.required_subs:
                if any(sub.name not in element for element in attribute.elements(container.get(attribute.name))):
                    raise Mutability(f"{Target(extension, attribute, sub)} is required and cannot be left out.")


@lru_cache(maxsize=256)
def _with_requirements(type: ResourceType) -> list[tuple[str | None, list[Attribute]]]:
    """Return the attributes that are required or have required sub-attributes, by schema."""
    return [
        (extension, [attribute for attribute in attributes if attribute.required or attribute.required_subs])
        for extension, attributes in type.attributes_by_schema()
    ]


def check_element_count(attribute: Attribute, elements: Sized) -> None:
    """Raise InvalidValue if there are too many elements; references are not limited."""
    if len(elements) > MAX_ELEMENTS and not attribute.refers_to:
        raise InvalidValue(f"{attribute.name} has more than {MAX_ELEMENTS} elements.")


def _check_one_primary(attribute: Attribute, elements: list[Any]) -> None:
    """Raise InvalidValue if "primary" is true more than once (RFC 7643 section 2.4)."""
    if (
        "primary" in attribute.sub_attributes_by_name
        and sum(element.get("primary") is True for element in elements) > 1
    ):
        raise InvalidValue(f'{attribute.name} has more than one element whose "primary" is true.')


def _sentence(where: str, messages: Any) -> str:
    """Return the first of marshmallow's messages as a sentence about an attribute."""
    keys, text = first_error(messages)
    for key in keys:
        if isinstance(key, int):
            where = f"{where}[{key}]"
        else:
            where = f"{where}:{key}" if where.lower().startswith("urn:") and "[" not in where else _join(where, key)
    return f"{where} {text}."


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
