"""How Microsoft Entra ID speaks SCIM where that differs from RFC 7644, turned into what the RFC says.

Everything here is a function from a request to the request that the RFC would have; nothing else in the project
knows Entra. "Legacy" is what Entra sends by default, "flag" what it sends with aadOptscim062020 in the Tenant URL;
provisioning on demand ignores the flag, so one tenant sends both. Sources: [use-scim] "Use SCIM to provision users
and groups", [compat] "SCIM 2.0 protocol compliance of the Microsoft Entra provisioning service", [attr] "Customize
attribute mappings", [tests] the request templates of AzureAD/SCIMReferenceCode; where it says "seen", requests that
operators of other SCIM services have published.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from scim.attributes import Attribute, fold
from scim.errors import InvalidSyntax, ScimError
from scim.filters import (
    And,
    Bare,
    Compare,
    Element,
    Filter,
    Literal,
    Not,
    Or,
    PathText,
    Present,
    parse_path,
    unparse,
)
from scim.members import GROUP
from scim.messages import PATCH_OP, SEARCH_REQUEST
from scim.paths import Path, read_path
from scim.registry import ResourceType, Target
from scim.tolerance import Tolerance

JsonObject = dict[str, Any]


# Requests as a whole


def clean_target(path: str, query: str) -> tuple[str, str]:
    """Return path and query of a request as they were meant.

    A Tenant URL that ends in a slash gives `//Users`, Microsoft's Postman collection has `/Users/?filter=`, and a
    flag at the end of the Tenant URL can come before the path: `?aadOptscim062020/Users?filter=`.
    """
    flag, slash, rest = query.partition("/")
    if slash and fold(flag) in _FLAGS:
        appended, _, query = rest.partition("?")
        path = f"{path}/{appended}"
    cleaned = "/".join(part for part in path.split("/") if part)
    return f"/{cleaned}", query


_FLAGS = ("aadoptscim062020", "azureadscimpatch2017")


def bearer_token(header: str) -> tuple[str, bool]:
    """Return the token of an Authorization header, and whether its prefix was pasted into Entra along with it."""
    scheme, _, token = header.strip().partition(" ")
    if fold(scheme) != "bearer":
        return "", False
    again, _, rest = token.strip().partition(" ")
    doubled = fold(again) == "bearer" and bool(rest)
    return (rest if doubled else token).strip(), doubled


def answers_patch_with_resource(type: ResourceType) -> bool:
    """Tell whether PATCH answers 200 with the resource; for a group, with all its members, it is 204 [use-scim]."""
    return type.name != GROUP


def search_request(body: Mapping[str, Any]) -> JsonObject:
    """Return the body of a .search; without `schemas` it is taken for what its endpoint expects."""
    return {"schemas": [SEARCH_REQUEST], **_assigned(body)}


def bulk_request(body: Mapping[str, Any], urn: str) -> JsonObject:
    """Return the body of a bulk request; without `schemas` it is taken for what its endpoint expects."""
    return {"schemas": [urn], **_assigned(body)}


# Names and filters


def attribute_name(type: ResourceType, name: str) -> str:
    """Return an attribute's name in RFC 7644's notation.

    Jobs from before 2018 put a dot behind an extension's URN: `...enterprise:2.0:User.manager` [compat]. An
    extension's attribute can stand without its URN: `manager` [use-scim].
    """
    if type.resolve(name) or not name.isascii():
        return name
    for urn in type.schemas:
        if fold(name).startswith(fold(urn) + "."):
            return f"{urn}:{name[len(urn) + 1 :]}"
    for schema in type.extensions:
        if ":" not in name and type.resolve(f"{schema.id}:{name}"):
            return f"{schema.id}:{name}"
    return name


def filter_tree(type: ResourceType, tree: Filter) -> Filter:
    """Return the filter with names, literals and bracketed comparisons as RFC 7644 has them."""
    match tree:
        case And(terms):
            return And(tuple(filter_tree(type, term) for term in terms))
        case Or(terms):
            return Or(tuple(filter_tree(type, term) for term in terms))
        case Not(term):
            return Not(filter_tree(type, term))
        case Element(path, inner, rest):
            name = attribute_name(type, path)
            target = type.resolve(name)
            attribute = target.attribute if target else None
            if rest:  # emails[type eq "work"].value eq "x" [use-scim]; without .value in an older version: seen
                inner = And((inner, rest))
            return Element(name, _inner_tree(attribute, inner) if attribute else inner)
        case Present(path):
            return Present(attribute_name(type, path))
        case Compare(path, op, value):
            name = attribute_name(type, path)
            target = type.resolve(name)
            leaf = target.leaf if target and target.attribute else None
            return Compare(name, op, _literal(leaf, value))
    return tree


def _inner_tree(attribute: Attribute, tree: Filter) -> Filter:
    """Return a filter inside brackets with its literals typed."""
    match tree:
        case And(terms):
            return And(tuple(_inner_tree(attribute, term) for term in terms))
        case Or(terms):
            return Or(tuple(_inner_tree(attribute, term) for term in terms))
        case Not(term):
            return Not(_inner_tree(attribute, term))
        case Compare(path, op, value):
            sub = attribute if attribute.type != "complex" else attribute.subs.get(path)
            return Compare(path, op, _literal(sub, value))
    return tree


def _literal(attribute: Attribute | None, value: Literal) -> Literal:
    """Type a literal: without quotes it is a string (`externalId eq jyoung` [use-scim]), and `"True"` is a boolean."""
    if attribute is None:
        return str(value) if isinstance(value, Bare) else value
    if attribute.type == "boolean":
        return _boolean(str(value) if isinstance(value, Bare) else value)  # type: ignore[no-any-return]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, Bare) or (number and attribute.type in ("string", "complex")):
        return str(value)
    return value


# Resources


def resource(type: ResourceType, body: Mapping[str, Any]) -> JsonObject:
    """Return the resource of a POST or a PUT, or the value of a PATCH without a path."""
    result: JsonObject = {}
    for key, value in body.items():
        urn = type.urn(key)
        if urn and (isinstance(value, Mapping) or value is None):
            prefix = "" if urn == type.schema.id else f"{urn}:"
            for inner, one in (value or {}).items():
                _place(type, result, prefix + inner, one)
        else:
            _place(type, result, attribute_name(type, key), value)
    return result


def _place(type: ResourceType, result: JsonObject, name: str, value: Any) -> None:
    """Put a value where its name says: with the flag, keys are dotted or carry a URN (`name.givenName`) [compat]."""
    target = type.resolve(name)
    if target is None or target.attribute is None:
        result[name] = value
        return
    value = attribute_value(target, value)
    holder = result.setdefault(target.extension, {}) if target.extension else result
    attribute = target.attribute.name
    if target.sub:
        value = {target.sub.name: value}
        value = [value] if target.attribute.multi_valued else value
    both = isinstance(value, Mapping) and isinstance(holder.get(attribute), Mapping)
    if attribute in holder and not both:
        raise InvalidSyntax(f"{target} is there twice.")
    holder[attribute] = {**holder[attribute], **value} if both else value


def attribute_value(target: Target, value: Any, *, element: bool = False) -> Any:
    """Return a value in the form that the attribute's type has; None where it says that there is no value."""
    leaf = target.leaf
    if leaf.multi_valued and not element:
        if value is None or (isinstance(value, str) and not value):
            return None
        elements = value if isinstance(value, list) else [value]
        return [one for one in (_single(leaf, element) for element in elements) if one is not None]
    if isinstance(value, list) and len(value) == 1:  # manager as [{"value": ...}] [use-scim], .value as a list: seen
        value = value[0]
        if isinstance(value, Mapping) and leaf.type != "complex":
            value = value.get("value")
    return _single(leaf, value)


