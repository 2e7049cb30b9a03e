"""`python -m entra sync`: cycles from a tenant file into an endpoint, once or for as long as one watches."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.markup import escape

from entra import options
from entra.client import Endpoint
from entra.console import Display, summary
from entra.cycle import Cycle, CycleStoppedError
from entra.escrow import DAY, DROPPED_AFTER
from entra.mapping import MappingSet
from entra.plan import Policy
from entra.state import State
from entra.worklog import Journal

LOOK_EVERY = 0.5  # seconds
FAILED, STOPPED, INTERRUPTED = 1, 3, 130


class Job:
    """A provisioning job: what stays the same from cycle to cycle."""

    def __init__(self, tenant_file: Path, settings: dict[str, Any], log: IO[str] | None) -> None:
        self.tenant_file = tenant_file
        self.settings = settings
        self.log = log
        self.console = Console(soft_wrap=True)
        self.endpoint: Endpoint = options.make_endpoint(settings["url"], settings["token"], settings)
        self.mappings: MappingSet = options.job_mappings(settings)
        self.state: State = options.load_state(settings, self.endpoint)
        self._unsaved: OSError | None = None
        if settings["restart"] or settings["reset"]:
            self.state.restart(full=settings["reset"])

    def cycle(self) -> int:
        """Run one cycle and give the exit status that it deserves."""
        journal = Journal(self.log)
        cycle = self._cycle(journal)
        kind = "initial" if cycle.initial else "incremental"
        self.console.print(f"{kind} cycle, dialect {cycle.dialect.name}: {escape(self.endpoint.base)}")
        started, stopped = time.monotonic(), ""
        try:
            with Display(self.console, journal, verbose=self.settings["verbose"]) as display:
                journal.listener = display.shown
                cycle.run()
        except CycleStoppedError as error:
            stopped = str(error)
        finally:
            summary(self.console, journal, time.monotonic() - started)
            self._unsaved = cycle.unsaved
            self._tell_unsaved()
        if stopped:
            self.console.print(f"[red]stopped:[/] {escape(stopped)}")
            return STOPPED
        return FAILED if journal.failures else 0

    def watch(self) -> int:
        """Run a cycle whenever the tenant file changes or the interval has passed, until interrupted."""
        try:
            while True:
                changed = self.tenant_file.stat().st_mtime_ns
                self.cycle()
                until = time.monotonic() + self._pause()
                while time.monotonic() < until and self.tenant_file.stat().st_mtime_ns == changed:
                    time.sleep(LOOK_EVERY)
        finally:
            if self._unsaved:
                self.state.save()  # for the last time: what is in the way is an error now

    def _tell_unsaved(self) -> None:
        if self._unsaved:
            reason = f"{self._unsaved.filename}: {self._unsaved.strerror}"
            self.console.print(f"[red]the state is not saved:[/] {escape(reason)}; it will be tried again")

    def _pause(self) -> float:
        interval = float(self.settings["interval"]) * 60
        quarantine = self.state.quarantine
        if quarantine is None:
            return interval
        age = time.time() - quarantine.since
        if age > DROPPED_AFTER:
            raise click.ClickException("four weeks in quarantine: the job is disabled (--restart starts it anew)")
        return min(max(interval, age), DAY)  # less often the longer it lasts, once a day at last

    def _cycle(self, journal: Journal) -> Cycle:
        return Cycle(
            options.load_tenant(self.tenant_file),
            self.mappings,
            self.endpoint,
            self.state,
            options.make_dialect(self.settings, self.endpoint.flagged),
            _policy(self.settings),
            journal,
            concurrency=self.settings["concurrency"],
            goes_on=self.settings["watch"],
        )


@click.command("sync")
@click.argument("tenant_file", metavar="TENANT", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--url", required=True, help="The tenant URL; ?aadOptscim062020 may be appended.")
@options.token
@click.option("--state", "state_file", type=options.STATE, help="Links and watermark.")
@options.scope
@options.mapping_file
@options.roles
@click.option("--watch", is_flag=True, help="Go on: a cycle when the file changes, and every --interval.")
@click.option("--interval", type=click.FloatRange(0.01), default=40, show_default=True, help="Minutes.")
@click.option("--restart", is_flag=True, help="Start with an initial cycle; the links are kept.")
@click.option("--reset", is_flag=True, help="Forget the links too (resetScope=Full).")
@click.option("--retry", is_flag=True, help="Try what is in escrow again now.")
@click.option("--skip-out-of-scope", is_flag=True, help="SkipOutOfScopeDeletions: send nothing for who left the scope.")
@click.option("--deletion-threshold", type=click.IntRange(0), help="Hold back more disables and deletes than this.")
@click.option("--allow-deletes", is_flag=True, help="Send the removals that were held back.")
@click.option("--concurrency", type=click.IntRange(1, 50), default=5, show_default=True, help="Workers.")
@click.option("--log", "log_file", type=options.OUTPUT, help="Provisioning log, JSON lines.")
@click.option("-v", "--verbose", is_flag=True, help="A line for every object.")
@options.wire
@options.dialect
def command(tenant_file: Path, **settings: Any) -> None:
    """Provision a tenant file: an initial cycle when the state is empty, else an incremental one."""
    with ExitStack() as stack:
        log = settings["log_file"]
        job = Job(tenant_file, settings, stack.enter_context(log.open("a", encoding="utf-8")) if log else None)
        stack.callback(job.endpoint.close)
        try:
            sys.exit(job.watch() if settings["watch"] else job.cycle())
        except KeyboardInterrupt:
            where = f"; the next run with --state {settings['state_file']} goes on" if settings["state_file"] else ""
            job.console.print(f"interrupted{where}")
            sys.exit(INTERRUPTED)


def _policy(settings: dict[str, Any]) -> Policy:
    base = Policy(scope=settings["scope"], interval=settings["interval"] * 60, retry_now=settings["retry"])
    return replace(
        base,
        skip_out_of_scope=settings["skip_out_of_scope"],
        deletion_threshold=settings["deletion_threshold"],
        allow_deletes=settings["allow_deletes"],
    )
