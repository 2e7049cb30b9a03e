"""A provisioning cycle: connection test, users, groups, then references."""

import random
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from entra import plan
from entra.client import Endpoint
from entra.dialect import Dialect
from entra.escrow import Escrow
from entra.export import Exporter
from entra.mapping import MappingSet
from entra.oauth import TokenRequestError
from entra.plan import Policy, Task
from entra.provisioning_log import Entry, ProvisioningLog
from entra.references import References
from entra.responses import ExportError
from entra.scim_client import ScimClient
from entra.state import Quarantine, State
from entra.tenant import Tenant, digest

Item = TypeVar("Item")
SAVE_INTERVAL = 2.0  # seconds


class CycleStoppedError(Exception):
    """The cycle ended early or in quarantine; the message gives the reason."""


@dataclass(slots=True)
class Cycle:
    """One pass over the tenant; call `run` once. `continues` means that another cycle follows from this state."""

    tenant: Tenant
    mappings: MappingSet
    endpoint: Endpoint
    state: State
    dialect: Dialect = field(default_factory=Dialect)
    policy: Policy = field(default_factory=Policy)
    log: ProvisioningLog = field(default_factory=ProvisioningLog)
    concurrency: int = 5
    seed: int = 0
    clock: Callable[[], float] = time.time
    continues: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    save_error: OSError | None = field(default=None, init=False)

    @property
    def escrow(self) -> Escrow:
        """The state's escrow."""
        return Escrow(self.state, self.policy, self.clock)

    @property
    def initial(self) -> bool:
        """Whether no cycle has finished since the start, a restart or a change of settings."""
        return self.state.cycles == 0 or self.state.settings != self._settings

    @property
    def _settings(self) -> str:
        return digest([self.mappings.users.settings, self.mappings.groups.settings, self.policy.scope])

    def run(self) -> None:
        """Provision and save the state. Raises CycleStoppedError if the job must stop."""
        try:
            self.test_connection()
            if self.state.settings != self._settings:
                self.state.restart()  # changed mappings or scope: an initial cycle that keeps the links
                self.state.settings = self._settings
            tasks = self._hold_back_removals(self._due_tasks())
            self.log.planned = len(tasks)
            self._export(tasks)
            self._finish()
        finally:
            self._save()

    def test_connection(self) -> None:
        """Test the connection. Raises CycleStoppedError if the test fails."""
        entry = Entry("Job", self.id, "test connection", self.id)
        client = ScimClient(self.endpoint, entry.exchanges)
        try:
            self._refresh_token()
            client.test_connection(self.mappings.users)
            client.test_connection(self.mappings.groups)
        except ExportError as error:
            entry.fail(error)
            self.log.add(entry)
            if error.transient:
                raise CycleStoppedError(f"connection test failed: {error.detail}. The next cycle retries.") from None
            self._quarantine("EncounteredQuarantineException", str(error))

    def in_random_order(self, items: Iterable[str]) -> list[str]:
        """Return the items in an order that depends on the seed only."""
        found = sorted(items)
        random.Random(self.seed).shuffle(found)  # noqa: S311 (not a secret)
        return found

    def _refresh_token(self) -> None:
        try:
            self.endpoint.refresh_token()
        except TokenRequestError as error:
            raise ExportError("InvalidCredentials", str(error)) from None

    def _due_tasks(self) -> list[Task]:
        found = plan.tasks(self.tenant, self.state, self.mappings, self.policy)
        return [t for t in found if self.state.seen.get(t.id) != t.digest or self.escrow.is_due(t.id)]

    def _hold_back_removals(self, tasks: list[Task]) -> list[Task]:
        removals = [task for task in tasks if task.is_removal(self.state.links.get(task.id))]
        limit = self.policy.deletion_threshold
        self.state.staged = []
        if limit is None or len(removals) <= limit or self.policy.allow_deletes:
            return tasks
        self.state.staged = [task.id for task in removals]
        for task in removals:
            entry = Entry(task.kind, task.id, task.name, self.id, "stagedDelete", "skipped")
            entry.add_step("Export", f"held back: {len(removals)} removals exceed the threshold of {limit}")
            self.log.add(entry)
        return [task for task in tasks if task not in removals]

    def _export(self, tasks: list[Task]) -> None:
        exporter, references = Exporter(self), References(self)
        for kind in ("User", "Group"):
            self._run_all([t for t in tasks if t.kind == kind], exporter.run)
        self._run_all(references.users(), references.export_manager)
        for group in references.groups():
            self._run_all(references.member_batches(group), references.export_members)
            references.finish_group(group)

    def _finish(self) -> None:
        self.state.cycles += 1
        self.state.quarantine = None
        if self.state.staged:
            detail = f"{len(self.state.staged)} removals are held back. Send them with --allow-deletes."
            self._quarantine("AccidentalDeletionThreshold", detail)
        if reason := self.escrow.quarantine_reason(sum(self.log.actions.values())):
            self._quarantine("EncounteredEscrowProportionThreshold", reason)

    def _run_all(self, items: Iterable[Item], work: Callable[[Item], None]) -> None:
        """Process the items with the job's concurrency and save the state regularly."""
        waiting = iter(items)
        saved = time.monotonic()
        with ThreadPoolExecutor(self.concurrency) as pool:
            running = {pool.submit(work, item) for item in islice(waiting, self.concurrency)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                running |= {pool.submit(work, item) for item in islice(waiting, len(done))}
                if time.monotonic() - saved > SAVE_INTERVAL:
                    self._save()
                    saved = time.monotonic()

    def _save(self) -> None:
        try:
            self.state.save()
            self.save_error = None
        except OSError as error:
            if not self.continues:
                raise
            self.save_error = error

    def _quarantine(self, reason: str, detail: str) -> None:
        since = self.state.quarantine.since if self.state.quarantine else self.clock()
        self.state.quarantine = Quarantine(reason, detail, since)
        raise CycleStoppedError(f"{reason}: {detail}")
