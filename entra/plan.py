"""Decide what each object needs, following Entra's deprovisioning rules; sends no requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from entra.mapping import MappingSet, ObjectMapping
from entra.state import Link, State
from entra.tenant import DirectoryObject, Scoping, Source, Tenant, digest


class Action(Enum):
    """The action for an object."""

    SKIP = "skip"
    UPSERT = "upsert"
    DISABLE = "disable"
    DELETE = "delete"
    UNLINK = "unlink"


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of the provisioning job; `interval` is in seconds."""

    scope: Scoping = "assigned"
    skip_out_of_scope: bool = False
    deletion_threshold: int | None = None
    allow_deletes: bool = False
    interval: float = 40 * 60
    retry_now: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One object and its action; `unmanage` ends the management of its link."""

    id: str
    kind: str
    object: DirectoryObject | None
    action: Action
    reason: str
    unmanage: bool = False

    @property
    def name(self) -> str:
        """The object's name for messages."""
        return self.object.name if self.object else self.id

    @property
    def source(self) -> Source:
        """The source attributes with IsSoftDeleted, which is also true if out of scope or disabled."""
        source = dict(self.object.source) if self.object else {}
        return {**source, "IsSoftDeleted": self.action is not Action.UPSERT}

    @property
    def digest(self) -> str:
        """The watermark's entry for a finished task."""
        source = {k: v for k, v in self.object.source.items() if k != "members"} if self.object else None
        return digest([source, self.action.value, self.reason])

    def is_removal(self, link: Link | None) -> bool:
        """Return whether the task disables an active resource or deletes one."""
        return link is not None and (self.action is Action.DELETE or (self.action is Action.DISABLE and link.active))


def tasks(tenant: Tenant, state: State, mappings: MappingSet, policy: Policy) -> Iterator[Task]:
    """Yield a task for every object of the tenant and for every link whose object was purged."""
    assigned = tenant.assigned()
    for found in tenant.objects.values():
        is_assigned = policy.scope == "all" or found.id in assigned
        yield decide(found, state.links.get(found.id), mappings.of(found.kind), is_assigned, policy)
    for source, link in list(state.links.items()):
        if source not in tenant.objects:
            action = _delete(mappings.of(link.kind)) if link.managed else Action.UNLINK
            yield Task(source, link.kind, None, action, "purged from the directory")


def decide(
    found: DirectoryObject, link: Link | None, mapping: ObjectMapping, is_assigned: bool, policy: Policy
) -> Task:
    """Decide about one object of the tenant."""

    def task(action: Action, reason: str, unmanage: bool = False) -> Task:
        return Task(found.id, found.kind, found, action, reason, unmanage)

    reason = _out_of_scope(found, mapping, is_assigned)
    if reason is None:
        return task(Action.UPSERT, "in scope")
    if link is None or not (link.managed or found.kind == "Group"):
        return task(Action.SKIP, reason)
    if policy.skip_out_of_scope and found.enabled and not found.deleted:
        return task(Action.SKIP, f"{reason}; SkipOutOfScopeDeletions is set")
    if found.kind == "Group":
        return task(_delete(mapping), reason)
    if not any(row.target.text == "active" for row in mapping.rows):
        return task(Action.SKIP, f"{reason}; cannot be disabled because active is not mapped")
    return task(Action.DISABLE, reason, not is_assigned)


def _out_of_scope(found: DirectoryObject, mapping: ObjectMapping, is_assigned: bool) -> str | None:
    if not is_assigned:
        return "not assigned to the application"
    if not mapping.scope.matches(found.source):
        return "does not pass the scoping filter"
    if found.deleted:
        return "soft-deleted in the directory"
    return None if found.enabled else "account disabled"


def _delete(mapping: ObjectMapping) -> Action:
    return Action.DELETE if "delete" in mapping.actions else Action.SKIP
