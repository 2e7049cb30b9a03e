"""The roles that the configuration gives to the members of groups."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from config.roles import Role
from scim.schema.attributes import fold


class RoleMap:
    """The roles of the members of each group. Roles that differ only in case are one, as in filters."""

    def __init__(self, roles: Iterable[Role] = ()) -> None:
        self._roles: dict[tuple[str, str], dict[str, str]] = {}
        spellings: dict[str, str] = {}
        for one in roles:
            group = ("displayName", fold(one.group)) if one.group else ("externalId", one.external_id)
            name = fold(one.role)
            self._roles.setdefault(group, {})[name] = spellings.setdefault(name, one.role)

    def __bool__(self) -> bool:
        return bool(self._roles)

    def given_by(self, group: Mapping[str, Any] | None) -> tuple[str, ...]:
        """Return the roles of the direct members of a group."""
        if not group:
            return ()
        keys = ("displayName", fold(str(group.get("displayName")))), ("externalId", str(group.get("externalId")))
        return tuple(chain.from_iterable(self._roles.get(key, {}).values() for key in keys))

    def groups_with(self, role: str) -> list[tuple[str, str]]:
        """Return the groups whose members have a role: each by an index and its key."""
        return [group for group, roles in self._roles.items() if fold(role) in roles]
