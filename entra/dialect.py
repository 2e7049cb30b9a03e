"""How Entra writes create and PATCH requests: the legacy dialect (L) and that of `aadOptscim062020` (F)."""

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


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute whose value at the endpoint differs from the mapped one."""

    row: AttributeMapping
    old: Any
    new: Any

    @property
    def target(self) -> Target:
        """The target attribute."""
        return self.row.target

    @property
    def keeps_path(self) -> bool:
        """Whether dialect F also writes this change as an operation with a path."""
        return self.target.selector is not None or self.target.text in ("active", "roles")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The form of request bodies; `flag` selects the dialect of aadOptscim062020."""

    flag: bool = False
    booleans: Literal["auto", "string", "native"] = "auto"
    manager: Literal["string", "array", "object"] = "string"
    member_batch: int = 1
    nulls_in_create: bool = False
    clear_values: bool = False

    @property
    def name(self) -> str:
        """The letter in reports: L or F."""
        return "F" if self.flag else "L"

    def create(self, mapping: ObjectMapping, values: Iterable[tuple[AttributeMapping, Any]]) -> Resource:
        """Build the body of a POST."""
        body: Resource = {"schemas": self._schemas(mapping.kind)}
        for row, value in values:
            if value is not None:
                as_text = isinstance(value, bool) and self.booleans == "string"
                row.target.write(body, str(value) if as_text else value)
            elif self.nulls_in_create and row.target.text.isalpha():
                body[row.target.name] = None
        body["meta"] = {"resourceType": mapping.kind}
        if mapping.kind == "Group" and self.flag:
            body["members"] = []
        for email in body.get("emails", [])[:1]:
            email.setdefault("primary", True)
        return body

    def patch(self, changes: list[Change]) -> Resource:
        """Build the body of a PATCH with these changes."""
        return patch_op(self._flagged(changes) if self.flag else [self._operation(c) for c in changes])

    def manager_patch(self, target: Target, manager: str | None, had: bool, base: str) -> Resource:
        """Build the body of a PATCH that sets, changes or clears the manager."""
        if manager is None:
            return patch_op([self._op("replace", target.text, "")])
        verb = "replace" if had else "add"
        if self.manager == "array":
            value = [{"$ref": f"{base}/Users/{manager}", "value": manager}]
            return patch_op([self._op(verb, target.name, value)])
        return patch_op([self._op(verb, target.text, {"value": manager} if self.manager == "object" else manager)])

    def members_patch(self, added: list[str], removed: list[str]) -> Resource:
        """Build the body of a PATCH that adds and removes members."""
        operations: list[Operation] = []
        if added:
            extra = {} if self.flag else {"$ref": None}
            operations.append(self._op("add", "members", [{**extra, "value": member} for member in added]))
        if removed and self.flag:
            operations += [{"op": "remove", "path": f'members[value eq "{member}"]'} for member in removed]
        elif removed:
            operations.append(self._op("remove", "members", [{"value": member} for member in removed]))
        return patch_op(operations)

    def _op(self, verb: str, path: str, value: Any) -> Operation:
        return {"op": verb if self.flag else verb.capitalize(), "path": path, "value": value}

    def _schemas(self, kind: str) -> list[str]:
        if kind == "User":
            return [CORE_USER, ENTERPRISE]  # a custom extension's URN is not listed
        return [CORE_GROUP] if self.flag else [CORE_GROUP, ADSCIM_GROUP]

    def _operation(self, change: Change) -> Operation:
        if change.target.text == "roles":
            return self._op("replace" if change.row.is_assertive else "add", "roles", self._roles(change))
        verb = "add" if change.old is None and change.new is not None else "replace"
        return self._op(verb, change.target.text, self._value(change.new))

    def _flagged(self, changes: list[Change]) -> list[Operation]:
        with_path = [c for c in changes if c.keeps_path]
        rest = [c for c in changes if not c.keeps_path]
        added = [c for c in rest if c.old is None and c.new is not None]
        replaced = [c for c in rest if c not in added]
        if len(added) == 1:
            with_path, added = with_path + added, []
        groups = (("add", added), ("replace", replaced))
        return [self._operation(c) for c in with_path] + [
            {"op": verb, "value": {c.target.text: self._value(c.new) for c in group}} for verb, group in groups if group
        ]

    def _value(self, value: Any) -> Any:
        if value is None:
            return ""
        as_text = self.booleans == "string" or (self.booleans == "auto" and not self.flag)
        return str(value) if isinstance(value, bool) and as_text else value

    def _roles(self, change: Change) -> list[Resource]:
        new = [role for role in change.new or [] if isinstance(role, dict)]
        if self.flag or change.row.is_assertive:
            return new
        keys = (("value", "value"), ("display", "displayName"))
        return [{"value": json.dumps({out: role.get(key) for key, out in keys})} for role in new]


def patch_op(operations: list[Operation]) -> Resource:
    """Wrap operations in a PatchOp message."""
    return {"schemas": [PATCH_OP], "Operations": operations}
