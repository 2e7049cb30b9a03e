"""Export references after their objects: managers, then group members."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from entra.mapping import AttributeMapping
from entra.provisioning_log import Entry
from entra.responses import ExportError
from entra.scim_client import ScimClient
from entra.tenant import DirectoryObject, digest

if TYPE_CHECKING:
    from entra.cycle import Cycle

Batch = tuple[DirectoryObject, list[str], list[str]]


class References:
    """Sends changed references; a reference to an object that failed waits for a later cycle."""

    def __init__(self, cycle: "Cycle") -> None:
        self.cycle = cycle
        self.state = cycle.state
        self.failed: dict[str, ExportError] = {}

    def users(self) -> list[DirectoryObject]:
        """List the users whose manager changed."""
        if self.cycle.mappings.users.reference is None:
            return []
        return [user for user in self.cycle.tenant.of("User") if self._is_due(user, user.source.get("manager"))]

    def groups(self) -> list[DirectoryObject]:
        """List the groups whose members changed."""
        if self.cycle.mappings.groups.reference is None:
            return []
        return [group for group in self.cycle.tenant.of("Group") if self._is_due(group, sorted(group.members))]

    def export_manager(self, user: DirectoryObject) -> None:
        """Set, change or clear one user's manager."""
        row = self.cycle.mappings.users.reference
        if row is None:
            return
        wanted = user.source.get("manager")
        if wanted and wanted not in self.state.links:
            # Out of scope: not checked again before a restart. Failed: checked in the next cycle.
            if wanted not in self.state.escrow:
                self._mark_seen(user, wanted)
            return
        current = self.state.managers.get(user.id)
        if wanted == current or (not wanted and not self.cycle.dialect.clear_values):
            self._mark_seen(user, wanted)
        else:
            self._send_manager(row, user, wanted, current)

    def member_batches(self, group: DirectoryObject) -> list[Batch]:
        """Split the members to add and to remove into batches, in random order."""
        wanted = {member for member in group.members if self._can_be_member(member)}
        current = self.state.members.get(group.id)
        if current is None:
            current = self.state.members[group.id] = self._existing_members(group, wanted)
        removed = {member for member in current - set(group.members) if member in self.state.links}
        added: list[Batch] = [(group, part, []) for part in self._split(wanted - current)]
        return [*added, *((group, [], part) for part in self._split(removed))]

    def export_members(self, batch: Batch) -> None:
        """Add or remove one batch of members."""
        group, added, removed = batch
        ids = [[self.state.links[member].target for member in part] for part in (added, removed)]
        with self._sending(group) as (entry, client):
            client.patch("Group", self.state.links[group.id].target, self.cycle.dialect.members_patch(*ids))
            self.state.members[group.id].update(added)
            self.state.members[group.id].difference_update(removed)
            entry.changes = [("members", None, i) for i in ids[0]] + [("members", i, None) for i in ids[1]]
            entry.succeed("update", f"{len(added)} members added, {len(removed)} removed")

    def finish_group(self, group: DirectoryObject) -> None:
        """Update the watermark unless a batch failed or a member is still in escrow."""
        if group.id in self.failed:
            self.cycle.escrow.add(group.id, self.failed[group.id], reference=True)
        elif not any(m in self.state.escrow and m not in self.state.links for m in group.members):
            self._mark_seen(group, sorted(group.members))

    def _is_due(self, found: DirectoryObject, value: object) -> bool:
        link = self.state.links.get(found.id)
        if link is None or not (link.managed and link.active):
            return False
        failure = self.state.escrow.get(found.id)
        if failure is not None and failure.reference:
            return self.cycle.escrow.is_due(found.id)
        return self.state.references_seen.get(found.id) != digest(value)

    def _mark_seen(self, found: DirectoryObject, value: object) -> None:
        self.state.references_seen[found.id] = digest(value)
        self.cycle.escrow.clear(found.id, reference=True)

    def _can_be_member(self, member: str) -> bool:
        found = self.cycle.tenant.objects.get(member)
        return found is not None and found.kind == "User" and member in self.state.links and not found.deleted

    def _existing_members(self, group: DirectoryObject, wanted: set[str]) -> set[str]:
        # For a group that existed before: Entra asks for each member and never reads the list.
        client, links = ScimClient(self.cycle.endpoint), self.state.links
        try:
            return {
                m for m in wanted if client.has_reference("Group", links[group.id].target, "members", links[m].target)
            }
        except ExportError as error:
            with self._sending(group):  # logs the failure
                raise error
        return set()

    def _split(self, members: set[str]) -> list[list[str]]:
        order, size = self.cycle.in_random_order(members), max(self.cycle.dialect.member_batch, 1)
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _send_manager(
        self, row: AttributeMapping, user: DirectoryObject, wanted: str | None, current: str | None
    ) -> None:
        links = self.state.links
        id, new = links[user.id].target, links[wanted].target if wanted else None
        with self._sending(user) as (entry, client):
            if new is None or not client.has_reference("User", id, row.target.name, new):
                had = current is not None
                client.patch("User", id, self.cycle.dialect.manager_patch(row.target, new, had, client.endpoint.base))
            if wanted:
                self.state.managers[user.id] = wanted
            else:
                self.state.managers.pop(user.id, None)
            self._mark_seen(user, wanted)
            entry.changes = [("manager", links[current].target if current in links else current, new)]
            entry.succeed("update", "manager resolved")
        if user.id in self.failed:
            self.cycle.escrow.add(user.id, self.failed[user.id], reference=True)

    @contextmanager
    def _sending(self, found: DirectoryObject) -> Iterator[tuple[Entry, ScimClient]]:
        """Log what is sent for an object, and record a failure."""
        target = self.state.links[found.id].target
        entry = Entry(found.kind, found.id, found.name, self.cycle.id, "update", target=target)
        try:
            yield entry, ScimClient(self.cycle.endpoint, entry.exchanges)
        except ExportError as error:
            self.failed[found.id] = error
            entry.fail(error)
        self.cycle.log.add(entry)
