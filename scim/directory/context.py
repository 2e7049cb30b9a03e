"""The sources of derived attributes: a reader, the registry, URLs, and what is known about groups."""

from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from typing import TypeVar

from scim.directory import memberships
from scim.filters import remember_last
from scim.schema.resource_types import GROUP, MEMBERSHIP, Registry, ResourceType
from storage.base import Document, Reader

ResourceUrl = Callable[[ResourceType, str], str]
"""Returns the URL of the resource of a type with an id."""

V = TypeVar("V")


class GroupCache:
    """The parents (group ids), names and roles of groups in one version of the store, since many users share groups."""

    def __init__(self) -> None:
        self.parents: dict[str, list[str]] = {}
        self.names: dict[str, str] = {}
        self.roles: dict[str, tuple[str, ...]] = {}
        self._free = GROUP_CACHE_BYTES

    def put(self, cache: dict[str, V], id: str, value: V, size: int) -> None:
        """Add a value of about this many bytes if there is room."""
        if size + _OVERHEAD <= self._free:
            self._free -= size + _OVERHEAD
            cache[id] = value


GROUP_CACHE_BYTES = 16_000_000
_OVERHEAD = 300  # bytes that an entry takes beside its value


class ReadContext:
    """The sources of derived values: a reader, the registry, URLs, and a cache of groups."""

    def __init__(
        self, reader: Reader, registry: Registry, resource_url: ResourceUrl, groups: GroupCache | None = None
    ) -> None:
        self.reader, self.registry, self.resource_url = reader, registry, resource_url
        self.groups = groups or GroupCache()

    def find(self, types: Iterable[str], id: str) -> tuple[ResourceType, Document] | None:
        """Return the resource of one of these types with this id."""
        for name in types:
            type = self.registry.types.get(name)
            stored = self.reader.get(name, id) if type else None
            if type and stored:
                return type, stored.data
        return None

    def prefetch_all(self, types: Iterable[str], ids: Collection[str]) -> None:
        """Read ahead what `find` of these ids returns."""
        for name in types:
            if name in self.registry.types and self.reader.is_remote:
                self.reader.prefetch(name, ids)

    def prefetch_groups(self, members: Collection[str]) -> None:
        """Read ahead the groups of these members, and the groups that contain those."""
        self.reader.prefetch(MEMBERSHIP, members, "member")
        groups = {group for member in members for group in self.parents(member)}
        self.reader.prefetch(MEMBERSHIP, groups - self.groups.parents.keys(), "member")
        self.reader.prefetch(GROUP, groups - self.groups.names.keys())

    @cached_property
    def groups_of(self) -> Callable[[str], dict[str, int]]:
        """The function from a member's id to the distance of each of its groups by id, the nearest first."""
        return remember_last(self._groups_of)  # a user's groups and roles are derived one after the other

    def name_of(self, group: str) -> str:
        """Return the name of a group, or an empty text."""
        name = self.groups.names.get(group)
        if name is None:
            found = self.group(group)
            name = str(found.get("displayName", "")) if found else ""
            self.groups.put(self.groups.names, group, name, 4 * len(name))
        return name

    def roles_given_by(self, group: str) -> tuple[str, ...]:
        """Return the roles of the direct members of a group."""
        roles = self.groups.roles.get(group)
        if roles is None:
            roles = self.registry.roles.given_by(self.group(group))
            self.groups.put(self.groups.roles, group, roles, 0)
        return roles

    def group(self, id: str) -> Document | None:
        """Return a stored group, or None."""
        stored = self.reader.get(GROUP, id)
        return stored.data if stored else None

    def parents(self, id: str) -> list[str]:
        """Return the ids of the groups that have this member."""
        return [one["group"] for one in memberships.of_member(self.reader, id)]

    def _groups_of(self, id: str) -> dict[str, int]:
        """Return the distances. Cycles are visited once."""
        distances = dict.fromkeys(self.parents(id), 1)
        waiting = list(distances)
        for group in waiting:
            parents = self.groups.parents.get(group)
            if parents is None:
                parents = self.parents(group)
                self.groups.put(self.groups.parents, group, parents, 100 * len(parents))
            for parent in parents:
                if parent not in distances:
                    distances[parent] = distances[group] + 1
                    waiting.append(parent)
        return distances
