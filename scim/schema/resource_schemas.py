"""Attributes -> marshmallow schemas: one class for each resource type, extension and complex attribute."""

from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Any

import marshmallow as ma

from scim.errors import InvalidSyntax, InvalidValue
from scim.schema.attributes import Attribute, AttributeMap
from scim.schema.fields import MESSAGES, simple_field
from scim.schema.resource_types import ResourceType
from scim.schema.values import is_unassigned


class AttributesSchema(ma.Schema):
    """The base of the generated schemas. They load the result of `canonicalise`."""

    def load(self, data: Any, *, partial: Any = None, **_: Any) -> dict[str, Any]:
        """Return the values by their attributes' names. Raises ValidationError.

        marshmallow's own `load` does more for each absent field, which makes a POST a third slower.
        """
        if not isinstance(data, dict):
            raise ma.ValidationError("must be an object")
        loaded: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in self._fields_by_name.items():
            if name in data or (field.required and not partial):
                try:
                    loaded[name] = field.deserialize(data.get(name, ma.missing), name, data, partial=partial)
                except ma.ValidationError as error:
                    errors[name] = error.messages
        if errors:
            raise ma.ValidationError(errors)
        return loaded

    @cached_property
    def _fields_by_name(self) -> dict[str, ma.fields.Field[Any]]:
        return {str(field.data_key): field for field in self.load_fields.values()}


def _schema_class(fields: dict[str, ma.fields.Field[Any]], name: str) -> type[ma.Schema]:
    """Return a schema class of fields by data key; as keys of a class, names such as "Meta" would clash."""
    for data_key, field in fields.items():
        field.data_key = data_key
    return AttributesSchema.from_dict({f"attribute {key}": field for key, field in fields.items()}, name=name)


def field_of(attribute: Attribute, *, many: bool, **options: Any) -> ma.fields.Field[Any]:
    """Return the field of an attribute, or of one element of it."""
    options = {"error_messages": MESSAGES, "allow_none": True, **options}
    if many:
        return ma.fields.List(field_of(attribute, many=False), **options)
    if attribute.type == "complex":
        return ma.fields.Nested(_schema_class(_fields(attribute.sub_attributes), attribute.name), **options)
    return simple_field(attribute, **options)


@lru_cache(maxsize=4096)
def patch_field(attribute: Attribute, *, many: bool) -> ma.fields.Field[Any]:
    """Return the field of a PATCH value."""
    return field_of(attribute, many=many, required=attribute.required)


@lru_cache(maxsize=256)
def resource_schema(type: ResourceType) -> ma.Schema:
    """Return the schema of a resource type, its extensions nested in it."""
    fields = _fields(type.top_level)
    for extension in type.extensions:
        required = extension.id in type.required_extensions
        nested = _schema_class(_fields(extension.attributes), extension.name)
        fields[extension.id] = ma.fields.Nested(nested, required=required, error_messages=MESSAGES)
    return _schema_class(fields, type.name)()


def _fields(attributes: Iterable[Attribute]) -> dict[str, ma.fields.Field[Any]]:
    return {
        attribute.name: field_of(attribute, many=attribute.multi_valued, required=attribute.required)
        for attribute in attributes
        if _is_stored(attribute)
    }


def _is_stored(attribute: Attribute) -> bool:
    """Return whether clients can write the attribute, and read what they have written."""
    return attribute.mutability != "readOnly" and attribute.returned != "never"


def canonicalise(
    names: AttributeMap, body: dict[str, Any], prefix: str, unknown: list[str], *, nulls: bool = False
) -> dict[str, Any]:
    """Return the writable attributes of an object that have a value, named as the schema does.

    Unknown names are added to `unknown`, under the prefix. With `nulls`, values that say what to remove are kept.
    Raises InvalidSyntax if an attribute appears twice.
    """
    result: dict[str, Any] = {}
    for key, value in body.items():
        attribute = names.get(key)
        if attribute is None:
            unknown.append(prefix + key)
        elif attribute.name in result:
            raise InvalidSyntax(f"{prefix}{attribute.name} appears twice.")
        elif _is_stored(attribute):
            if isinstance(value, dict | list):
                value = canonical_value(attribute, value, f"{prefix}{key}.", unknown)
            if value or nulls or not is_unassigned(value):
                result[attribute.name] = value
    return result


def canonical_value(attribute: Attribute, value: Any, prefix: str, unknown: list[str], *, nulls: bool = False) -> Any:
    """Return a value with its sub-attributes as `canonicalise` has them, without elements that have no value.

    Raises InvalidValue if an element should refer to a resource and has no `value`.
    """
    if isinstance(value, list):
        elements = [canonical_value(attribute, element, prefix, unknown) for element in value]
        is_reference = attribute.multi_valued and attribute.refers_to
        if is_reference and any(isinstance(element, dict) and "value" not in element for element in elements):
            raise InvalidValue(f'Each element of {prefix.rstrip(".")} needs a "value", the id of a resource.')
        return [element for element in elements if element == [] or not is_unassigned(element)]
    if isinstance(value, dict) and attribute.sub_attributes:
        return canonicalise(attribute.sub_attributes_by_name, value, prefix, unknown, nulls=nulls)
    return value
