"""Read a Microsoft Graph synchronizationSchema, the file that Entra's schema editor exports."""

import json
from collections.abc import Iterator
from typing import Any

from entra import expressions, scoping, strict_json
from entra.expressions import Attribute, Constant, Expression, ExpressionError
from entra.mapping import AttributeMapping, MappingSet, ObjectMapping
from entra.targets import Target

Schema = dict[str, Any]
OBJECT_LISTS = frozenset({
    "synchronizationRules", "directories", "objectMappings", "attributeMappings", "objects", "attributes",
    "parameters", "groups", "clauses",
})  # fmt: skip
TYPES: dict[str, type] = {
    **dict.fromkeys((*OBJECT_LISTS, "values"), list),
    **dict.fromkeys(("source", "scope", "targetOperand"), dict),
    **dict.fromkeys(("name", "expression", "defaultValue", "flowTypes", "flowType", "operatorName"), str),
    **dict.fromkeys(("targetAttributeName", "targetObjectName", "targetDirectoryName", "sourceOperandName"), str),
    "matchingPriority": int,
}
TYPE_NAMES = {list: "list", dict: "object", str: "string", int: "number"}
TARGET_DIRECTORIES = ("customappsso", "scim")


class NoSchemaError(ValueError):
    """The file is not the synchronizationSchema of an outbound provisioning job."""


def load(text: str | bytes) -> Schema:
    """Parse and check an exported schema. Raises NoSchemaError if it is invalid."""
    try:
        schema = strict_json.loads(text)
    except ValueError as error:
        raise NoSchemaError(f"not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise NoSchemaError("a synchronizationSchema is a JSON object")
    if isinstance(schema.get("schema"), dict):  # the portal's export of a whole job wraps it
        schema = schema["schema"]
    found: Schema = schema
    for key in ("synchronizationRules", "directories"):
        if not isinstance(found.get(key), list):
            raise NoSchemaError(f'it has no "{key}" list')
    _check_types(found, "the file")
    object_mapping(found, "User")
    return found


def mappings(schema: Schema) -> MappingSet:
    """Build the mapping set of an exported schema. Raises NoSchemaError if users cannot be matched."""
    unsupported: list[str] = []
    users = _read(object_mapping(schema, "User"), "User", unsupported)
    try:
        groups = _read(object_mapping(schema, "Group"), "Group", unsupported)
    except NoSchemaError:
        groups = ObjectMapping("Group", (), actions=frozenset())
    if not users.matching:
        raise NoSchemaError("no user mapping has a matchingPriority, so Entra could not match users")
    return MappingSet(users, groups, tuple(unsupported))


def object_mapping(schema: Schema, kind: str) -> Schema:
    """Find the mapping to this kind of target object. Raises NoSchemaError if it is missing."""
    for rule in outbound_rules(schema):
        for candidate in rule.get("objectMappings") or []:
            if str(candidate.get("targetObjectName", "")).rpartition(":")[2].casefold() == kind.casefold():
                if candidate.get("attributeMappings") is None:
                    raise NoSchemaError(f'the {kind} mapping has no "attributeMappings" list')
                found: Schema = candidate
                return found
    raise NoSchemaError(f"no outbound synchronization rule maps objects to {kind}")


def outbound_rules(schema: Schema) -> list[Schema]:
    """Return the rules that target the application, or every rule if none names a known target."""
    rules: list[Schema] = schema["synchronizationRules"]
    named = [r for r in rules if str(r.get("targetDirectoryName", "")).casefold() in TARGET_DIRECTORIES]
    return named or rules


def _read(raw: Schema, kind: str, unsupported: list[str]) -> ObjectMapping:
    scope, clauses = scoping.from_graph(raw.get("scope"))
    unsupported.extend(f"{kind}: {clause}" for clause in clauses)
    flow_types = "" if raw.get("enabled") is False else str(raw.get("flowTypes") or "Add,Update,Delete")
    actions = frozenset(word.strip().casefold() for word in flow_types.split(",") if word)
    return ObjectMapping(kind, tuple(_rows(raw, kind, unsupported)), scope, actions)


def _rows(raw: Schema, kind: str, unsupported: list[str]) -> Iterator[AttributeMapping]:
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
            unsupported.append(f"{kind}.{name}: {error}")


def _source(raw: Schema) -> Expression:
    name, expression = str(raw.get("name") or ""), str(raw.get("expression") or "")
    if raw.get("type") == "Constant":
        text = expression or name
        return Constant(text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text)
    if expression:
        return expressions.parse(expression)
    if raw.get("type") == "Attribute" and name:
        return Attribute(name)
    if raw.get("type") == "Function":
        return expressions.call(name, tuple(map(_argument, raw.get("parameters") or [])))
    raise ExpressionError(f"the source has neither an expression nor a name: {json.dumps(raw)[:80]}")


def _argument(parameter: Schema) -> Expression | None:
    value = parameter.get("value")
    if value is not None and not isinstance(value, dict):
        raise ExpressionError(f"a parameter's value must be an object: {json.dumps(value)[:80]}")
    return _source(value) if value else None


def _check_types(value: Any, where: str) -> None:
    """Check every key against the type that Microsoft Graph documents. Raises NoSchemaError."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check_types(item, f"{where}[{index}]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            kind = TYPES.get(key)
            if inner is not None and kind is not None and not isinstance(inner, kind):
                raise NoSchemaError(f'"{key}" in {where} must be a {TYPE_NAMES[kind]}')
            if key in OBJECT_LISTS and not all(isinstance(item, dict) for item in inner or []):
                raise NoSchemaError(f'"{key}" in {where} must contain only objects')
            _check_types(inner, key)
