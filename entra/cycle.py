"""A provisioning cycle: probes, users, groups, then references; initial when nothing was seen before."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from entra import plan
from entra.answers import ExportError
from entra.client import Endpoint
from entra.dialect import Dialect
from entra.escrow import Escrow
from entra.export import Exporter
from entra.mapping import MappingSet
from entra.oauth import SignInError
from entra.plan import Policy, Task
from entra.references import References
from entra.service import Service
from entra.state import Quarantine, State
from entra.tenant import Tenant, digest
from entra.worklog import Entry, Journal

Item = TypeVar("Item")
SAVE_EVERY = 2.0  # seconds
IMMEDIATE = "EncounteredQuarantineException"
PROPORTION = "EncounteredEscrowProportionThreshold"


class CycleStoppedError(Exception):
    """The cycle ended early or in quarantine; the message says why, the state keeps the quarantine."""


@dataclass(slots=True)
class Cycle:
    """One run over the tenant with what it needs; `run` may be called once."""

    tenant: Tenant
    mappings: MappingSet
    endpoint: Endpoint
    state: State
    dialect: Dialect = field(default_factory=Dialect)
    policy: Policy = field(default_factory=Policy)
    journal: Journal = field(default_factory=Journal)
    concurrency: int = 5
    seed: int = 0
    clock: Callable[[], float] = time.time
    goes_on: bool = False  # another cycle follows, from the state in memory
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    unsaved: OSError | None = field(default=None, init=False)

    @property
    def initial(self) -> bool:
        """Say whether no cycle has come to its end since the start, a restart, or a change of the settings."""
        return self.state.cycles == 0 or self.state.settings != self._settings

    @property
    def _settings(self) -> str:
        return digest([self.mappings.users.settings, self.mappings.groups.settings, self.policy.scope])

    def run(self) -> None:
        """Provision. Raises CycleStoppedError when the job must not go on. Any end leaves a state to go on from."""
        try:
            self.probe()
            if self.state.settings != self._settings:
                self.state.restart()  # a mapping or a scope that was saved anew starts over, with the links kept
                self.state.settings = self._settings
            work = self._held_back(self._work())
            self.journal.planned = len(work)
            self._export(work)
            self._settle()
        finally:
            self._save()

    def _save(self) -> None:
        """Save the state; what is in the way is kept for who goes on, and else raised."""
        try:
            self.state.save()
            self.unsaved = None
        except OSError as error:
            if not self.goes_on:
                raise
            self.unsaved = error

    def probe(self) -> None:
        """Test the connection. Raises CycleStoppedError when the endpoint fails the test."""
        entry = Entry("Job", self.id, "test connection", self.id)
        service = Service(self.endpoint, entry.exchanges)
        try:
            self._sign_in()
            service.probe(self.mappings.users)
            service.probe(self.mappings.groups)
        except ExportError as error:
            entry.fail(error)
            self.journal.add(entry)
            if error.transient:
                raise CycleStoppedError(
                    f"the endpoint did not answer: {error.detail}; the next cycle tries again"
                ) from None
            self._quarantine(IMMEDIATE, str(error))

    def _sign_in(self) -> None:
        try:
            self.endpoint.sign_in()
        except SignInError as error:
            raise ExportError("InvalidCredentials", str(error)) from None

    def _work(self) -> list[Task]:
        escrow = self._escrow()
        found = plan.tasks(self.tenant, self.state, self.mappings, self.policy)
        return [t for t in found if self.state.seen.get(t.id) != t.digest or escrow.is_due(t.id)]

    def _held_back(self, work: list[Task]) -> list[Task]:
        removals = [task for task in work if task.removes(self.state.links.get(task.id))]
        limit = self.policy.deletion_threshold
        self.state.staged = []
        if limit is None or len(removals) <= limit or self.policy.allow_deletes:
            return work
        self.state.staged = [task.id for task in removals]
        for task in removals:
            entry = Entry(task.kind, task.id, task.name, self.id, "stagedDelete", "skipped")
            entry.step("Export", f"held back: {len(removals)} removals are more than the threshold of {limit}")
            self.journal.add(entry)
        return [task for task in work if task not in removals]

    def _export(self, work: list[Task]) -> None:
        exporter = Exporter(self, self._escrow())
        for kind in ("User", "Group"):
            self._each([t for t in work if t.kind == kind], exporter.run)
        references = References(self, self._escrow())
        self._each(references.users(), references.manager)
        for group in references.groups():
            self._each(references.prepare(group), references.member_batch)
            references.finish(group)

    def _settle(self) -> None:
        self.state.cycles += 1
        self.state.quarantine = None
        if self.state.staged:
            detail = f"{len(self.state.staged)} removals wait for --allow-deletes"
            self._quarantine("AccidentalDeletionThreshold", detail)
        events = sum(self.journal.actions.values())
        if reason := self._escrow().too_much(events):
            self._quarantine(PROPORTION, reason)

    def _each(self, items: Iterable[Item], work: Callable[[Item], None]) -> None:
        """Do the work for every item with the job's concurrency, saving as it goes."""
        waiting = iter(items)
        saved = time.monotonic()
        with ThreadPoolExecutor(self.concurrency) as pool:
            running = {pool.submit(work, item) for item in islice(waiting, self.concurrency)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                running |= {pool.submit(work, item) for item in islice(waiting, len(done))}
                if time.monotonic() - saved > SAVE_EVERY:
                    self._save()
                    saved = time.monotonic()

    def shuffled(self, items: Iterable[str]) -> list[str]:
        """Put items in the order of a service that has none."""
        found = sorted(items)
        random.Random(self.seed).shuffle(found)  # noqa: S311 (not a secret)
        return found

    def _escrow(self) -> Escrow:
        return Escrow(self.state, self.policy, self.clock)

    def _quarantine(self, reason: str, detail: str) -> None:
        since = self.state.quarantine.since if self.state.quarantine else self.clock()
        self.state.quarantine = Quarantine(reason, detail, since)
        raise CycleStoppedError(f"{reason}: {detail}")
