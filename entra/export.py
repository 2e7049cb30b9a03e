"""Export users and groups: match, create, update, disable, delete."""

from typing import TYPE_CHECKING, Any

from entra.dialect import Change
from entra.mapping import AttributeMapping, MappingError, ObjectMapping
from entra.plan import Action, Task
from entra.provisioning_log import Entry
from entra.responses import ExportError
from entra.scim_client import ScimClient
from entra.state import Link
from entra.targets import Resource

if TYPE_CHECKING:
    from entra.cycle import Cycle


class Exporter:
    """Runs tasks, one object at a time; safe to use from several threads."""

    def __init__(self, cycle: "Cycle") -> None:
        self.cycle = cycle
        self.state = cycle.state

    def run(self, task: Task) -> None:
        """Export one object, log the result and update the state."""
        entry = Entry(task.kind, task.id, task.name, self.cycle.id)
        entry.add_step("Import", f"{task.kind} {task.name}")
        entry.add_step("Scope", task.reason, "skipped" if task.action is Action.SKIP else "success")
        try:
            self._export(task, entry, ScimClient(self.cycle.endpoint, entry.exchanges))
            self.cycle.escrow.clear(task.id)
        except (ExportError, MappingError) as error:
            failure = error if isinstance(error, ExportError) else ExportError("AttributeMappingError", str(error))
            entry.fail(failure)
            self.cycle.escrow.add(task.id, failure)
        if task.object is not None or task.id in self.state.links:
            self.state.seen[task.id] = task.digest
        self.cycle.log.add(entry)

    def _export(self, task: Task, entry: Entry, client: ScimClient) -> None:
        link = self.state.links.get(task.id)
        entry.target = link.target if link else None
        if task.action is Action.UNLINK:
            self.state.remove(task.id)
        elif task.action is Action.DELETE and link:
            client.delete(task.kind, link.target)
            self.state.remove(task.id)
            entry.succeed("delete", f"{task.kind} {link.target} deleted")
        elif task.action is Action.DISABLE and link:
            self._update(task, client.get(link.kind, link.target), entry, client, only="active")
            if task.unmanage:
                self.state.update_link(task.id, managed=False)
        elif task.action is Action.UPSERT:
            resource = self._linked(task, link, client) or self._match(task, entry, client)
            if resource is None:
                self._create(task, entry, client)
            else:
                self._update(task, resource, entry, client)

    def _linked(self, task: Task, link: Link | None, client: ScimClient) -> Resource | None:
        if link is None:
            return None
        try:
            return client.get(link.kind, link.target)
        except ExportError as error:
            if error.code != "InvalidAnchor" or not self.cycle.initial:
                raise
        self.state.remove(task.id)  # an initial cycle replaces a link whose target is gone
        return None

    def _match(self, task: Task, entry: Entry, client: ScimClient) -> Resource | None:
        resource = client.match(self._mapping(task), task.source)
        entry.add_step("Match", f"matches {resource['id']}" if resource else "no match")
        if resource is not None:
            self.state.links[task.id] = Link(resource["id"], task.kind, active=resource.get("active") is not False)
            entry.target = resource["id"]
        return resource

    def _create(self, task: Task, entry: Entry, client: ScimClient) -> None:
        mapping = self._mapping(task)
        if "add" not in mapping.actions:
            entry.add_step("Export", "Create is turned off for this mapping", "skipped")
            return
        values = list(mapping.values(task.source, creating=True))
        created = client.create(task.kind, self.cycle.dialect.create(mapping, values))
        self.state.links[task.id] = Link(created["id"], task.kind)
        if task.kind == "Group":
            self.state.members[task.id] = set()  # a new group has no members to ask for
        entry.target = created["id"]
        entry.add_changes([Change(row, None, value) for row, value in values if value is not None])
        entry.succeed("create", f"{task.kind} {created['id']} created")

    def _update(
        self, task: Task, resource: Resource, entry: Entry, client: ScimClient, only: str | None = None
    ) -> None:
        mapping = self._mapping(task)
        changes = differences(mapping, task.source, resource, clear=self.cycle.dialect.clear_values)
        changes = [c for c in changes if only is None or c.target.text == only]
        if changes and "update" in mapping.actions:
            client.patch(task.kind, resource["id"], self.cycle.dialect.patch(changes))
            entry.add_changes(changes)
            entry.succeed(_action(changes), f"{len(changes)} properties modified")
        else:
            reason = "Update is turned off for this mapping" if changes else "no changes"
            entry.add_step("Export", reason, "skipped")
        active = task.action is Action.UPSERT
        self.state.update_link(task.id, active=active, managed=active or self.state.links[task.id].managed)

    def _mapping(self, task: Task) -> ObjectMapping:
        return self.cycle.mappings.of(task.kind)


def differences(mapping: ObjectMapping, source: dict[str, Any], resource: Resource, *, clear: bool) -> list[Change]:
    """List the attributes that differ at the endpoint; empty source values count only with `clear`."""
    changes = []
    for row, new in mapping.values(source):
        old = row.target.read(resource)
        is_ignored = new is None and not (clear and old not in (None, ""))
        if not is_ignored and not _is_equal(row, old, new):
            changes.append(Change(row, old, new))
    return changes


def _is_equal(row: AttributeMapping, old: Any, new: Any) -> bool:
    if row.target.text != "roles":
        return type(old) is type(new) and bool(old == new)
    current, wanted = _role_values(old), _role_values(new)
    return current == wanted if row.is_assertive else wanted <= current


def _role_values(roles: Any) -> set[str]:
    return {str(role.get("value")) for role in roles or [] if isinstance(role, dict)}


def _action(changes: list[Change]) -> str:
    active = next((c.new for c in changes if c.target.text == "active"), None)
    return "update" if active is None else "restore" if active else "disable"
