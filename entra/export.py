"""The pass over users and groups: match, create, patch the differences, disable, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from entra.answers import ExportError
from entra.dialect import Change
from entra.escrow import Escrow
from entra.mapping import AttributeMapping, MappingError, ObjectMapping
from entra.plan import Action, Task
from entra.service import Service
from entra.state import Link
from entra.targets import Resource
from entra.worklog import Entry

if TYPE_CHECKING:
    from entra.cycle import Cycle


class Exporter:
    """Carries out tasks, one object at a time, from several threads."""

    def __init__(self, cycle: Cycle, escrow: Escrow) -> None:
        self.cycle = cycle
        self.state = cycle.state
        self.escrow = escrow

    def run(self, task: Task) -> None:
        """Do what one object needs, log it, and remember it."""
        entry = Entry(task.kind, task.id, task.name, self.cycle.id)
        entry.step("Import", f"{task.kind} {task.name}")
        entry.step("Scope", task.reason, "skipped" if task.action is Action.SKIP else "success")
        try:
            self._carry_out(task, entry, Service(self.cycle.endpoint, entry.exchanges))
            self.escrow.clear(task.id)
        except MappingError as error:
            self._failed(task, entry, ExportError("AttributeMappingError", str(error)))
        except ExportError as error:
            self._failed(task, entry, error)
        if task.object is not None or task.id in self.state.links:
            self.state.seen[task.id] = task.digest
        self.cycle.journal.add(entry)

    def _failed(self, task: Task, entry: Entry, error: ExportError) -> None:
        entry.fail(error)
        self.escrow.fail(task.id, error)

    def _carry_out(self, task: Task, entry: Entry, service: Service) -> None:
        link = self.state.links.get(task.id)
        entry.target = link.target if link else None
        if task.action is Action.FORGET:
            self.state.forget(task.id)
        elif task.action is Action.DELETE and link:
            self._delete(task, link, entry, service)
        elif task.action is Action.DISABLE and link:
            self._update(task, self._resource(link, service), entry, service, only="active")
            if task.unmanage:
                self.state.link(task.id, managed=False)
        elif task.action is Action.UPSERT:
            self._upsert(task, link, entry, service)

    def _delete(self, task: Task, link: Link, entry: Entry, service: Service) -> None:
        service.delete(task.kind, link.target)
        self.state.forget(task.id)
        entry.action, entry.status = "delete", "success"
        entry.step("Export", f"{task.kind} {link.target} deleted")

    def _upsert(self, task: Task, link: Link | None, entry: Entry, service: Service) -> None:
        resource = self._linked(task, link, service) or self._match(task, entry, service)
        if resource is None:
            self._create(task, entry, service)
        else:
            self._update(task, resource, entry, service)

    def _linked(self, task: Task, link: Link | None, service: Service) -> Resource | None:
        if link is None:
            return None
        try:
            return self._resource(link, service)
        except ExportError as error:
            if error.code != "InvalidAnchor" or not self.cycle.initial:
                raise
        # A restart is what mends an anchor that the endpoint has lost: match anew.
        self.state.forget(task.id)
        return None

    def _resource(self, link: Link, service: Service) -> Resource:
        return service.get(link.kind, link.target)

    def _match(self, task: Task, entry: Entry, service: Service) -> Resource | None:
        resource = service.match(self._mapping(task), task.source)
        entry.step("Match", f"matches {resource['id']}" if resource else "no match")
        if resource is not None:
            self.state.links[task.id] = Link(resource["id"], task.kind, active=resource.get("active") is not False)
            entry.target = resource["id"]
        return resource

    def _create(self, task: Task, entry: Entry, service: Service) -> None:
        mapping = self._mapping(task)
        if "add" not in mapping.actions:
            entry.step("Export", "Create is switched off for this mapping", "skipped")
            return
        flows = list(mapping.values(task.source, creating=True))
        created = service.create(task.kind, self.cycle.dialect.create(mapping, flows))
        self.state.links[task.id] = Link(created["id"], task.kind)
        if task.kind == "Group":
            self.state.members[task.id] = set()  # a group that was just made has none: no need to ask
        entry.target, entry.action, entry.status = created["id"], "create", "success"
        entry.changed([Change(row, None, value) for row, value in flows if value is not None])
        entry.step("Export", f"{task.kind} {created['id']} created")

    def _update(self, task: Task, resource: Resource, entry: Entry, service: Service, only: str | None = None) -> None:
        mapping = self._mapping(task)
        changes = differences(mapping, task.source, resource, clear=self.cycle.dialect.clear_values)
        changes = [c for c in changes if only is None or c.target.text == only]
        if changes and "update" in mapping.actions:
            service.patch(task.kind, resource["id"], self.cycle.dialect.patch(changes))
            entry.changed(changes)
            entry.action, entry.status = _verb(changes), "success"
            entry.step("Export", f"{len(changes)} properties modified")
        else:
            entry.step("Export", "nothing to change" if not changes else "Update is switched off", "skipped")
        active = task.action is Action.UPSERT
        self.state.link(task.id, active=active, managed=active or self.state.links[task.id].managed)

    def _mapping(self, task: Task) -> ObjectMapping:
        return self.cycle.mappings.of(task.kind)


def differences(mapping: ObjectMapping, source: dict[str, Any], resource: Resource, *, clear: bool) -> list[Change]:
    """List what the endpoint holds otherwise than the mapping says; nulls count where that is asked for."""
    changes = []
    for row, new in mapping.values(source):
        old = row.target.read(resource)
        if (new is None and not (clear and old not in (None, ""))) or _same(row, old, new):
            continue
        changes.append(Change(row, old, new))
    return changes


def _same(row: AttributeMapping, old: Any, new: Any) -> bool:
    if row.target.text != "roles":
        return type(old) is type(new) and bool(old == new)
    there, wanted = _role_values(old), _role_values(new)
    return there == wanted if row.is_assertive else wanted <= there


def _role_values(roles: Any) -> set[str]:
    return {str(role.get("value")) for role in roles or [] if isinstance(role, dict)}


def _verb(changes: list[Change]) -> str:
    active = next((c.new for c in changes if c.target.text == "active"), None)
    return "update" if active is None else "restore" if active else "disable"
