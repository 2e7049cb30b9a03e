"""Reading a Microsoft Graph synchronizationSchema, the file that "Review your schema" exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from entra import expressions, scoping, texts
from entra.expressions import Attribute, Constant, Expression, ExpressionError
from entra.mapping import AttributeMapping, MappingSet, ObjectMapping
from entra.targets import Target

Schema = dict[str, Any]
LISTS = frozenset({
    "synchronizationRules", "directories", "objectMappings", "attributeMappings", "objects", "attributes",
    "parameters", "groups", "clauses",
})  # fmt: skip
TEXTS = frozenset({
    "name", "expression", "targetAttributeName", "targetObjectName", "targetDirectoryName", "sourceOperandName",
    "operatorName", "flowTypes", "flowType", "defaultValue",
})  # fmt: skip
SHAPES: dict[type, frozenset[str]] = {
    list: LISTS | {"values"},
    dict: frozenset({"source", "scope", "targetOperand"}),
    str: TEXTS,
    int: frozenset({"matchingPriority"}),
}
NAMES = {list: "list", dict: "object", str: "text", int: "number"}
TARGET_DIRECTORIES = ("customappsso", "scim")


class NoSchemaError(ValueError):
    """The file is not a synchronizationSchema of a provisioning job that goes out to an application."""


def load(text: str | bytes) -> Schema:
    """Parse and check an exported schema. Raises NoSchemaError, which says what is wrong with it."""
    try:
        schema = texts.parse(text)
    except ValueError as error:
        raise NoSchemaError(f"not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise NoSchemaError("a synchronizationSchema is a JSON object")
    if isinstance(schema.get("schema"), dict):  # the portal's export of a whole job wraps it
        schema = schema["schema"]
    found: Schema = schema
    for key in ("synchronizationRules", "directories"):
        if not isinstance(schema.get(key), list):
            raise NoSchemaError(f'it has no "{key}" list, which every synchronizationSchema has')
    _check_shape(found, "the file")
    object_mapping(found, "User")
    return found


def mappings(schema: Schema) -> MappingSet:
    """Make the mapping set of an exported schema; what is not understood is named in `left_out`."""
    left_out: list[str] = []
    users = _read(object_mapping(schema, "User"), "User", left_out)
    try:
        groups = _read(object_mapping(schema, "Group"), "Group", left_out)
    except NoSchemaError:
        groups = ObjectMapping("Group", (), actions=frozenset())
    if not users.matching:
        raise NoSchemaError("no user mapping has a matchingPriority: Entra would not know how to find a user")
    return MappingSet(users, groups, tuple(left_out))


def object_mapping(schema: Schema, kind: str) -> Schema:
    """Find the mapping whose target object is of this kind. Raises NoSchemaError when there is none."""
    for rule in outbound_rules(schema):
        for candidate in rule.get("objectMappings") or []:
            if str(candidate.get("targetObjectName", "")).rpartition(":")[2].casefold() == kind.casefold():
                if candidate.get("attributeMappings") is None:
                    raise NoSchemaError(f'the {kind} mapping has no "attributeMappings" list')
                found: Schema = candidate
                return found
    raise NoSchemaError(f"no outbound synchronization rule maps objects to {kind}")


def outbound_rules(schema: Schema) -> list[Schema]:
    """Find the rules that write to the application: every rule, where none names a known target."""
    rules: list[Schema] = schema["synchronizationRules"]
    named = [r for r in rules if str(r.get("targetDirectoryName", "")).casefold() in TARGET_DIRECTORIES]
    return named or rules


def _read(raw: Schema, kind: str, left_out: list[str]) -> ObjectMapping:
    scope, unknown = scoping.from_graph(raw.get("scope"))
    left_out.extend(f"{kind}: {name}" for name in unknown)
    actions = {word.strip().casefold() for word in str(raw.get("flowTypes") or "Add,Update,Delete").split(",")}
    if raw.get("enabled") is False:
        actions = set()
    return ObjectMapping(kind, tuple(_rows(raw, kind, left_out)), scope, frozenset(actions))


def _rows(raw: Schema, kind: str, left_out: list[str]) -> Iterator[AttributeMapping]:
    for entry in raw["attributeMappings"]:
        name = str(entry.get("targetAttributeName"))
        try:
            yield AttributeMapping(
                Target.parse(name),
                _source(entry.get("source") or {}),
                int(entry.get("matchingPriority") or 0),
                entry.get("flowType") == "ObjectAddOnly",
                entry.get("defaultValue") or None,
            )
        except ValueError as error:
            left_out.append(f"{kind}.{name}: {error}")


def _source(raw: Schema) -> Expression:
    if raw.get("type") == "Constant":
        return Constant(_constant(raw))
    if raw.get("expression"):
        return expressions.parse(raw["expression"])
    name = str(raw.get("name") or "")
    if raw.get("type") == "Attribute" and name:
        return Attribute(name)
    if raw.get("type") == "Function":
        parameters = raw.get("parameters") or []
        return expressions.call(name, tuple(map(_argument, parameters)))
    raise ExpressionError(f"its source has neither an expression nor a name: {json.dumps(raw)[:80]}")


def _argument(parameter: Schema) -> Expression | None:
    value = parameter.get("value")
    if value is not None and not isinstance(value, dict):
        raise ExpressionError(f"a parameter is no source: {json.dumps(value)[:80]}")
    return _source(value) if value else None


def _constant(raw: Schema) -> str:
    text = str(raw.get("expression") or raw.get("name") or "")
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _check_shape(value: Any, where: str) -> None:
    """Refuse a schema in which something is not of the type that Microsoft Graph documents; null is left out."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            _check_shape(item, f"{where}[{number}]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            kind = next((kind for kind, keys in SHAPES.items() if key in keys), None)
            if inner is not None and kind is not None and not isinstance(inner, kind):
                raise NoSchemaError(f'"{key}" in {where} should be a {NAMES[kind]}')
            if key in LISTS and not all(isinstance(item, dict) for item in inner or []):
                raise NoSchemaError(f'"{key}" in {where} should hold objects')
            _check_shape(inner, key)
