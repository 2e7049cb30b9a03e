"""Output for people: a live display on a terminal, plain lines elsewhere, and the summary of a cycle."""

import json
import time
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from entra.exchange import Exchange, masked
from entra.provisioning_log import Entry, ProvisioningLog

PLAIN_INTERVAL = 5.0  # seconds
FAILURES_SHOWN = 10  # the summary counts all of them


class Display:
    """Shows the progress of a cycle; `show` is the listener of its log."""

    def __init__(self, console: Console, log: ProvisioningLog, *, verbose: bool = False) -> None:
        self.console = console
        self.log = log
        self.verbose = verbose
        self.started = self.printed = time.monotonic()
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

    def __enter__(self) -> Self:
        self.bars = [self.progress.add_task(name, total=None, rate="") for name in ("objects", "references")]
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def show(self, entry: Entry) -> None:
        """Show a finished entry."""
        if entry.steps and entry.steps[0]["name"] == "EntryImport":
            self.objects += 1
        else:
            self.references += 1
        if self.verbose or (entry.error and self.failures < FAILURES_SHOWN):
            self.console.print(format_entry(entry))
        self.failures += entry.error is not None
        rate = f"{self.log.requests / max(time.monotonic() - self.started, 0.001):.0f} requests/s"
        if self.console.is_terminal:
            objects, references = self.bars
            self.progress.update(objects, completed=self.objects, total=self.log.planned, rate=rate)
            self.progress.update(references, completed=self.references)
        elif time.monotonic() - self.printed > PLAIN_INTERVAL:
            self.printed = time.monotonic()
            self.console.print(f"{self.objects}/{self.log.planned} objects, {self.references} references, {rate}")


def format_entry(entry: Entry) -> str:
    """Format a log entry as one line."""
    colour = {"success": "green", "failure": "red"}.get(entry.status, "dim")
    line = f"[{colour}]{entry.status:<8}[/] {entry.action:<7} {entry.kind:<5} {escape(entry.name)}  "
    if entry.error:
        return line + escape(str(entry.error))
    if entry.status == "skipped" and entry.steps:
        return line + escape(entry.steps[-1]["description"])
    return line + escape("; ".join(f"{name}: {_shorten(old)} -> {_shorten(new)}" for name, old, new in entry.changes))


def print_summary(console: Console, log: ProvisioningLog, seconds: float) -> None:
    """Print the counts of a cycle and its errors by cause."""
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(log.actions.items()))
    rate = log.requests / max(seconds, 0.001)
    console.print(f"{counts or 'no changes'}; {log.requests:,} requests in {seconds:.1f} s ({rate:.0f}/s)")
    if log.errors:
        console.print("Errors by cause:")
        for (code, cause), count in log.errors.most_common():
            console.print(f"{count:>7,}  [bold]{code}[/]: {escape(cause)}")


def print_exchange(console: Console, exchange: Exchange) -> None:
    """Print a request and its response in full."""
    console.print(f"[bold]{exchange.method}[/] {escape(exchange.url)}")
    _print_body(console, exchange.request)
    console.print(f"[bold]-> {exchange.outcome}[/] ({exchange.milliseconds} ms)")
    _print_body(console, exchange.response)


def _print_body(console: Console, body: Any) -> None:
    if body is not None:
        console.print(pretty(body), markup=False)


def pretty(body: Any) -> str:
    """Format a request or response body without its passwords."""
    body = masked(body)
    return body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)


def _shorten(value: Any) -> str:
    text = "(empty)" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
