"""`python -m entra sync`: run one cycle, or one after the other with --watch."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.markup import escape

from entra import options
from entra.console import Display, print_summary
from entra.cycle import CycleStoppedError
from entra.escrow import DAY, DISABLED_AFTER
from entra.job import Job
from entra.provisioning_log import ProvisioningLog

POLL_INTERVAL = 0.5  # seconds
FAILED, STOPPED, INTERRUPTED = 1, 3, 130


class Sync:
    """Runs the cycles of a job and prints their results."""

    def __init__(self, job: Job, log_file: IO[str] | None) -> None:
        self.job = job
        self.settings = job.settings
        self.log_file = log_file
        self.console = Console(soft_wrap=True)
        self.save_error: OSError | None = None
        if self.settings["restart"] or self.settings["reset"]:
            job.state.restart(full=self.settings["reset"])

    def run_cycle(self) -> int:
        """Run one cycle and return its exit status."""
        log = ProvisioningLog(self.log_file)
        cycle = self.job.make_cycle(log, continues=self.settings["watch"])
        kind = "initial" if cycle.initial else "incremental"
        self.console.print(f"{kind} cycle, dialect {cycle.dialect.name}: {escape(cycle.endpoint.base)}")
        started, reason = time.monotonic(), ""
        try:
            with Display(self.console, log, verbose=self.settings["verbose"]) as display:
                log.listener = display.show
                cycle.run()
        except CycleStoppedError as error:
            reason = str(error)
        finally:
            print_summary(self.console, log, time.monotonic() - started)
            self._print_save_error(cycle.save_error)
        if reason:
            self.console.print(f"[red]stopped:[/] {escape(reason)}")
            return STOPPED
        return FAILED if log.failures else 0

    def watch(self) -> int:
        """Run a cycle when the tenant file changes or the interval has passed, until interrupted."""
        tenant_file = self.job.tenant_file
        try:
            while True:
                changed = tenant_file.stat().st_mtime_ns
                self.run_cycle()
                until = time.monotonic() + self._pause()
                while time.monotonic() < until and tenant_file.stat().st_mtime_ns == changed:
                    time.sleep(POLL_INTERVAL)
        finally:
            if self.save_error:
                self.job.state.save()  # no cycle follows, so this time an error ends the command

    def _print_save_error(self, error: OSError | None) -> None:
        self.save_error = error
        if error:
            reason = escape(f"{error.filename}: {error.strerror}")
            self.console.print(f"[red]could not save the state:[/] {reason}. The next cycle retries.")

    def _pause(self) -> float:
        interval = float(self.settings["interval"]) * 60
        quarantine = self.job.state.quarantine
        if quarantine is None:
            return interval
        age = time.time() - quarantine.since
        if age > DISABLED_AFTER:
            raise click.ClickException("The job is disabled after four weeks in quarantine. Enable it with --restart.")
        return min(max(interval, age), DAY)  # the frequency drops to once a day


@click.command("sync")
@options.job
@options.mapping_file
@click.option("--watch", is_flag=True, help="Continue: run a cycle when the file changes and after every --interval.")
@click.option(
    "--interval", type=click.FloatRange(0.01), default=40, show_default=True, help="Minutes between two cycles."
)
@click.option("--restart", is_flag=True, help="Start with an initial cycle; keep the links.")
@click.option("--reset", is_flag=True, help="Start with an initial cycle; remove the links (resetScope=Full).")
@click.option("--retry", "retry_now", is_flag=True, help="Retry objects in escrow now.")
@click.option(
    "--skip-out-of-scope", is_flag=True, help="Send nothing for objects that left the scope (SkipOutOfScopeDeletions)."
)
@click.option("--deletion-threshold", type=click.IntRange(0), help="Hold back more disables and deletes than this.")
@click.option("--allow-deletes", is_flag=True, help="Send the removals that were held back.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 50),
    default=5,
    show_default=True,
    help="Send this many requests in parallel.",
)
@click.option("--log", "log_file", type=options.OUTPUT, help="Append the provisioning log to this file (JSON Lines).")
@click.option("-v", "--verbose", is_flag=True, help="Print a line for every object.")
@options.http
def command(tenant_file: Path, **settings: Any) -> None:
    """Run a provisioning cycle over a tenant file.

    It is an initial cycle if the state is empty, else an incremental one.
    """
    with ExitStack() as stack:
        log = settings["log_file"]
        job = Job(tenant_file, settings)
        stack.callback(job.endpoint.close)
        sync = Sync(job, stack.enter_context(log.open("a", encoding="utf-8")) if log else None)
        try:
            sys.exit(sync.watch() if settings["watch"] else sync.run_cycle())
        except KeyboardInterrupt:
            state = settings["state_file"]
            sync.console.print(f"interrupted; continue with --state {escape(str(state))}" if state else "interrupted")
            sys.exit(INTERRUPTED)
