"""The roles of users before and after a transaction, for its events."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property

from scim.directory import memberships, roles
from scim.directory.context import ReadContext
from scim.schema.resource_types import Registry, ResourceType
from storage.base import Document, Reader


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """What one transaction changed: memberships, each as (group, member), and groups as they were (None: created)."""

    joined: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    before: dict[str, Document | None] = field(default_factory=dict)


class RoleHistory:
    """The roles of users before the changes, and after them as `reader` sees it."""

    def __init__(self, reader: Reader, registry: Registry, changes: GroupChanges) -> None:
        self._reader, self._registry, self._changes = reader, registry, changes

    @cached_property
    def _new(self) -> ReadContext:
        return ReadContext(self._reader, self._registry, lambda type, id: "")

    @cached_property
    def _old(self) -> ReadContext:
        return _Before(self._reader, self._registry, self._changes)

    def before(self, type: ResourceType, document: Document) -> Document:
        """Return a stored resource; a user has the roles from before."""
        return roles.completed(self._old, type, document) if self._registry.roles else document

    def after(self, type: ResourceType, document: Document) -> Document:
        """Return a stored resource; a user has the roles from after."""
        return roles.completed(self._new, type, document) if self._registry.roles else document

    def changed(self) -> Iterator[tuple[Document, Document]]:
        """Yield each user whose roles changed with a group or a membership, before and after.

        Each member of the changed groups is visited once, and none if these groups give no roles.
        """
        reader, registry = self._reader, self._registry
        if not registry.roles:
            return
        roots = self._roots()
        for id in dict.fromkeys([*roots, *memberships.below(reader, roots)]):
            if stored := reader.get(roles.USER, id):
                type = registry.types[roles.USER]
                before, after = self.before(type, stored.data), self.after(type, stored.data)
                if before != after:
                    yield before, after

    def _roots(self) -> list[str]:
        """Return the members whose roles, or whose members' roles, may have changed."""
        old, new = self._old, self._new

        @cache
        def gives_roles(group: str) -> bool:
            return any(
                context.roles_given_by(one) for context in (new, old) for one in (group, *context.groups_of(group))
            )

        moved = [member for group, member in (*self._changes.joined, *self._changes.left) if gives_roles(group)]
        renamed = [id for id in self._changes.before if old.roles_given_by(id) != new.roles_given_by(id)]
        return [*moved, *(one["member"] for group in renamed for one in memberships.of_group(self._reader, group))]


class _Before(ReadContext):
    """The groups and memberships as they were before the changes."""

    def __init__(self, reader: Reader, registry: Registry, changes: GroupChanges) -> None:
        super().__init__(reader, registry, lambda type, id: "")
        self._before, self._joined = changes.before, frozenset(changes.joined)
        self._left = defaultdict[str, list[str]](list)
        for group, member in changes.left:
            self._left[member].append(group)

    def group(self, id: str) -> Document | None:
        return self._before[id] if id in self._before else super().group(id)

    def parents(self, id: str) -> list[str]:
        kept = [group for group in super().parents(id) if (group, id) not in self._joined]
        return [*kept, *self._left.get(id, ())]
