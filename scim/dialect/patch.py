"""PATCH: legacy and flag operations, rewritten as those of RFC 7644 section 3.5.2."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from scim.dialect.names import attribute_name, inner_tree
from scim.dialect.values import attribute_value, resource, single_value, unwrapped
from scim.errors import InvalidValue
from scim.filters import And, Compare, Filter, Or, PathText, parse_path
from scim.protocol.paths import PatchOperation, Path, resolve_path
from scim.schema.attributes import Attribute
from scim.schema.resource_types import ResourceType

JsonObject = dict[str, Any]

# Clients send these along when they send back a resource that they have read.
_ASSIGNED_HERE = ("id", "meta", "schemas")


def patch_operations(type: ResourceType, operations: Iterable[PatchOperation]) -> Iterator[PatchOperation]:
    """Yield what the operations mean. Raises InvalidPath, InvalidSyntax, InvalidValue."""
    for operation in operations:
        path = operation.path and _strict_path(type, operation.path)
        operation = replace(operation, path=path)
        urn = type.urn(path.attribute) if path and path.filter is None else None
        if urn == type.schema.id:
            operation = replace(operation, path=None)
        elif urn and isinstance(operation.value, dict) and operation.op != "remove":
            operation = PatchOperation(operation.op, None, {urn: operation.value})
        if operation.path is not None:
            yield from _with_path(type, operation, operation.path)
        elif isinstance(operation.value, dict):
            yield from _without_path(type, operation, operation.value)
        else:
            yield operation


def _strict_path(type: ResourceType, path: PathText) -> PathText:
    """Return the path with names and literals as RFC 7644 has them."""
    name = attribute_name(type, path.attribute)
    target = type.resolve(name)
    if path.filter and target and target.attribute:
        path = path._replace(filter=inner_tree(target.attribute, path.filter))
    return path._replace(attribute=name)


def _without_path(type: ResourceType, operation: PatchOperation, value: JsonObject) -> Iterator[PatchOperation]:
    """Yield the operation, and one more for each key that is a path into elements: `emails[type eq "work"].value`."""
    selecting: JsonObject = {}
    rest = resource(type, _without_paths(type, value, "", selecting))
    value = {name: part for name, part in rest.items() if name not in _ASSIGNED_HERE}
    yield PatchOperation(operation.op, None, value)
    for name, part in selecting.items():
        path = _strict_path(type, parse_path(name))
        yield from _with_path(type, PatchOperation(operation.op, path, part), path)


def _without_paths(type: ResourceType, value: JsonObject, prefix: str, paths: JsonObject) -> JsonObject:
    """Return the values whose keys are names, and add those whose keys are paths into elements to `paths`."""
    rest: JsonObject = {}
    for key, part in value.items():
        urn = None if prefix else type.urn(attribute_name(type, key))
        if urn and isinstance(part, dict):
            rest[key] = _without_paths(type, part, f"{urn}:", paths)
        elif "[" in key or _is_part_of_elements(type, prefix + key):
            paths[prefix + key] = part
        else:
            rest[key] = part
    return rest


def _is_part_of_elements(type: ResourceType, name: str) -> bool:
    target = type.resolve(attribute_name(type, name))
    return bool(target and target.attribute and target.sub and target.attribute.multi_valued)


def _with_path(type: ResourceType, operation: PatchOperation, text: PathText) -> Iterator[PatchOperation]:
    path = resolve_path(text, type)
    attribute = path.target.attribute
    if attribute and operation.op == "remove":
        yield from _removals(operation, text, path, attribute)
    elif attribute and operation.has_value:
        yield _write(operation, text, path, attribute)
    else:
        yield operation


def _write(operation: PatchOperation, text: PathText, path: Path, attribute: Attribute) -> PatchOperation:
    value = attribute_value(path.target.leaf, operation.value, element=path.filter is not None)
    if value is None and _is_value(path, attribute) and (path.filter or operation.op == "replace"):
        return PatchOperation("remove", _element_path(path))  # an e-mail without a value [tests]
    return PatchOperation(operation.op, text, value)


def _is_value(path: Path, attribute: Attribute) -> bool:
    """Return whether the path ends in the `value` of elements, which have no meaning without it."""
    selects = path.filter is not None or (attribute.multi_valued and not attribute.refers_to)
    return selects and path.target.sub is not None and path.target.sub.name == "value"


def _removals(operation: PatchOperation, text: PathText, path: Path, attribute: Attribute) -> Iterator[PatchOperation]:
    """Select the elements that "remove" lists: legacy lists members, a flag's manager is listed as well [compat].

    RFC 7644 would remove all of them.
    """
    listed = unwrapped(attribute, operation.value) if operation.has_value else None
    if _is_value(path, attribute):
        text = _element_path(path)
    elif path.target.sub:
        listed = None
    if listed is None or path.filter or not (attribute.multi_valued or attribute.refers_to):
        yield PatchOperation("remove", text)
        return
    elements = listed if isinstance(listed, list) else [listed]
    selected = tuple(filter for element in elements if (filter := _selection(attribute, element)))
    if selected:
        yield PatchOperation("remove", text._replace(filter=selected[0] if len(selected) == 1 else Or(selected)))
    elif not attribute.multi_valued:
        yield PatchOperation("remove", text)


def _element_path(path: Path) -> PathText:
    """Return the path of the elements that a path into them selects."""
    return PathText(str(replace(path.target, sub=None)), path.filter)


def _selection(attribute: Attribute, element: Any) -> Filter | None:
    """Return the filter that selects a listed element, or None if it is empty. Raises InvalidValue."""
    value = single_value(attribute, element)
    if value is None or (value == {} and not attribute.refers_to):
        return None
    if attribute.type != "complex":
        return Compare("value", "eq", value)
    parts = value if isinstance(value, dict) else {}
    names = ("value",) if attribute.refers_to else ("value", "type")
    terms = tuple(Compare(name, "eq", parts[name]) for name in names if isinstance(parts.get(name), str))
    if not terms:
        raise InvalidValue(f'An element of {attribute.name} to remove has no "value" in the request.')
    return terms[0] if len(terms) == 1 else And(terms)


def new_element(attribute: Attribute, inner: Filter, sub: Attribute | None, value: Any) -> JsonObject | None:
    """Return the element that PATCH adds if its filter selects none, or None if the filter is not a set of values.

    Entra sets a second e-mail address by `Add emails[type eq "other"].value`; by RFC 7644 that would fail.
    """
    parts = _equalities(attribute, inner)
    if not parts:
        return None
    if sub:
        return {**parts, sub.name: value}
    return {**parts, **value} if isinstance(value, Mapping) else None


def _equalities(attribute: Attribute, tree: Filter) -> JsonObject:
    """Return the values that a conjunction of `eq` demands, or nothing if the filter has other terms."""
    terms = tree.terms if isinstance(tree, And) else (tree,)
    found: JsonObject = {}
    for term in terms:
        sub = attribute.sub_attributes_by_name.get(term.path) if isinstance(term, Compare) and term.op == "eq" else None
        if sub is None or not isinstance(term, Compare) or term.value is None:
            return {}
        found[sub.name] = term.value
    return found
