"""`flask log`: shows and exports the provisioning log."""

import json
import time
from collections.abc import Callable, Mapping

import click
from flask import current_app

from commands.output import Group, opened, to_file
from fileio.csv_writer import write_table
from provisioning_log import ProvisioningLog, log_of
from provisioning_log.entries import ACTIONS
from provisioning_log.export import COLUMNS, as_exchange, as_row, summary
from provisioning_log.search import RESULTS, Criteria, matching, read_time

log = Group(
    "log", is_all=True, help="What the identity provider did here: every change, and every request that failed."
)

FOLLOW = 0.5  # seconds between two looks


class _Time(click.ParamType[str]):
    """A time, in the log's own form."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return read_time(value)
        except (ValueError, OverflowError):
            self.fail(f'"{value}" is no time; write 2026-01-31, 2026-01-31T12:00 (UTC), or 30m, 2h, 7d for "ago"')


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option("--person", metavar="TEXT", help="Only who has this in a name or as the id."),
            click.option("--action", type=click.Choice(ACTIONS), help="Only entries of this action."),
            click.option("--result", type=click.Choice(RESULTS), help="Only what went well, or did not."),
            click.option("--since", type=_Time(), help='From this time on: "2026-01-31T12:00" (UTC), or "2h" ago.'),
            click.option("--until", type=_Time(), help="Up to this time."),
        )
    ):
        command = option(command)
    return command


@log.command("tail")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many entries to show.",
    metavar="N",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new entries as they come, until Ctrl-C.")
@_filters
def tail(lines: int, follow: bool, **criteria: str | None) -> None:
    """Show the newest entries, one on a line: when, status, what was done, to whom, what changed or is to change."""
    found, wanted = _log(), _criteria(criteria)
    coming = found.files.appended() if follow else iter(())
    newest = found.search(wanted, limit=lines).entries
    for entry in reversed(newest):
        click.echo(summary(entry))
    if lines and not newest and not follow:
        click.echo("The provisioning log has no such entry.", err=True)
    for new in coming:
        for entry in matching(new, wanted):
            click.echo(summary(entry))
        time.sleep(FOLLOW)


@log.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON lines have everything; CSV has a line for each entry, to be read by a spreadsheet.",
)
@to_file
@_filters
def export(form: str, output: str, **criteria: str | None) -> None:
    """Write the entries, the oldest first. `python -m entra replay` sends what the JSON lines hold again."""
    entries = _log().entries(_criteria(criteria))
    registry = current_app.extensions["tinyscim"].registry
    with opened(output) as file:
        if form == "csv":
            write_table(file, [COLUMNS])
            write_table(file, (as_row(entry).values() for entry in entries))
        else:
            for entry in entries:
                file.write(json.dumps(as_exchange(entry, registry), ensure_ascii=False) + "\n")


def _log() -> ProvisioningLog:
    found = log_of(current_app)
    if found is None:
        raise click.ClickException("The provisioning log is off: set path under [log] in the configuration.")
    return found


def _criteria(given: Mapping[str, str | None]) -> Criteria:
    return Criteria(**{name: value for name, value in given.items() if value})
