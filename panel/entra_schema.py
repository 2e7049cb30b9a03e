"""Add attributes and mappings to the provisioning schema that Entra's schema editor exports."""

import json
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
_TARGET_DIRECTORIES = ("customappsso", "scim")


class InvalidSchema(ValueError):
    """The file is not a provisioning schema exported from Entra."""


def add_mappings(content: bytes, wanted: Mapping[str, Mapping[str, str]]) -> tuple[str, list[str]]:
    """Return the schema with the wanted mappings, and a description of each change.

    `wanted` has the source of each target attribute, by resource type. Raises InvalidSchema.
    """
    schema = _load(content)
    changes: list[str] = []
    for type_name, sources in wanted.items():
        directory, mapping = _object_mapping(schema, type_name)
        attributes = _target_attributes(schema, directory, mapping.get("targetObjectName"))
        rows = _objects(mapping, "attributeMappings")
        for target, source in sources.items():
            _declare(attributes, type_name, target, changes)
            _map(rows, type_name, source, target, changes)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n", changes


def _load(content: bytes) -> Object:
    try:
        schema = json.loads(content)
        json.dumps(schema, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise InvalidSchema("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise InvalidSchema("a string contains half a surrogate pair") from None
    except ValueError as error:
        raise InvalidSchema(f"it is not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise InvalidSchema("a schema is a JSON object")
    wrapped = schema.get("schema")  # the portal's export of a whole job wraps it
    return wrapped if isinstance(wrapped, dict) else schema


def _objects(container: Object, key: str, *, optional: bool = False) -> list[Object]:
    found = container.get(key)
    if found is None and optional:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InvalidSchema(f'it has no "{key}" list of objects')
    return found


def _object_mapping(schema: Object, type_name: str) -> tuple[Any, Object]:
    """Return the mapping to a type of target object, and the name of its target directory."""
    rules = _objects(schema, "synchronizationRules")
    outbound = [rule for rule in rules if _folded(rule, "targetDirectoryName") in _TARGET_DIRECTORIES]
    for rule in outbound or rules:
        for mapping in _objects(rule, "objectMappings", optional=True):
            if _folded(mapping, "targetObjectName").rpartition(":")[2] == type_name.casefold():
                return rule.get("targetDirectoryName"), mapping
    raise InvalidSchema(f"no outbound synchronization rule maps objects to {type_name}")


def _target_attributes(schema: Object, directory: Any, object_name: Any) -> list[Object]:
    for candidate in _objects(schema, "directories"):
        for item in _objects(candidate, "objects", optional=True):
            if (candidate.get("name"), item.get("name")) == (directory, object_name):
                return _objects(item, "attributes")
    raise InvalidSchema(f'"directories" does not describe {object_name} of {directory}')


def _declare(attributes: list[Object], type_name: str, name: str, changes: list[str]) -> None:
    if _find(attributes, "name", name) is None:
        attributes.append({
            "anchor": False, "caseExact": False, "defaultValue": None, "flowNullValues": False, "multivalued": False,
            "mutability": "ReadWrite", "name": name, "required": False, "type": "String",
            "apiExpressions": [], "metadata": [], "referencedObjects": [],
        })  # fmt: skip
        changes.append(f"{type_name}: declared {name}")


def _map(rows: list[Object], type_name: str, name: str, target: str, changes: list[str]) -> None:
    source: Object = {"expression": f"[{name}]", "name": name, "type": "Attribute", "parameters": []}
    row = _find(rows, "targetAttributeName", target)
    if row is None:
        rows.append({
            "defaultValue": "", "exportMissingReferences": False, "flowBehavior": "FlowWhenChanged",
            "flowType": "Always", "matchingPriority": 0, "source": source, "targetAttributeName": target,
        })  # fmt: skip
        changes.append(f"{type_name}: mapped {name} to {target}")
    elif target == "externalId" and isinstance(row.get("source"), dict) and row["source"].get("name") == "mailNickname":
        row["source"] = source  # Entra's default; a source that an administrator chose is kept
        changes.append(f"{type_name}: {target} now comes from {name} (was mailNickname)")


def _find(rows: list[Object], key: str, name: str) -> Object | None:
    return next((row for row in rows if _folded(row, key) == name.casefold()), None)


def _folded(item: Object, key: str) -> str:
    return str(item.get(key, "")).casefold()