def _single(attribute: Attribute, value: Any) -> Any:
    if value == "":  # how a cleared attribute comes [tests]
        return None
    if attribute.type == "boolean":
        return _boolean(value)
    if attribute.type == "complex":
        return _complex(attribute, value)
    return value


def _boolean(value: Any) -> Any:
    """Read "True" and "False", which the default mapping of `active` makes [compat]."""
    return {"true": True, "false": False}.get(fold(value), value) if isinstance(value, str) else value


def _complex(attribute: Attribute, value: Any) -> Any:
    if isinstance(value, str) and "value" in attribute.subs:  # manager as the id alone [tests]
        value = {"value": value}
    if not isinstance(value, Mapping):
        return value
    result: JsonObject = {}
    for name, part in _role(attribute, value).items():
        sub = attribute.subs.get(name)
        if sub and sub.name in result:
            raise InvalidSyntax(f"{attribute.name}.{sub.name} is there twice.")
        result[sub.name if sub else name] = attribute_value(Target(None, attribute, sub), part) if sub else part
    gone = attribute.multi_valued and "value" in result and result["value"] is None
    return None if gone else result


def _role(attribute: Attribute, element: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read an app role: its parts are JSON in the value (legacy), or its name is a displayName [attr]."""
    value = element.get("value")
    if isinstance(value, str) and value.startswith("{"):
        try:
            decoded = json.loads(value)
        except (ValueError, RecursionError):
            return element
        if isinstance(decoded, dict) and "value" in decoded:
            element = {
                **element,
                **{name: decoded[name] for name in ("value", "displayName") if name in decoded},
            }
    if "display" in attribute.subs and "displayName" in element and "displayName" not in attribute.subs:
        element = {("display" if name == "displayName" else name): part for name, part in element.items()}
    return element


# PATCH


def patch_request(type: ResourceType, body: Mapping[str, Any]) -> JsonObject:
    """Return the PatchOp message that was meant. An empty list of operations is sent by Microsoft's validator."""
    result = {"schemas": [PATCH_OP], **_assigned(body)}
    name = next((name for name in result if fold(name) == "operations"), "")
    operations = result.pop(name, None)
    if isinstance(operations, list):
        operations = [one for raw in operations for one in patch_operation(type, raw)]
    return {**result, "Operations": operations} if operations is not None else result


def patch_operation(type: ResourceType, raw: Any) -> Iterator[Any]:
    """Yield what one operation means; what cannot be read is left for the protocol to refuse."""
    if not isinstance(raw, Mapping):
        yield raw
        return
    operation = {fold(name): part for name, part in raw.items()}
    if isinstance(operation.get("op"), str):
        operation["op"] = fold(operation["op"])  # Add, Replace, Remove (legacy) [compat]
    text, value = operation.get("path"), operation.get("value")
    if not text and isinstance(value, Mapping):
        kept = {name: part for name, part in resource(type, value).items() if name not in _ASSIGNED_HERE}
        yield {**operation, "value": kept}
        return
    try:
        path = read_path(strict_path(type, text), type) if isinstance(text, str) else None
    except ScimError:
        path = None
    if path is None:
        yield operation
    else:
        operation["path"] = strict_path(type, str(text))
        yield from (_removals(operation, path) if operation.get("op") == "remove" else _writes(type, operation, path))


# Clients send these along when they send back what they were given.
_ASSIGNED_HERE = ("id", "meta", "schemas")


@lru_cache(maxsize=4096)
def strict_path(type: ResourceType, text: str) -> str:
    """Return a PATCH path with names and literals as RFC 7644 has them; InvalidPath, InvalidFilter."""
    attribute, inner, sub = parse_path(text)
    name = attribute_name(type, attribute)
    target = type.resolve(name)
    if inner and target and target.attribute:
        inner = _inner_tree(target.attribute, inner)
    return str(PathText(name, inner, sub))


def _writes(type: ResourceType, operation: JsonObject, path: Path) -> Iterator[JsonObject]:
    target = path.target
    if "value" not in operation:
        yield operation
        return
    if target.attribute is None:
        value = operation["value"]
        inner = resource(type, {str(target): value}) if isinstance(value, Mapping) else {}
        yield {**operation, "value": inner.get(str(target), value)}
        return
    value = attribute_value(target, operation["value"], element=path.filter is not None)
    if value is not None:
        yield {**operation, "value": value}
    elif path.filter and target.sub and target.sub.name == "value":  # a cleared e-mail address is no address [tests]
        yield {"op": "remove", "path": operation["path"].rpartition(".")[0]}
    else:
        yield {"op": "remove", "path": operation["path"]}


def _removals(operation: JsonObject, path: Path) -> Iterator[JsonObject]:
    """Legacy removes members by listing them, which RFC 7644 would read as removing all [compat]."""
    target, listed = path.target, operation.pop("value", None)
    attribute = target.attribute
    if listed is None or path.filter or target.sub or attribute is None or not attribute.multi_valued:
        yield operation
        return
    for element in listed if isinstance(listed, list) else [listed]:
        selected = _selection(attribute, element)
        if selected:
            yield {"op": "remove", "path": f"{operation['path']}[{unparse(selected)}]"}


def _selection(attribute: Attribute, element: Any) -> Filter | None:
    """Return the filter that selects a listed element; None where it is empty."""
    value = _single(attribute, element)
    if attribute.type != "complex":
        return None if value is None else Compare("value", "eq", value)
    parts = value if isinstance(value, Mapping) else {}
    named = ("value",) if attribute.refers_to else ("value", "type")
    terms = tuple(Compare(name, "eq", parts[name]) for name in named if isinstance(parts.get(name), str))
    return And(terms) if terms else None


def new_element(attribute: Attribute, inner: Filter, sub: Attribute | None, value: Any) -> JsonObject | None:
    """Return the element that a PATCH adds where its filter selects none, or None where it names no single one.

    Entra sets a second e-mail address by `Add emails[type eq "other"].value`; RFC 7644 would have it fail.
    """
    parts = dict(_equalities(attribute, inner))
    if not parts:
        return None
    if sub:
        return {**parts, sub.name: value}
    return {**parts, **value} if isinstance(value, Mapping) else None


def _equalities(attribute: Attribute, tree: Filter) -> Iterable[tuple[str, Any]]:
    """Return what the terms of a conjunction of `eq` set; nothing if it is something else."""
    terms = tree.terms if isinstance(tree, And) else (tree,)
    found = []
    for term in terms:
        sub = attribute.subs.get(term.path) if isinstance(term, Compare) and term.op == "eq" else None
        if sub is None or not isinstance(term, Compare) or term.value is None:
            return ()
        found.append((sub.name, term.value))
    return found


TOLERANCE = Tolerance(attribute_name, filter_tree, new_element)


def _assigned(body: Mapping[str, Any]) -> JsonObject:
    return {name: value for name, value in body.items() if value not in (None, []) or fold(name) != "schemas"}
