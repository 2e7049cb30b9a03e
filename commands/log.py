"""`flask log`: show and export the provisioning log."""

import json
import time
from collections.abc import Callable, Mapping

import click
from flask import current_app

from commands.output import Group, as_minute, opened, to_file
from commands.paths import config_path
from config import edit
from fileio.csv_writer import write_table
from provisioning_log import ProvisioningLog, log_of
from provisioning_log.entries import ACTIONS
from provisioning_log.export import COLUMNS, as_exchange, as_row, summary
from provisioning_log.search import RESULTS, Criteria, matching, read_time, record_until

log = Group("log", is_all=True, help="Show and export the provisioning log.")

POLL_INTERVAL = 0.5  # seconds


class _Time(click.ParamType[str]):
    """A time, converted to the log's format."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return read_time(value)
        except (ValueError, OverflowError):
            self.fail(
                f'"{value}" is not a date. Use 2026-01-31, 2026-01-31T12:00 (UTC), or an age such as 30m, 2h or 7d.'
            )


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "--person",
                metavar="TEXT",
                help="Only entries about resources with this text in a name, or with this ID.",
            ),
            click.option("--action", type=click.Choice(ACTIONS), help="Only entries with this action."),
            click.option("--result", type=click.Choice(RESULTS), help="Only requests with this result."),
            click.option(
                "--since",
                type=_Time(),
                help="Only entries from this time on: 2026-01-31T12:00 (UTC), or an age such as 2h.",
            ),
            click.option("--until", type=_Time(), help="Only entries up to this time."),
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
    help="The number of entries to show.",
    metavar="N",
)
@click.option("-f", "--follow", is_flag=True, help="Keep showing new entries until Ctrl-C.")
@_filters
def tail(lines: int, follow: bool, **criteria: str | None) -> None:
    """Show the newest entries, one per line.

    A line has the time, status, action and resource of a change or of a failed request, then the changes or the advice.
    """
    found, wanted = _log(), _criteria(criteria)
    appended = found.files.appended() if follow else iter(())
    newest = found.search(wanted, limit=lines)
    for entry in reversed(newest):
        click.echo(summary(entry))
    if lines and not newest and not follow:
        click.echo("No entries match." if found.search(Criteria(), limit=1) else "The log is empty.", err=True)
    for new in appended:
        for entry in matching(new, wanted):
            click.echo(summary(entry))
        time.sleep(POLL_INTERVAL)


@log.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON lines contain everything; CSV has one row per entry, for spreadsheets.",
)
@to_file
@_filters
def export(form: str, output: str, **criteria: str | None) -> None:
    """Write all entries, oldest first.

    `python -m entra replay` can send the requests in the JSON lines again.
    """
    entries = _log().entries(_criteria(criteria))
    registry = current_app.extensions["tinyscim"].registry
    with opened(output) as file:
        if form == "csv":
            write_table(file, [COLUMNS])
            write_table(file, (as_row(entry).values() for entry in entries))
        else:
            for entry in entries:
                file.write(json.dumps(as_exchange(entry, registry), ensure_ascii=False) + "\n")


@log.command("record")
@click.option("--for", "span", metavar="TIME", help="How long to record, such as 30m, 2h or 1d; at most 7d.")
@click.option("--stop", is_flag=True, help="Stop recording.")
def record(span: str | None, stop: bool) -> None:
    """Record successful reads for a while.

    The log then has everything that Entra sends, with the values of its filters.
    """
    if bool(span) == stop:
        raise click.UsageError("Give either --for or --stop.")
    path = config_path()
    try:
        until = None if stop else record_until(span or "")
        edit.set_record_reads(path, until)
    except (ValueError, edit.Refused) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Reads are recorded until {as_minute(until, '')}." if until else "Reads are no longer recorded.")


def _log() -> ProvisioningLog:
    found = log_of(current_app)
    if found is None:
        raise click.ClickException("The provisioning log is off: set path under [log] in the configuration.")
    return found


def _criteria(given: Mapping[str, str | None]) -> Criteria:
    criteria = Criteria(**{name: value for name, value in given.items() if value})
    if criteria.is_reversed:
        raise click.UsageError("--since is later than --until, so no entry can match. Swap them.")
    return criteria
