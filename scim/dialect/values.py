"""Rewrites resources and values (RFC 7643)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from scim.dialect.names import attribute_name, boolean
from scim.errors import InvalidSyntax, InvalidValue, ScimError, shorten
from scim.protocol.json_body import parse_object
from scim.schema.attributes import Attribute, fold
from scim.schema.resource_types import ResourceType, Target

JsonObject = dict[str, Any]


def resource(type: ResourceType, body: Mapping[str, Any]) -> JsonObject:
    """Return the resource of a POST or PUT, or the value of a PATCH without a path."""
    result: JsonObject = {}
    for key, value in body.items():
        name = attribute_name(type, key)
        urn = type.urn(name)
        if urn and (isinstance(value, dict) or value is None):
            prefix = "" if urn == type.schema.id else f"{urn}:"
            if value is None and prefix:
                result.setdefault(urn, None)
            for inner, part in (value or {}).items():
                _set_by_name(type, result, prefix + inner, part)
        else:
            _set_by_name(type, result, name, value)
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
    value = unwrapped(attribute, value)
    if attribute.multi_valued and not element:
        return _elements(attribute, value)
    if isinstance(value, list) and len(value) == 1:
        if attribute.type == "complex":  # manager as [{"value": ...}] [use-scim]
            value = value[0]
        elif isinstance(value[0], dict):  # the value of a selected e-mail address as [{"value": ...}]: seen
            value = _bare(value[0])
    return single_value(attribute, value)


def unwrapped(attribute: Attribute, value: Any) -> Any:
    """Return the value of {"members": ...} where `members` is expected: Salesforce and ConnId send both."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if fold(name) == fold(attribute.name) and name not in attribute.sub_attributes_by_name:
            return inner
    return value


def _elements(attribute: Attribute, value: Any) -> Any:
    """Return a list of elements, None if there is no value, or the value itself if it cannot be an element."""
    if value is None or value == "":
        return None
    if isinstance(value, list):
        return [part for part in [single_value(attribute, element) for element in value] if part is not None]
    part = single_value(attribute, value)
    if attribute.type == "complex" and not isinstance(part, dict | None):
        return part
    return [] if part is None else [part]


def single_value(attribute: Attribute, value: Any) -> Any:
    """Return one value or element in the form of the attribute's type."""
    if value == "" and not (attribute.multi_valued and attribute.refers_to):  # a cleared attribute [tests]
        return None
    if attribute.type == "complex":
        if isinstance(value, str) and "value" in attribute.sub_attributes_by_name:
            value = {"value": value}  # a manager or a member as an id [tests], a role as its value: seen
        return _complex(attribute, value) if isinstance(value, dict) else value
    if attribute.multi_valued:
        value = _bare(value)
    return boolean(value) if attribute.type == "boolean" else value


def _bare(element: Any) -> Any:
    """Return x for {"value": x}, which clients send where a list of strings belongs."""
    if isinstance(element, dict):
        given = {fold(name): part for name, part in element.items() if part is not None or fold(name) == "value"}
        if given.keys() == {"value"}:
            return given["value"]
    return element


def _complex(attribute: Attribute, value: JsonObject) -> JsonObject | None:
    result: JsonObject = {}
    for name, part in _role(attribute, value).items():
        sub = _sub_attribute(attribute, name)
        if sub is None:
            result[name] = part
        elif sub.name in result:
            raise InvalidSyntax(f"{attribute.name}.{sub.name} appears twice.")
        else:
            result[sub.name] = attribute_value(sub, part)
    if attribute.refers_to and result.get("value") is None and isinstance(result.get("$ref"), str):
        result["value"] = _id_in(result["$ref"])
    gone = attribute.multi_valued and not attribute.refers_to and "value" in result and result["value"] is None
    return None if gone else result


def _sub_attribute(attribute: Attribute, name: str) -> Attribute | None:
    """Return the sub-attribute of a name, which may be the one that Entra's app roles or SCIM 1.1 use [attr]."""
    names = attribute.sub_attributes_by_name
    return names.get(name) or names.get({"displayname": "display", "managerid": "value"}.get(fold(name), ""))


def _id_in(address: str) -> str:
    """Return the id of the resource that has this address. Raises InvalidValue."""
    id = unquote(address.partition("?")[0].rstrip("/").rpartition("/")[2])
    if not id:
        raise InvalidValue(f'"{shorten(address)}" is not the address of a resource.')
    return id


def _role(attribute: Attribute, element: JsonObject) -> JsonObject:
    """Return the parts of an app role, which are JSON in the value [attr]."""
    value = element.get("value")
    if attribute.name == "roles" and isinstance(value, str) and value.startswith("{"):
        try:
            decoded = parse_object(value)
        except ScimError:
            return element
        if "value" in decoded:
            return {**element, **{name: part for name, part in decoded.items() if name != "id"}}
    return element
