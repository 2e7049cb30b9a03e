"""Takes in a resource: names to the schema's spelling, then every value through a marshmallow field of its type.

A field comes from an `Attribute` alone; the marshmallow schemas are compiled once for each tuple of attributes.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import marshmallow as ma

from scim.attributes import Attribute, Names, instant, is_base64
from scim.body import is_keepable
from scim.errors import InvalidSyntax, InvalidValue, Mutability
from scim.registry import ResourceType, Target
from storage.base import Document

MAX_INTEGER = 2**63 - 1
MAX_ELEMENTS = 1_000


class _Text(ma.fields.Field[str]):
    """A string, also where it is a reference: addresses are kept as they were sent, whatever they look like."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ma.ValidationError("must be a string")
        if not is_keepable(value):
            raise ma.ValidationError("must not have NUL characters or halves of surrogate pairs in it")
        return value


class _DateTime(_Text):
    """A dateTime, kept as it was sent."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        try:
            instant(text)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        return text


class _Binary(_Text):
    """Binary data as base64, kept as it was sent."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if not is_base64(text):
            raise ma.ValidationError("must be base64")
        return text


class _Boolean(ma.fields.Field[bool]):
    """true or false, where marshmallow's own takes words and numbers as well."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("must be true or false")
        return value


class _Number(ma.fields.Field[int | float]):
    """A number, whole where `whole`."""

    def __init__(self, *, whole: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._whole = whole

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> int | float:
        wanted = int if self._whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise ma.ValidationError("must be a whole number" if self._whole else "must be a number")
        if abs(value) > MAX_INTEGER:
            raise ma.ValidationError("is out of range")
        return value


_FIELDS: dict[str, Any] = {
    "string": _Text,
    "reference": _Text,
    "dateTime": _DateTime,
    "binary": _Binary,
    "boolean": _Boolean,
    "decimal": _Number,
    "integer": lambda **options: _Number(whole=True, **options),
}


@lru_cache(maxsize=4096)
def _field(attribute: Attribute, *, many: bool, partial: bool) -> ma.fields.Field[Any]:
    required = attribute.required and not partial
    options: dict[str, Any] = {"required": required, "allow_none": partial, "data_key": attribute.name}
    messages: dict[str, str | list[Any] | dict[Any, Any]] = {"required": "is required", "null": "is required"}
    if many:
        inner = _field(attribute, many=False, partial=partial)
        messages["invalid"] = "must be a list"
        return ma.fields.List(inner, error_messages=messages, **options)
    if attribute.type == "complex":
        schema = _compiled(attribute.sub_attributes, partial)
        return ma.fields.Nested(schema, error_messages=messages, **options)
    return _FIELDS[attribute.type](error_messages=messages, **options)  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def _compiled(attributes: tuple[Attribute, ...], partial: bool) -> ma.Schema:
    """Return the marshmallow schema of attributes that a client may write; `partial`: some of them, or null."""
    fields = {
        # marshmallow nests what has a dot in its name, so the name that counts is the data_key
        f"field{number}": _field(attribute, many=attribute.multi_valued, partial=partial)
        for number, attribute in enumerate(attributes)
        if attribute.mutability != "readOnly"
    }
    return _Compiled.from_dict(fields)(unknown=ma.RAISE)


class _Compiled(ma.Schema):
    """The base of every compiled schema: it answers with the attributes' own names."""

    error_messages = {"type": "must be an object"}

    @ma.post_load
    def _own_names(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {str(self.fields[field].data_key): value for field, value in data.items()}


def load_resource(type: ResourceType, body: Mapping[str, Any]) -> tuple[Document, list[str]]:
    """Return a resource as it will be stored, without id and meta, and the names that no schema knows.

    Read-only attributes are left out (RFC 7644 section 3.3), and so is what would never be returned; null and an
    empty list are no value (RFC 7643 section 2.5). InvalidValue, InvalidSyntax.
    """
    unknown: list[str] = []
    document: Document = {}
    extensions = {urn: value for key, value in body.items() if (urn := type.urn(key)) and urn != type.schema.id}
    core = {key: value for key, value in body.items() if not type.urn(key)}
    document |= _load(type.top_level, type.names, core, "", unknown)
    for schema in type.extensions:
        value = extensions.get(schema.id)
        if value is None and schema.id not in type.required_extensions:
            continue
        if not isinstance(value, Mapping):
            problem = "is required" if value is None else "must be an object"
            raise InvalidValue(f"{schema.id} {problem}.")
        loaded = _load(schema.attributes, schema.names, value, f"{schema.id}:", unknown)
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
    InvalidValue, Mutability.
    """
    leaf, where = target.leaf, str(target)
    many = leaf.multi_valued and not element
    if many and not isinstance(value, list):
        value = [value]
    refuse_read_only(leaf, where)
    if leaf.type == "complex":
        value = _canonical_elements(leaf, value, where, unknown, keep_null=not many)
    try:
        loaded = _field(leaf, many=many, partial=True).deserialize(value)
    except ma.ValidationError as error:
        raise InvalidValue(_sentence(where, error.messages)) from None
    if many:
        refuse_too_many(leaf, loaded)
    return loaded


def refuse_read_only(attribute: Attribute, where: str) -> None:
    """Raise Mutability if no client may change the attribute."""
    if attribute.mutability == "readOnly":
        raise Mutability(f"{where} is readOnly.")


def check_required(type: ResourceType, document: Document) -> None:
    """Raise Mutability if a required attribute has lost its value (RFC 7644 section 3.5.2.2)."""
    for extension, attributes in type.locations():
        holder = document if extension is None else document.get(extension)
        if holder is None:
            if extension in type.required_extensions:
                raise Mutability(f"{extension} is required and cannot be removed.")
            continue
        for attribute in attributes:
            if attribute.required and attribute.name not in holder:
                raise Mutability(f"{Target(extension, attribute)} is required and cannot be removed.")
            for sub in attribute.required_subs:
                elements = holder.get(attribute.name, [])
                if any(sub.name not in one for one in (elements if isinstance(elements, list) else [elements])):
                    raise Mutability(f"{Target(extension, attribute, sub)} is required and cannot be left out.")


def _load(
    attributes: tuple[Attribute, ...], names: Names, body: Mapping[str, Any], prefix: str, unknown: list[str]
) -> dict[str, Any]:
    canonical = _canonical(names, body, prefix, unknown, keep_null=False)
    try:
        loaded: dict[str, Any] = _compiled(attributes, False).load(canonical)
    except ma.ValidationError as error:
        raise InvalidValue(_sentence(prefix.rstrip(":"), error.messages)) from None
    for attribute in attributes:
        if attribute.multi_valued and attribute.name in loaded:
            refuse_too_many(attribute, loaded[attribute.name])
            _refuse_two_primaries(attribute, loaded[attribute.name])
    return loaded


def _canonical(
    names: Names, body: Mapping[str, Any], prefix: str, unknown: list[str], *, keep_null: bool
) -> dict[str, Any]:
    """Return the body with the schema's spelling, without what is unknown, unassigned, read-only or never kept."""
    result: dict[str, Any] = {}
    for key, value in body.items():
        attribute = names.get(key)
        if attribute is None:
            unknown.append(prefix + key)
        elif attribute.mutability != "readOnly" and attribute.returned != "never":
            if attribute.name in result:
                raise InvalidSyntax(f"{prefix}{attribute.name} is there twice.")
            value = _canonical_elements(attribute, value, prefix + key, unknown, keep_null=keep_null)
            if keep_null or value not in (None, [], {}):
                result[attribute.name] = value
    return result


def _canonical_elements(attribute: Attribute, value: Any, where: str, unknown: list[str], *, keep_null: bool) -> Any:
    if attribute.type != "complex":
        return value
    if isinstance(value, list):
        elements = [_canonical_elements(attribute, one, where, unknown, keep_null=keep_null) for one in value]
        return [element for element in elements if element not in (None, {})]
    if not isinstance(value, Mapping):
        return value
    return _canonical(attribute.subs, value, f"{where}.", unknown, keep_null=keep_null)


def refuse_too_many(attribute: Attribute, elements: list[Any]) -> None:
    """Raise InvalidValue if there are more elements than a resource may hold; references have no bound."""
    if len(elements) > MAX_ELEMENTS and not attribute.refers_to:
        raise InvalidValue(f"{attribute.name} has more than {MAX_ELEMENTS} elements.")


def _refuse_two_primaries(attribute: Attribute, elements: list[Any]) -> None:
    """Hold RFC 7643 section 2.4: "primary" is true at most once."""
    if "primary" in attribute.subs and sum(element.get("primary") is True for element in elements) > 1:
        raise InvalidValue(f'{attribute.name} has more than one element whose "primary" is true.')


def _sentence(where: str, messages: Any) -> str:
    """Return the first of marshmallow's messages as a sentence about an attribute."""
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        if isinstance(key, int):
            where = f"{where}[{key}]"
        elif key != "_schema":
            where = f"{where}:{key}" if where.lower().startswith("urn:") and "[" not in where else _join(where, key)
    return f"{where} {messages[0].rstrip('.')}."


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
