"""`python -m entra validate`."""

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


def _list(ctx: click.Context, _: click.Parameter, is_set: bool) -> None:
    if is_set:
        for case in CASES:
            click.echo(f"{case.name:<28} {case.title}")
        ctx.exit()


@click.command("validate")
@click.argument("url")
@options.token
@click.option("--junit", type=options.OUTPUT, help="Write a JUnit report.")
@click.option("--json", "json_file", type=options.OUTPUT, help="Write a JSON report.")
@click.option("--html", type=options.OUTPUT, help="Write an HTML report.")
@click.option("--case", "names", multiple=True, help="Run only this case; repeat the option for several.")
@click.option(
    "--dialect", "dialects", type=click.Choice(["L", "F", "LF"]), default="LF", show_default=True, help="The dialects."
)
@click.option("--strict", is_flag=True, help="Count warnings as failures.")
@click.option("-v", "--verbose", is_flag=True, help="Print passed cases too.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the cases.")
@options.http
def command(url: str, **settings: Any) -> None:
    """Check an endpoint with everything that Entra sends.

    The exit status is 1 if a case fails.
    """
    endpoint = options.make_endpoint(url, settings)
    try:
        run = Run(endpoint, settings["dialects"], choose(settings["names"]))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    console = Console(soft_wrap=True)
    with console.status("validating") as status:
        for result in run.results():
            status.update(f"{len(run.finished)} checks, {escape(result.name)}")
            if settings["verbose"] or result.status in (Status.FAILED, Status.WARNED):
                _print_result(console, result)
    endpoint.close()
    for name, write in REPORTS.items():
        if settings[name] is not None:
            settings[name].write_text(write(run), encoding="utf-8")
    _print_summary(console, run)
    failures = run.count(Status.FAILED) + (run.count(Status.WARNED) if settings["strict"] else 0)
    sys.exit(1 if failures else 0)


def _print_result(console: Console, result: Result) -> None:
    console.print(f"[{COLOURS[result.status]}]{result.status:<7}[/] {escape(f'{result.name}: {result.case.title}')}")
    for line in result.explanation:
        console.print(f"        {escape(line)}")


def _print_summary(console: Console, run: Run) -> None:
    counts = ", ".join(f"{run.count(status)} {status}" for status in Status if run.count(status))
    console.print(f"{len(run.finished)} check{'s' * (len(run.finished) != 1)}: {counts}")
    if run.left_behind:
        console.print(f"could not delete: {escape(', '.join(run.left_behind))}")
