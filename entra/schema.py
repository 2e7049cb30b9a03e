"""Add IDmelon's attributes and mappings to a schema exported from Entra."""

import copy
import json
from typing import Any

from entra import graph
from entra.graph import NoSchemaError, Schema
from entra.mapping import IDMELON_GROUP_ROWS, IDMELON_USER_ROWS

__all__ = ["NoSchemaError", "augment", "augment_text"]


def augment_text(text: str | bytes) -> tuple[str, list[str]]:
    """Return an exported schema with IDmelon's additions, and a description of each change."""
    schema, changes = augment(graph.load(text))
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n", changes


def augment(schema: Schema) -> tuple[Schema, list[str]]:
    """Return a changed copy of a parsed schema, and a description of each change."""
    schema = copy.deepcopy(schema)
    changes: list[str] = []
    for kind, rows in (("User", IDMELON_USER_ROWS), ("Group", IDMELON_GROUP_ROWS)):
        mapping = graph.object_mapping(schema, kind)
        attributes = _target_attributes(schema, mapping)
        for expression, target in rows:
            _declare(attributes, kind, target, changes)
            _map(mapping["attributeMappings"], kind, expression.strip("[]"), target, changes)
    return schema, changes


def _target_attributes(schema: Schema, mapping: Schema) -> list[Schema]:
    rule = next(r for r in graph.outbound_rules(schema) if mapping in (r.get("objectMappings") or []))
    wanted = rule.get("targetDirectoryName"), mapping["targetObjectName"]
    for directory in schema["directories"]:
        for item in directory.get("objects") or []:
            if (directory.get("name"), item.get("name")) == wanted and isinstance(item.get("attributes"), list):
                attributes: list[Schema] = item["attributes"]
                return attributes
    raise NoSchemaError('"directories" does not describe {1} of {0}'.format(*wanted))


def _find(rows: list[Schema], key: str, name: str) -> Schema | None:
    return next((row for row in rows if str(row.get(key, "")).casefold() == name.casefold()), None)


def _declare(attributes: list[Schema], kind: str, name: str, changes: list[str]) -> None:
    if _find(attributes, "name", name) is None:
        attributes.append({
            "anchor": False, "caseExact": False, "defaultValue": None, "flowNullValues": False, "multivalued": False,
            "mutability": "ReadWrite", "name": name, "required": False, "type": "String",
            "apiExpressions": [], "metadata": [], "referencedObjects": [],
        })  # fmt: skip
        changes.append(f"{kind}: declared {name}")


def _map(rows: list[Schema], kind: str, name: str, target: str, changes: list[str]) -> None:
    source: dict[str, Any] = {"expression": f"[{name}]", "name": name, "type": "Attribute", "parameters": []}
    existing = _find(rows, "targetAttributeName", target)
    if existing is None:
        rows.append({
            "defaultValue": "", "exportMissingReferences": False, "flowBehavior": "FlowWhenChanged",
            "flowType": "Always", "matchingPriority": 0, "source": source, "targetAttributeName": target,
        })  # fmt: skip
        changes.append(f"{kind}: mapped {name} to {target}")
    elif target == "externalId" and (existing.get("source") or {}).get("name") == "mailNickname":
        existing["source"] = source  # Entra's default; a source that an administrator chose is kept
        changes.append(f"{kind}: {target} now comes from {name} (was mailNickname)")
