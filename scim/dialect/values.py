"""Rewrites resources and values (RFC 7643)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from scim.dialect.names import attribute_name, boolean
from scim.errors import InvalidSyntax, InvalidValue, ScimError
from scim.protocol.json_body import parse_object
from scim.schema.attributes import Attribute
from scim.schema.resource_types import ResourceType, Target

JsonObject = dict[str, Any]


def resource(type: ResourceType, body: Mapping[str, Any]) -> JsonObject:
    """Return the resource of a POST or PUT, or the value of a PATCH without a path."""
    result: JsonObject = {}
    for key, value in body.items():
        target = type.resolve(key)
        if target and target.attribute:
            _set_value(result, target, value)
        elif (urn := type.urn(key)) and (isinstance(value, dict) or value is None):
            prefix = "" if urn == type.schema.id else f"{urn}:"
            if value is None and prefix:
                result.setdefault(urn, None)
            for inner, part in (value or {}).items():
                _set_by_name(type, result, prefix + inner, part)
        else:
            _set_by_name(type, result, attribute_name(type, key), value)
    return result


def _set_by_name(type: ResourceType, result: JsonObject, name: str, value: Any) -> None:
    target = type.resolve(name)
    if target and target.attribute:
        _set_value(result, target, value)
    else:
        result[name] = value


def _set_value(result: JsonObject, target: Target, value: Any) -> None:
    """Set a value by its full name: with the flag, keys have dots (`name.givenName`) or a URN [compat]."""
    assert target.attribute
    name, value = target.attribute.name, attribute_value(target.leaf, value)
    container = result
    if target.extension:
        if result.get(target.extension) is None:
            result[target.extension] = {}
        container = result[target.extension]
    if not isinstance(container, dict):
        raise InvalidValue(f"{target.extension} must be an object.")
    if target.sub:
        value = {target.sub.name: value}
        value = [value] if target.attribute.multi_valued else value
    before = container.get(name)
    if before is None:
        container[name] = value
    elif isinstance(value, dict) and isinstance(before, dict) and not before.keys() & value.keys():
        container[name] = {**before, **value}
    elif value is not None:
        raise InvalidSyntax(f"{target} appears twice.")


def attribute_value(attribute: Attribute, value: Any, *, element: bool = False) -> Any:
    """Return a value in the form of the attribute's type, or None if it has no value."""
    if value and isinstance(value, str) and attribute.is_plain:
        return value
    if attribute.multi_valued and not element:
        if value is None or value == "":
            return None
        elements = value if isinstance(value, list) else [value]
        return [part for part in [single_value(attribute, element) for element in elements] if part is not None]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]  # manager as [{"value": ...}] [use-scim]
        if attribute.type != "complex":  # the value of a selected e-mail address as [{"value": ...}]: seen
            value = value.get("value")
    return single_value(attribute, value, alone=True)


def single_value(attribute: Attribute, value: Any, *, alone: bool = False) -> Any:
    """Return one value or element in the form of the attribute's type; `alone` if it is not part of a list."""
    if value == "":  # a cleared attribute [tests]
        return None
    if attribute.type == "boolean":
        return boolean(value)
    if attribute.type == "complex":
        if alone and isinstance(value, str) and "value" in attribute.sub_attributes_by_name:  # manager as an id [tests]
            value = {"value": value}
        return _complex(attribute, value)
    return value


def _complex(attribute: Attribute, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    result: JsonObject = {}
    for name, part in _role(attribute, value).items():
        sub = attribute.sub_attributes_by_name.get(name)
        if sub is None:
            result[name] = part
        elif sub.name in result:
            raise InvalidSyntax(f"{attribute.name}.{sub.name} appears twice.")
        else:
            result[sub.name] = attribute_value(sub, part)
    if attribute.refers_to and result.get("value") is None and isinstance(result.get("$ref"), str):
        result["value"] = _id_in(result["$ref"])
    gone = attribute.multi_valued and "value" in result and result["value"] is None
    return None if gone else result


def _id_in(address: str) -> str | None:
    """Return the id of the resource that has this address."""
    return unquote(address.partition("?")[0].rstrip("/").rpartition("/")[2]) or None


def _role(attribute: Attribute, element: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parts of an app role, which are JSON in the value (legacy), or whose name is displayName [attr]."""
    value = element.get("value")
    if isinstance(value, str) and value.startswith("{"):
        try:
            decoded = parse_object(value)
        except ScimError:
            return element
        if "value" in decoded:
            element = {
                **element,
                **{name: decoded[name] for name in ("value", "displayName") if name in decoded},
            }
    if (
        "displayName" in element
        and "display" in attribute.sub_attributes_by_name
        and "displayName" not in attribute.sub_attributes_by_name
    ):
        element = {("display" if name == "displayName" else name): part for name, part in element.items()}
    return element
