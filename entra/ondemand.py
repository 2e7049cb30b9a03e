"""Provision on demand: one object, every request shown; always in the legacy dialect."""

from __future__ import annotations

from dataclasses import replace

from entra import plan
from entra.cycle import Cycle
from entra.escrow import Escrow
from entra.export import Exporter
from entra.plan import Action
from entra.references import References
from entra.tenant import Object

MOST_MEMBERS = 5


def provision(cycle: Cycle, found: Object, members: list[Object] | None = None) -> None:
    """Provision one user, or one group with five of its members at most; the journal hears of each step."""
    cycle.dialect = replace(cycle.dialect, flag=False)
    cycle.probe()
    entitled = cycle.policy.scope == "all" or found.id in cycle.tenant.assigned()
    link = cycle.state.links.get(found.id)
    task = plan.decide(found, link, cycle.mappings.of(found.kind), entitled, cycle.policy)
    escrow = Escrow(cycle.state, cycle.policy, cycle.clock)
    try:
        Exporter(cycle, escrow).run(task)
        if task.action is Action.UPSERT and found.id in cycle.state.links:
            _references(References(cycle, escrow), found, members)
    finally:
        cycle.state.save()


def _references(references: References, found: Object, members: list[Object] | None) -> None:
    if found.kind == "User":
        references.manager(found)
        return
    chosen = set(found.members[:MOST_MEMBERS] if members is None else [m.id for m in members[:MOST_MEMBERS]])
    for group, added, removed in references.prepare(found):
        if chosen.intersection(added):
            references.member_batch((group, [m for m in added if m in chosen], removed))
