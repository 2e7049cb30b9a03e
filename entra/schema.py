"""Adding IDmelon's attributes and mappings to a schema exported from Entra, ready to upload again."""

from __future__ import annotations

import copy
import json
from typing import Any

from entra import graph
from entra.graph import NoSchemaError, Schema
from entra.mapping import IDMELON_GROUP_ROWS, IDMELON_USER_ROWS

__all__ = ["NoSchemaError", "augment", "augment_text"]


def augment_text(text: str | bytes) -> tuple[str, list[str]]:
    """Give an exported schema back with what IDmelon needs, and one line per change."""
    schema, changes = augment(graph.load(text))
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n", changes


def augment(schema: Schema) -> tuple[Schema, list[str]]:
    """Do the same with a parsed schema, which is left as it is; no changes when everything is there."""
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
    raise NoSchemaError('its "directories" do not describe {1} of {0}'.format(*wanted))


def _declare(attributes: list[Schema], kind: str, name: str, changes: list[str]) -> None:
    if any(str(a.get("name", "")).casefold() == name.casefold() for a in attributes):
        return
    attributes.append(
        {
            "anchor": False,
            "caseExact": False,
            "defaultValue": None,
            "flowNullValues": False,
            "multivalued": False,
            "mutability": "ReadWrite",
            "name": name,
            "required": False,
            "type": "String",
            "apiExpressions": [],
            "metadata": [],
            "referencedObjects": [],
        }
    )
    changes.append(f"{kind}: declared {name}")


def _map(rows: list[Schema], kind: str, source: str, target: str, changes: list[str]) -> None:
    existing = next((r for r in rows if str(r.get("targetAttributeName", "")).casefold() == target.casefold()), None)
    new_source = {"expression": f"[{source}]", "name": source, "type": "Attribute", "parameters": []}
    if existing is None:
        rows.append(_row(new_source, target))
        changes.append(f"{kind}: mapped {source} to {target}")
    elif target == "externalId" and _source_name(existing) == "mailNickname":
        # Entra's own default, which IDmelon's setup replaces; anything an administrator chose stays.
        existing["source"] = new_source
        changes.append(f"{kind}: {target} now comes from {source} (was mailNickname)")


def _source_name(row: Schema) -> Any:
    return (row.get("source") or {}).get("name")


def _row(source: Schema, target: str) -> Schema:
    return {
        "defaultValue": "",
        "exportMissingReferences": False,
        "flowBehavior": "FlowWhenChanged",
        "flowType": "Always",
        "matchingPriority": 0,
        "source": source,
        "targetAttributeName": target,
    }
