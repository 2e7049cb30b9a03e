"""Provision on demand: one object, always in the legacy dialect."""

from dataclasses import replace

from entra import plan
from entra.cycle import Cycle
from entra.export import Exporter
from entra.plan import Action
from entra.references import References
from entra.tenant import DirectoryObject

MAX_MEMBERS = 5


class MemberError(ValueError):
    """A chosen member cannot be provisioned into the group; the message gives the reason."""


def check_members(group: DirectoryObject, chosen: list[DirectoryObject]) -> None:
    """Raise MemberError unless each of the chosen objects is a member of the group."""
    for member in chosen:
        if member.id not in group.members:
            raise MemberError(f"{member.name} is not a member of {group.name} in the tenant")


def provision(cycle: Cycle, found: DirectoryObject, members: list[DirectoryObject] | None = None) -> None:
    """Provision one user, or one group with at most five of its members."""
    cycle.dialect = replace(cycle.dialect, flag=False)
    cycle.test_connection()
    is_assigned = cycle.policy.scope == "all" or found.id in cycle.tenant.assigned()
    link = cycle.state.links.get(found.id)
    task = plan.decide(found, link, cycle.mappings.of(found.kind), is_assigned, cycle.policy)
    try:
        Exporter(cycle).run(task)
        if task.action is Action.UPSERT and found.id in cycle.state.links:
            references = References(cycle)
            if found.kind == "User":
                references.export_manager(found)
            else:
                _export_members(references, found, members)
    finally:
        cycle.state.save()


def _export_members(references: References, group: DirectoryObject, members: list[DirectoryObject] | None) -> None:
    for member in members or []:
        if member.id not in references.state.links:
            raise MemberError(f"{member.name} is not provisioned yet. Provision this user first.")
    chosen = set((group.members if members is None else [m.id for m in members])[:MAX_MEMBERS])
    for _, added, removed in references.member_batches(group):
        if chosen.intersection(added):
            references.export_members((group, [m for m in added if m in chosen], removed))
