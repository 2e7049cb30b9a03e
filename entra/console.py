"""What a person sees: a live display on a terminal, plain lines elsewhere, and the summary of a cycle."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from entra.client import Exchange, masked
from entra.worklog import Entry, Journal

PLAIN_EVERY = 5.0  # seconds
FAILURES_SHOWN = 10  # the summary counts them all


class Display:
    """Shows a cycle as it goes; give `shown` to the journal as its listener."""

    def __init__(self, console: Console, journal: Journal, *, verbose: bool = False) -> None:
        self.console = console
        self.journal = journal
        self.verbose = verbose
        self.started = self.told = time.monotonic()
        self.objects = self.references = self.failures = 0
        self.progress = Progress(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Display:
        self.bars = [self.progress.add_task(name, total=None, rate="") for name in ("objects", "references")]
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def shown(self, entry: Entry) -> None:
        """Take notice of a finished entry."""
        if entry.steps and entry.steps[0]["name"] == "EntryImport":
            self.objects += 1
        else:
            self.references += 1
        if self.verbose or (entry.error and self.failures < FAILURES_SHOWN):
            self.console.print(line(entry))
        self.failures += entry.error is not None
        if self.console.is_terminal:
            self._advance()
        elif time.monotonic() - self.told > PLAIN_EVERY:
            self.told = time.monotonic()
            counts = f"{self.objects}/{self.journal.planned} objects, {self.references} references"
            self.console.print(f"{counts}, {self.rate}")

    @property
    def rate(self) -> str:
        """The requests per second up to now."""
        return f"{self.journal.requests / max(time.monotonic() - self.started, 0.001):.0f} requests/s"

    def _advance(self) -> None:
        objects, references = self.bars
        self.progress.update(objects, completed=self.objects, total=self.journal.planned, rate=self.rate)
        self.progress.update(references, completed=self.references)


def line(entry: Entry) -> str:
    """Write an entry of the provisioning log on one line."""
    colour = {"success": "green", "failure": "red"}.get(entry.status, "dim")
    what = f"[{colour}]{entry.status:<8}[/] {entry.action:<7} {entry.kind:<5} {escape(entry.name)}"
    if entry.error:
        return f"{what}  {escape(str(entry.error))}"
    if entry.status == "skipped" and entry.steps:
        return f"{what}  {escape(entry.steps[-1]['description'])}"
    changes = "; ".join(f"{name}: {_short(old)} -> {_short(new)}" for name, old, new in entry.changes)
    return f"{what}  {escape(changes)}"


def summary(console: Console, journal: Journal, seconds: float) -> None:
    """Print the counts of a cycle and its errors grouped by cause."""
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(journal.actions.items()))
    rate = journal.requests / max(seconds, 0.001)
    console.print(f"{counts or 'no changes'}; {journal.requests:,} requests in {seconds:.1f} s ({rate:.0f}/s)")
    if journal.errors:
        console.print("Errors by cause:")
        for (code, cause), count in journal.errors.most_common():
            console.print(f"{count:>7,}  [bold]{code}[/]: {escape(cause)}")


def exchange(console: Console, found: Exchange) -> None:
    """Print one request and its answer in full."""
    console.print(f"[bold]{found.method}[/] {escape(found.url)}")
    if found.request is not None:
        console.print(_pretty(masked(found.request)), markup=False)
    status = found.status if found.status is not None else found.fault
    console.print(f"[bold]-> {status}[/] ({found.milliseconds} ms)")
    if found.response is not None:
        console.print(_pretty(masked(found.response)), markup=False)


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _short(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
