"""`python -m entra validate`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from entra import options
from entra.validate import reports
from entra.validate.cases import Result, Status
from entra.validate.runner import CASES, Run, choose

COLOURS = {Status.PASSED: "green", Status.FAILED: "red", Status.WARNED: "yellow", Status.SKIPPED: "dim"}
REPORTS: dict[str, Callable[[Run], str]] = {
    "junit": reports.to_junit,
    "json_file": reports.to_json,
    "html": reports.to_html,
}


def _list(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        for case in CASES:
            click.echo(f"{case.name:<28} {case.title}")
        ctx.exit()


@click.command("validate")
@click.argument("url")
@options.token
@click.option("--junit", type=options.OUTPUT, help="Write a JUnit report.")
@click.option("--json", "json_file", type=options.OUTPUT, help="Write a JSON report.")
@click.option("--html", type=options.OUTPUT, help="Write a report for people.")
@click.option("--case", "names", multiple=True, help="Run this case only; may be repeated.")
@click.option("--dialect", "dialects", type=click.Choice(["L", "F", "LF"]), default="LF", show_default=True)
@click.option("--strict", is_flag=True, help="Count warnings as failures.")
@click.option("-v", "--verbose", is_flag=True, help="Name the cases that passed, too.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Name every case.")
@options.wire
def command(url: str, token: str, **settings: Any) -> None:
    """Check an endpoint with everything that Entra sends; exit status 1: a case failed."""
    endpoint = options.make_endpoint(url, token, settings)
    try:
        run = Run(endpoint, settings["dialects"], choose(settings["names"]))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    console = Console(soft_wrap=True)
    with console.status("validating") as status:
        for result in run.results():
            status.update(f"{len(run.finished)} checks, {escape(result.name)}")
            if settings["verbose"] or result.status is not Status.PASSED:
                _show(console, result)
    endpoint.close()
    _write(run, settings)
    _tell(console, run)
    bad = run.count(Status.FAILED) + (run.count(Status.WARNED) if settings["strict"] else 0)
    sys.exit(1 if bad else 0)


def _show(console: Console, result: Result) -> None:
    colour = COLOURS[result.status]
    title = escape(f"{result.name}: {result.case.title}")
    console.print(f"[{colour}]{result.status:<7}[/] {title}")
    if result.message:
        console.print(f"        {escape(result.message)}")
        console.print(f"        Entra: {escape(result.case.effect)}")
        console.print(f"        Change: {escape(result.case.fix)}")


def _write(run: Run, settings: dict[str, Any]) -> None:
    for name, write in REPORTS.items():
        if settings[name] is not None:
            settings[name].write_text(write(run), encoding="utf-8")


def _tell(console: Console, run: Run) -> None:
    counts = ", ".join(f"{run.count(status)} {status}" for status in Status if run.count(status))
    console.print(f"{len(run.finished)} checks: {counts}")
    if run.left_behind:
        console.print(f"could not be deleted again: {escape(', '.join(run.left_behind))}")
