"""The reference pass: managers, then members of groups, once their objects are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entra.answers import ExportError
from entra.escrow import Escrow
from entra.mapping import AttributeMapping
from entra.service import Service
from entra.tenant import Object, digest
from entra.worklog import Entry

if TYPE_CHECKING:
    from entra.cycle import Cycle

Batch = tuple[Object, list[str], list[str]]


class References:
    """Sends the references that changed; those whose object failed are deferred to the next cycle."""

    def __init__(self, cycle: Cycle, escrow: Escrow) -> None:
        self.cycle = cycle
        self.state = cycle.state
        self.escrow = escrow
        self.failed: dict[str, ExportError] = {}

    def users(self) -> list[Object]:
        """List the users whose manager was not looked at since it changed."""
        if self.cycle.mappings.users.reference is None:
            return []
        return [user for user in self.cycle.tenant.of("User") if self._is_work(user, user.source.get("manager"))]

    def groups(self) -> list[Object]:
        """List the groups whose members were not looked at since they changed."""
        if self.cycle.mappings.groups.reference is None:
            return []
        return [g for g in self.cycle.tenant.of("Group") if self._is_work(g, sorted(g.members))]

    def manager(self, user: Object) -> None:
        """Set, change or clear one user's manager."""
        row = self.cycle.mappings.users.reference
        if row is None:
            return
        wanted = user.source.get("manager")
        if wanted and wanted not in self.state.links:
            # Out of scope: not looked at again before a restart. Failed: in the next cycle.
            if wanted not in self.state.escrow:
                self._seen(user, wanted)
            return
        held = self.state.managers.get(user.id)
        if wanted == held or (not wanted and not self.cycle.dialect.clear_values):
            self._seen(user, wanted)
            return
        self._send_manager(row, user, wanted, held)

    def prepare(self, group: Object) -> list[Batch]:
        """Make the batches of members to add and remove, in no particular order."""
        wanted = {member for member in group.members if self._may_join(member)}
        held = self.state.members.get(group.id)
        if held is None:
            held = self.state.members[group.id] = self._held(group, wanted)
        batches: list[Batch] = [(group, part, []) for part in self._batches(wanted - held)]
        leaving = {member for member in held - set(group.members) if member in self.state.links}
        return batches + [(group, [], part) for part in self._batches(leaving)]

    def member_batch(self, batch: Batch) -> None:
        """Add or remove one batch of members."""
        group, added, removed = batch
        entry = self._entry(group)
        target = self.state.links[group.id].target
        ids = [[self.state.links[member].target for member in part] for part in (added, removed)]
        try:
            Service(self.cycle.endpoint, entry.exchanges).patch("Group", target, self.cycle.dialect.members_patch(*ids))
        except ExportError as error:
            self._failed(group, entry, error)
        else:
            self.state.members[group.id].update(added)
            self.state.members[group.id].difference_update(removed)
            entry.changes = [("members", None, i) for i in ids[0]] + [("members", i, None) for i in ids[1]]
            self._succeeded(entry, f"{len(added)} members added, {len(removed)} removed")

    def finish(self, group: Object) -> None:
        """Note a group as looked at, unless something of it failed or waits for a member that failed."""
        if group.id in self.failed:
            self.escrow.fail(group.id, self.failed[group.id], reference=True)
            return
        waiting = any(m in self.state.escrow and m not in self.state.links for m in group.members)
        if not waiting:
            self._seen(group, sorted(group.members))

    def _is_work(self, found: Object, value: object) -> bool:
        link = self.state.links.get(found.id)
        if link is None or not (link.managed and link.active):
            return False
        failure = self.state.escrow.get(found.id)
        if failure is not None and failure.reference:
            return self.escrow.is_due(found.id)
        return self.state.references_seen.get(found.id) != digest(value)

    def _seen(self, found: Object, value: object) -> None:
        self.state.references_seen[found.id] = digest(value)
        self.escrow.clear(found.id, reference=True)

    def _may_join(self, member: str) -> bool:
        found = self.cycle.tenant.objects.get(member)
        return found is not None and found.kind == "User" and member in self.state.links and not found.deleted

    def _held(self, group: Object, wanted: set[str]) -> set[str]:
        # The group was there before Entra was: members are asked for one by one, never read as a list.
        service, target = Service(self.cycle.endpoint), self.state.links[group.id].target
        try:
            return {m for m in wanted if service.refers("Group", target, "members", self.state.links[m].target)}
        except ExportError as error:
            self._failed(group, self._entry(group), error)
            return set()

    def _batches(self, members: set[str]) -> list[list[str]]:
        order, size = self.cycle.shuffled(members), max(self.cycle.dialect.member_batch, 1)
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _send_manager(self, row: AttributeMapping, user: Object, wanted: str | None, held: str | None) -> None:
        entry = self._entry(user)
        service = Service(self.cycle.endpoint, entry.exchanges)
        links = self.state.links
        id, new = links[user.id].target, links[wanted].target if wanted else None
        try:
            if new is None or not service.refers("User", id, row.target.name, new):
                body = self.cycle.dialect.manager_patch(row.target, new, held is not None, self.cycle.endpoint.base)
                service.patch("User", id, body)
        except ExportError as error:
            self._failed(user, entry, error)
            self.escrow.fail(user.id, error, reference=True)
            return
        if wanted:
            self.state.managers[user.id] = wanted
        else:
            self.state.managers.pop(user.id, None)
        self._seen(user, wanted)
        entry.changes = [("manager", links[held].target if held in links else held, new)]
        self._succeeded(entry, "manager resolved")

    def _entry(self, found: Object) -> Entry:
        entry = Entry(found.kind, found.id, found.name, self.cycle.id, "update")
        entry.target = self.state.links[found.id].target
        return entry

    def _succeeded(self, entry: Entry, what: str) -> None:
        entry.status = "success"
        entry.step("Export", what)
        self.cycle.journal.add(entry)

    def _failed(self, found: Object, entry: Entry, error: ExportError) -> None:
        self.failed[found.id] = error
        entry.fail(error)
        self.cycle.journal.add(entry)
