"""PATCH: legacy and flag operations, on their way to those of RFC 7644 section 3.5.2."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scim.dialect.names import attribute_name, inner_tree
from scim.dialect.requests import canonicalise_keys, drop_empty_schemas
from scim.dialect.values import attribute_value, resource, single_value
from scim.errors import ScimError
from scim.filters import And, Compare, Filter, PathText, cached_if_short, parse_path, unparse
from scim.filters.lexer import MAX_LENGTH
from scim.protocol.messages import PATCH_OP
from scim.protocol.paths import Path, read_path
from scim.schema.attributes import Attribute, fold
from scim.schema.resource_types import ResourceType

JsonObject = dict[str, Any]


def patch_request(type: ResourceType, body: Mapping[str, Any]) -> JsonObject:
    """Return the PatchOp message that was meant. An empty list of operations is sent by Microsoft's validator."""
    result = {"schemas": [PATCH_OP], **drop_empty_schemas(canonicalise_keys(body, "Operations"))}
    operations = result.pop("Operations", None)
    if isinstance(operations, list):
        operations = [one for raw in operations for one in patch_operation(type, raw)]
    return {**result, "Operations": operations} if operations is not None else result


def patch_operation(type: ResourceType, raw: Any) -> Iterator[Any]:
    """Yield what one operation means; what cannot be read is left for the protocol to refuse."""
    if not isinstance(raw, dict):
        yield raw
        return
    operation = canonicalise_keys(raw, "op", "path", "value")
    if operation.get("path", "") is None:  # null is no value, and serialisers write it
        del operation["path"]
    if isinstance(operation.get("op"), str):
        operation["op"] = fold(operation["op"])  # Add, Replace, Remove (legacy) [compat]
    text, value = operation.get("path"), operation.get("value")
    if not text and isinstance(value, dict):
        yield from _without_path(type, operation, value)
        return
    if not isinstance(text, str):
        yield operation
        return
    try:
        operation["path"], path = strict_path(text, type)
    except ScimError:
        yield operation
        return
    yield from (_removals(operation, path) if operation.get("op") == "remove" else _writes(type, operation, path))


def _without_path(type: ResourceType, operation: JsonObject, value: Mapping[str, Any]) -> Iterator[JsonObject]:
    """Yield the operation, and one more for each key that is a path into elements: `emails[type eq "work"].value`."""
    selecting = {name: part for name, part in value.items() if "[" in name or _is_part_of_elements(type, name)}
    rest = resource(type, {name: part for name, part in value.items() if name not in selecting})
    yield {**operation, "value": {name: part for name, part in rest.items() if name not in _ASSIGNED_HERE}}
    for name, part in selecting.items():
        yield from patch_operation(type, {"op": operation.get("op"), "path": name, "value": part})


def _is_part_of_elements(type: ResourceType, name: str) -> bool:
    target = type.resolve(attribute_name(type, name))
    return bool(target and target.attribute and target.sub and target.attribute.multi_valued)


# Clients send these along when they send back what they were given.
_ASSIGNED_HERE = ("id", "meta", "schemas")


@cached_if_short
def strict_path(text: str, type: ResourceType) -> tuple[str, Path]:
    """Return a PATCH path with names and literals as RFC 7644 has them, and what it means; as `read_path`."""
    attribute, inner, sub = parse_path(text)
    name = attribute_name(type, attribute)
    target = type.resolve(name)
    if inner and target and target.attribute:
        inner = inner_tree(target.attribute, inner)
    strict = str(PathText(name, inner, sub))
    return strict, read_path(strict, type)


def _writes(type: ResourceType, operation: JsonObject, path: Path) -> Iterator[JsonObject]:
    target = path.target
    if "value" not in operation:
        yield operation
        return
    if target.attribute is None:
        value = operation["value"]
        inner = resource(type, {str(target): value}) if isinstance(value, dict) else {}
        yield {**operation, "value": inner.get(str(target), value)}
        return
    value = attribute_value(target.leaf, operation["value"], element=path.filter is not None)
    if value is None and path.filter and target.sub and target.sub.name == "value":
        yield {"op": "remove", "path": operation["path"].rpartition(".")[0]}  # a cleared e-mail is no address [tests]
    else:
        yield {**operation, "value": value}


def _removals(operation: JsonObject, path: Path) -> Iterator[JsonObject]:
    """Legacy removes members by listing them, which RFC 7644 would read as removing all [compat]; a manager alike."""
    target, listed = path.target, operation.pop("value", None)
    attribute = target.attribute
    if listed is None or path.filter or target.sub or attribute is None:
        yield operation
        return
    elements = listed if isinstance(listed, list) else [listed]
    selections = [unparse(selected) for element in elements if (selected := _selection(attribute, element))]
    if not attribute.multi_valued and not (attribute.refers_to and selections):
        yield operation
        return
    for together in _together(selections):
        yield {"op": "remove", "path": f"{operation['path']}[{' or '.join(together)}]"}


def _together(selections: Iterable[str]) -> Iterator[list[str]]:
    """Yield the selections in lots: a filter's length and its number of terms are bounded."""
    lot: list[str] = []
    length = 0
    for one in selections:
        if lot and (len(lot) == _MOST or length + len(one) > _LONGEST):
            yield lot
            lot, length = [], 0
        lot.append(one)
        length += len(one)
    if lot:
        yield lot


_MOST, _LONGEST = 100, MAX_LENGTH // 2  # the other half is for the path and what joins them


def _selection(attribute: Attribute, element: Any) -> Filter | None:
    """Return the filter that selects a listed element; None where it is empty."""
    value = single_value(attribute, element, alone=True)
    parts = value if isinstance(value, dict) else {}
    if attribute.type != "complex":
        value = parts.get("value") if parts else value  # listed as elements of complex attributes are
        return None if value is None else Compare("value", "eq", value)
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
    return {**parts, **value} if isinstance(value, dict) else None


def _equalities(attribute: Attribute, tree: Filter) -> Iterable[tuple[str, Any]]:
    """Return what the terms of a conjunction of `eq` set; nothing if it is something else."""
    terms = tree.terms if isinstance(tree, And) else (tree,)
    found = []
    for term in terms:
        sub = attribute.sub_attributes_by_name.get(term.path) if isinstance(term, Compare) and term.op == "eq" else None
        if sub is None or not isinstance(term, Compare) or term.value is None:
            return ()
        found.append((sub.name, term.value))
    return found
