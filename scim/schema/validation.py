"""Takes in a resource or a PATCH value: every value through a marshmallow field, then what goes beyond one value."""

from collections.abc import Mapping, Sized
from functools import lru_cache
from typing import Any

import marshmallow as ma

from scim.errors import InvalidValue, Mutability
from scim.schema.attributes import Attribute
from scim.schema.fields import field_of, field_of_object, first_error
from scim.schema.resource_types import ResourceType, Target
from storage.base import Document

MAX_ELEMENTS = 1_000


def load_resource(type: ResourceType, body: Mapping[str, Any]) -> tuple[Document, list[str]]:
    """Return a resource as it will be stored, without id and meta, and the names that no schema knows.

    Read-only attributes are left out (RFC 7644 section 3.3), and so is what would never be returned; null and an
    empty list are no value (RFC 7643 section 2.5). Raises InvalidValue, InvalidSyntax.
    """
    unknown: list[str] = []
    core: dict[str, Any] = {}
    extensions: dict[str, Any] = {}
    for key, value in body.items():
        urn = type.urn(key)
        if urn:
            extensions[urn] = value
        else:
            core[key] = value
    document: Document = _load(type.top_level, core, "", unknown)
    for schema in type.extensions:
        value = extensions.get(schema.id)
        if value is None and schema.id not in type.required_extensions:
            continue
        if not isinstance(value, dict):
            problem = "is required" if value is None else "must be an object"
            raise InvalidValue(f"{schema.id} {problem}.")
        loaded = _load(schema.attributes, value, f"{schema.id}:", unknown)
        if loaded:
            document[schema.id] = loaded
    set_schemas(type, document)
    return document, unknown


def set_schemas(type: ResourceType, document: Document) -> None:
    """Let `schemas` say what the document holds: the type's schema and the extensions with a value."""
    document["schemas"] = [urn for urn in type.schemas if urn == type.schema.id or document.get(urn)]


def load_value(target: Target, value: Any, unknown: list[str], *, element: bool = False) -> Any:
    """Return a PATCH value for a target as it will be stored, and note the names that no schema knows.

    For a multi-valued attribute that is a list, whether one element was sent or several; with `element` it is the
    part of an element that a filter selects. Within a single complex value, null says what to take away.
    Raises InvalidValue, Mutability.
    """
    leaf = target.leaf
    many = leaf.multi_valued and not element
    if many and not isinstance(value, list):
        value = [value]
    check_writable(target)
    inside: dict[str, Any] = {"prefix": f"{target}.", "unknown": unknown} if leaf.sub_attributes else {}
    try:
        loaded = field_of(leaf, many=many, partial=True).deserialize(value, **inside)
    except ma.ValidationError as error:
        raise InvalidValue(_sentence(str(target), error.messages)) from None
    if many:
        check_element_count(leaf, loaded)
    return loaded


def check_writable(target: Target) -> None:
    """Raise Mutability if no client may change what is at the target."""
    if any(one and one.mutability == "readOnly" for one in (target.attribute, target.sub)):
        raise Mutability(f"{target} is readOnly.")


def check_required(type: ResourceType, document: Document) -> None:
    """Raise Mutability if a required attribute has lost its value (RFC 7644 section 3.5.2.2)."""
    for extension, attributes in _demanding(type):
        container = document if extension is None else document.get(extension)
        if container is None:
            if extension in type.required_extensions:
                raise Mutability(f"{extension} is required and cannot be removed.")
            continue
        for attribute in attributes:
            if attribute.required and attribute.name not in container:
                raise Mutability(f"{Target(extension, attribute)} is required and cannot be removed.")
            for sub in attribute.required_subs:
                held = container.get(attribute.name, [])
                elements = held if isinstance(held, list) else [held]
                # What was stored before it became complex lacks nothing: else no PATCH at all would be possible.
                if any(isinstance(one, dict) and sub.name not in one for one in elements):
                    raise Mutability(f"{Target(extension, attribute, sub)} is required and cannot be left out.")


@lru_cache(maxsize=256)
def _demanding(type: ResourceType) -> list[tuple[str | None, list[Attribute]]]:
    """Return where attributes stand, and which of them are required or have required sub-attributes."""
    return [
        (extension, [one for one in attributes if one.required or one.required_subs])
        for extension, attributes in type.attributes_by_schema()
    ]


def _load(
    attributes: tuple[Attribute, ...], body: Mapping[str, Any], prefix: str, unknown: list[str]
) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = field_of_object(attributes).deserialize(body, prefix=prefix, unknown=unknown)
    except ma.ValidationError as error:
        raise InvalidValue(_sentence(prefix.rstrip(":"), error.messages)) from None
    for attribute in attributes:
        if attribute.multi_valued and attribute.name in loaded:
            check_element_count(attribute, loaded[attribute.name])
            _check_one_primary(attribute, loaded[attribute.name])
    return loaded


def check_element_count(attribute: Attribute, elements: Sized) -> None:
    """Raise InvalidValue if there are more elements than a resource may hold; references have no bound."""
    if len(elements) > MAX_ELEMENTS and not attribute.refers_to:
        raise InvalidValue(f"{attribute.name} has more than {MAX_ELEMENTS} elements.")


def _check_one_primary(attribute: Attribute, elements: list[Any]) -> None:
    """Hold RFC 7643 section 2.4: "primary" is true at most once."""
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
