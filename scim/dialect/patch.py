"""PATCH: legacy and flag operations, rewritten as those of RFC 7644 section 3.5.2."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scim.dialect.names import attribute_name, inner_tree
from scim.dialect.values import attribute_value, resource, single_value
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
        if operation.path is not None:
            yield from _with_path(type, operation, operation.path)
        elif isinstance(operation.value, dict):
            yield from _without_path(type, operation, operation.value)
        else:
            yield operation


def _with_path(type: ResourceType, operation: PatchOperation, sent: PathText) -> Iterator[PatchOperation]:
    text = _strict_path(type, sent)
    path, operation = resolve_path(text, type), PatchOperation(operation.op, text, operation.value)
    yield from (_removals(operation, text, path) if operation.op == "remove" else _writes(type, operation, text, path))


def _strict_path(type: ResourceType, path: PathText) -> PathText:
    """Return the path with names and literals as RFC 7644 has them."""
    name = attribute_name(type, path.attribute)
    target = type.resolve(name)
    if path.filter and target and target.attribute:
        path = path._replace(filter=inner_tree(target.attribute, path.filter))
    return path._replace(attribute=name)


def _without_path(type: ResourceType, operation: PatchOperation, value: JsonObject) -> Iterator[PatchOperation]:
    """Yield the operation, and one more for each key that is a path into elements: `emails[type eq "work"].value`."""
    selecting = {name: part for name, part in value.items() if "[" in name or _is_part_of_elements(type, name)}
    rest = resource(type, {name: part for name, part in value.items() if name not in selecting})
    value = {name: part for name, part in rest.items() if name not in _ASSIGNED_HERE}
    yield PatchOperation(operation.op, None, value)
    for name, part in selecting.items():
        path = parse_path(name)
        yield from _with_path(type, PatchOperation(operation.op, path, part), path)


def _is_part_of_elements(type: ResourceType, name: str) -> bool:
    target = type.resolve(attribute_name(type, name))
    return bool(target and target.attribute and target.sub and target.attribute.multi_valued)


def _writes(type: ResourceType, operation: PatchOperation, text: PathText, path: Path) -> Iterator[PatchOperation]:
    target, value = path.target, operation.value
    if not operation.has_value:
        yield operation
    elif target.attribute is None:
        inner = resource(type, {str(target): value}) if isinstance(value, dict) else {}
        yield PatchOperation(operation.op, text, inner.get(str(target), value))
    else:
        value = attribute_value(target.leaf, value, element=path.filter is not None)
        if value is None and path.filter and target.sub and target.sub.name == "value":
            yield PatchOperation("remove", text._replace(sub=None))  # an e-mail without a value is removed [tests]
        else:
            yield PatchOperation(operation.op, text, value)


def _removals(operation: PatchOperation, text: PathText, path: Path) -> Iterator[PatchOperation]:
    """Select the elements that "remove" lists: legacy lists members, a flag's manager is listed as well [compat].

    RFC 7644 would remove all of them.
    """
    attribute, listed = path.target.attribute, operation.value if operation.has_value else None
    operation = PatchOperation("remove", text)
    if listed is None or path.filter or path.target.sub or attribute is None:
        yield operation
        return
    elements = listed if isinstance(listed, list) else [listed]
    selected = tuple(filter for element in elements if (filter := _selection(attribute, element)))
    if not attribute.multi_valued and not (attribute.refers_to and selected):
        yield operation
    elif selected:
        filter = selected[0] if len(selected) == 1 else Or(selected)
        yield PatchOperation("remove", text._replace(filter=filter))


def _selection(attribute: Attribute, element: Any) -> Filter | None:
    """Return the filter that selects a listed element, or None if it is empty."""
    value = single_value(attribute, element, alone=True)
    parts = value if isinstance(value, dict) else {}
    if attribute.type != "complex":
        value = parts.get("value") if parts else value  # listed as elements of complex attributes are
        return None if value is None else Compare("value", "eq", value)
    names = ("value",) if attribute.refers_to else ("value", "type")
    terms = tuple(Compare(name, "eq", parts[name]) for name in names if isinstance(parts.get(name), str))
    return (terms[0] if len(terms) == 1 else And(terms)) if terms else None


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
