"""What is to happen to each object, by the deprovisioning table; no request is sent to find out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from entra.mapping import MappingSet, ObjectMapping
from entra.state import Link, State
from entra.tenant import Object, Scoping, Source, Tenant, digest


class Action(Enum):
    """What an object needs."""

    SKIP = "skip"
    UPSERT = "upsert"
    DISABLE = "disable"
    DELETE = "delete"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of the provisioning job."""

    scope: Scoping = "assigned"
    skip_out_of_scope: bool = False
    deletion_threshold: int | None = None
    allow_deletes: bool = False
    interval: float = 40 * 60
    retry_now: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One object and what it needs."""

    id: str
    kind: str
    object: Object | None
    action: Action
    reason: str
    unmanage: bool = False

    @property
    def name(self) -> str:
        """What a person calls the object."""
        return self.object.name if self.object else self.id

    @property
    def source(self) -> Source:
        """The source attributes, IsSoftDeleted among them: out of scope, disabled and deleted all set it."""
        source = dict(self.object.source) if self.object else {}
        return {**source, "IsSoftDeleted": self.action is not Action.UPSERT}

    @property
    def digest(self) -> str:
        """What the watermark remembers once the task is done."""
        source = {k: v for k, v in self.object.source.items() if k != "members"} if self.object else None
        return digest([source, self.action.value, self.reason])

    def removes(self, link: Link | None) -> bool:
        """Say whether the task disables or deletes something that is there."""
        if link is None:
            return False
        return self.action is Action.DELETE or (self.action is Action.DISABLE and link.active)


def tasks(tenant: Tenant, state: State, mappings: MappingSet, policy: Policy) -> Iterator[Task]:
    """Decide about every object of the tenant, and about every link whose object is gone from it."""
    assigned = tenant.assigned()
    for found in tenant.objects.values():
        entitled = policy.scope == "all" or found.id in assigned
        yield decide(found, state.links.get(found.id), mappings.of(found.kind), entitled, policy)
    for source, link in list(state.links.items()):
        if source not in tenant.objects:
            yield Task(source, link.kind, None, _purged(link, mappings), "purged from the directory")


def decide(found: Object, link: Link | None, mapping: ObjectMapping, entitled: bool, policy: Policy) -> Task:
    """Decide about one object of the tenant."""

    def task(action: Action, reason: str, unmanage: bool = False) -> Task:
        return Task(found.id, found.kind, found, action, reason, unmanage)

    out = _out_of_scope(found, mapping, entitled)
    if out is None:
        return task(Action.UPSERT, "in scope")
    if link is None or not (link.managed or found.kind == "Group"):
        return task(Action.SKIP, out)
    if policy.skip_out_of_scope and not (found.deleted or not found.enabled):
        return task(Action.SKIP, f"{out}; SkipOutOfScopeDeletions is set")
    if found.kind == "Group":
        return task(Action.DELETE if "delete" in mapping.actions else Action.SKIP, out)
    if not any(row.target.text == "active" for row in mapping.rows):
        return task(Action.SKIP, f"{out}; active is not mapped, so there is nothing to disable with")
    return task(Action.DISABLE, out, not entitled)


def _out_of_scope(found: Object, mapping: ObjectMapping, entitled: bool) -> str | None:
    if not entitled:
        return "not assigned to the application"
    if not mapping.scope.holds(found.source):
        return "does not pass the scoping filter"
    if found.deleted:
        return "soft-deleted in the directory"
    if not found.enabled:
        return "account disabled"
    return None


def _purged(link: Link, mappings: MappingSet) -> Action:
    if not link.managed:
        return Action.FORGET
    return Action.DELETE if "delete" in mappings.of(link.kind).actions else Action.SKIP
