"""The users whose roles change with groups and memberships, for the events of a transaction."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from scim.directory import memberships, roles
from scim.directory.context import ReadContext, ResourceUrl
from scim.protocol.leniency import Element
from scim.schema.resource_types import Registry
from storage.base import Document, Reader


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """What one transaction changed: memberships, each as (group, member), and groups as they were (None: created)."""

    joined: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    before: dict[str, Document | None] = field(default_factory=dict)


class RoleChange(NamedTuple):
    """A stored user, and the user's `roles` before and after the transaction."""

    user: Document
    old: list[Element]
    new: list[Element]


def role_changes(
    after: Reader, registry: Registry, resource_url: ResourceUrl, changes: GroupChanges
) -> Iterator[RoleChange]:
    """Yield the users whose roles were changed by these changes, which `after` contains.

    Each member of the changed groups is visited once, and none if these groups give no roles.
    """
    if not registry.roles:
        return
    new, old = ReadContext(after, registry, resource_url), _Before(after, registry, resource_url, changes)
    roots = _roots(new, old, changes)
    for id in dict.fromkeys([*roots, *memberships.below(after, roots)]):
        stored = after.get("User", id)
        if stored:
            change = RoleChange(stored.data, roles.of_user(old, stored.data), roles.of_user(new, stored.data))
            if change.old != change.new:
                yield change


def _roots(new: ReadContext, old: ReadContext, changes: GroupChanges) -> list[str]:
    """Return the members whose roles, or whose members' roles, may have changed."""

    @cache
    def gives_roles(group: str) -> bool:
        return any(context.roles_given_by(one) for context in (new, old) for one in (group, *context.groups_of(group)))

    moved = [member for group, member in (*changes.joined, *changes.left) if gives_roles(group)]
    renamed = [group for group in changes.before if old.roles_given_by(group) != new.roles_given_by(group)]
    return [*moved, *(one["member"] for group in renamed for one in memberships.of_group(new.reader, group))]


class _Before(ReadContext):
    """The groups and memberships as they were before the changes."""

    def __init__(self, reader: Reader, registry: Registry, resource_url: ResourceUrl, changes: GroupChanges) -> None:
        super().__init__(reader, registry, resource_url)
        self._before, self._joined = changes.before, frozenset(changes.joined)
        self._left = defaultdict[str, list[str]](list)
        for group, member in changes.left:
            self._left[member].append(group)

    def group(self, id: str) -> Document | None:
        return self._before[id] if id in self._before else super().group(id)

    def parents(self, id: str) -> list[str]:
        kept = [group for group in super().parents(id) if (group, id) not in self._joined]
        return [*kept, *self._left.get(id, ())]
