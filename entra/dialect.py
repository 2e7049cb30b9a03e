"""How Entra writes a create and a patch: the legacy dialect, that of `aadOptscim062020`, their switches."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from entra.mapping import AttributeMapping, ObjectMapping
from entra.targets import CORE_GROUP, CORE_USER, ENTERPRISE, Resource, Target

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ADSCIM_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
FLAG = "aadOptscim062020"

Operation = dict[str, Any]
Flow = tuple[AttributeMapping, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute whose value at the endpoint is not what the mapping says."""

    row: AttributeMapping
    old: Any
    new: Any

    @property
    def target(self) -> Target:
        """Where the value belongs."""
        return self.row.target


@dataclass(frozen=True, slots=True)
class Dialect:
    """The switches of what is written; `flag` is the one that an administrator appends to the tenant URL."""

    flag: bool = False
    booleans: Literal["auto", "string", "native"] = "auto"
    manager: Literal["string", "array", "object"] = "string"
    member_batch: int = 1
    nulls_in_create: bool = False
    clear_values: bool = False

    @property
    def name(self) -> str:
        """L or F, as the reports say it."""
        return "F" if self.flag else "L"

    def op(self, verb: str) -> str:
        """Write an operation's verb in this dialect's case."""
        return verb if self.flag else verb.capitalize()

    def create(self, mapping: ObjectMapping, flows: Iterable[Flow]) -> Resource:
        """Make the body of a POST."""
        body: Resource = {"schemas": self._schemas(mapping.kind)}
        for row, value in flows:
            if value is not None:
                row.target.write(body, self._created(row.target, value))
            elif self.nulls_in_create and row.target.text.isalpha():
                body[row.target.name] = None
        body["meta"] = {"resourceType": mapping.kind}
        if mapping.kind == "Group" and self.flag:
            body["members"] = []
        for email in body.get("emails", [])[:1]:
            email.setdefault("primary", True)
        return body

    def patch(self, changes: list[Change]) -> Resource:
        """Make the body of a PATCH that makes these changes."""
        return patch_of(self._flagged(changes) if self.flag else [self._operation(c) for c in changes])

    def manager_patch(self, target: Target, manager: str | None, had: bool, base: str) -> Resource:
        """Make the body of a PATCH that sets, changes or clears the manager."""
        if manager is None:
            return patch_of([{"op": self.op("replace"), "path": target.text, "value": ""}])
        value: Any = manager
        if self.manager == "object":
            value = {"value": manager}
        elif self.manager == "array":
            value = [{"$ref": f"{base}/Users/{manager}", "value": manager}]
        path = target.name if self.manager == "array" else target.text
        return patch_of([{"op": self.op("replace" if had else "add"), "path": path, "value": value}])

    def members_patch(self, added: list[str], removed: list[str]) -> Resource:
        """Make the body of a PATCH that adds and removes members."""
        operations: list[Operation] = []
        if added:
            extra = {} if self.flag else {"$ref": None}
            value = [{**extra, "value": member} for member in added]
            operations.append({"op": self.op("add"), "path": "members", "value": value})
        if removed and self.flag:
            operations += [{"op": "remove", "path": f'members[value eq "{member}"]'} for member in removed]
        elif removed:
            operations.append({"op": "Remove", "path": "members", "value": [{"value": m} for m in removed]})
        return patch_of(operations)

    def _schemas(self, kind: str) -> list[str]:
        if kind == "User":
            # A custom extension's URN is not listed, although its container is in the body.
            return [CORE_USER, ENTERPRISE]
        return [CORE_GROUP] if self.flag else [CORE_GROUP, ADSCIM_GROUP]

    def _created(self, target: Target, value: Any) -> Any:
        if isinstance(value, bool) and self.booleans == "string":
            return str(value)
        return value

    def _operation(self, change: Change) -> Operation:
        if change.target.text == "roles":
            verb = "replace" if change.row.is_assertive else "add"
            return {"op": self.op(verb), "path": "roles", "value": self._roles(change)}
        if change.new is None:
            return {"op": self.op("replace"), "path": change.target.text, "value": ""}
        verb = "add" if change.old is None else "replace"
        return {"op": self.op(verb), "path": change.target.text, "value": self._patched(change.new)}

    def _flagged(self, changes: list[Change]) -> list[Operation]:
        with_path = [c for c in changes if _keeps_path(c)]
        rest = [c for c in changes if not _keeps_path(c)]
        added = [c for c in rest if c.old is None and c.new is not None]
        if len(added) == 1:
            with_path += added
        operations = [self._operation(c) for c in with_path]
        if len(added) > 1:
            operations.append(self._pathless("add", added))
        replaced = [c for c in rest if c not in added]
        if replaced:
            operations.append(self._pathless("replace", replaced))
        return operations

    def _pathless(self, verb: str, changes: list[Change]) -> Operation:
        value = {c.target.text: "" if c.new is None else self._patched(c.new) for c in changes}
        return {"op": verb, "value": value}

    def _patched(self, value: Any) -> Any:
        as_text = self.booleans == "string" or (self.booleans == "auto" and not self.flag)
        return str(value) if isinstance(value, bool) and as_text else value

    def _roles(self, change: Change) -> list[Resource]:
        new = [role for role in change.new or [] if isinstance(role, dict)]
        if self.flag or change.row.is_assertive:
            return new
        keys = (("value", "value"), ("display", "displayName"))
        return [{"value": json.dumps({out: role.get(key) for key, out in keys})} for role in new]


def patch_of(operations: list[Operation]) -> Resource:
    """Wrap operations in a PatchOp message."""
    return {"schemas": [PATCH_OP], "Operations": operations}


def _keeps_path(change: Change) -> bool:
    return change.target.selector is not None or change.target.text in ("active", "roles")
