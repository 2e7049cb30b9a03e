"""The roles that groups give to their members."""

from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, validates_schema

from config.fields import TableSchema, Text


@dataclass(frozen=True, slots=True)
class Role:
    """One of [[roles]]: a role of the members of the group with this displayName or with this externalId."""

    role: str
    group: str = ""
    external_id: str = ""


def _is_name(text: str) -> bool:
    return bool(text.strip())


class RoleSchema(TableSchema):
    """One of [[roles]]."""

    target = Role
    role = Text("the name of a role", _is_name, required=True)
    group = Text("the displayName of a group", _is_name)
    external_id = Text("the externalId of a group", _is_name)

    @validates_schema
    def check_group(self, data: dict[str, Any], **_: Any) -> None:
        """Check that one group is named, in one way: a group may be named like the externalId of another."""
        if ("group" in data) == ("external_id" in data):
            raise ValidationError("needs either group (a displayName) or external_id (an externalId)")
