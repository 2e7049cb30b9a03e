"""The output of commands: tables, files, and errors if they cannot be written."""

import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click
from flask import current_app

from commands import identity
from commands.service_files import ServiceFiles
from fileio.atomic import open_output
from storage.base import StoreError
from storage.tinydb_store import TinyDBStore

STDOUT = "-"  # as it is typed: "./-" is a file

to_file = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    default=STDOUT,
    help="Write to this file instead of stdout.",
)


class Group(identity.Group):
    """Commands that report an unreadable or unwritable file in one line, and end with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except StoreError as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:  # the reader has closed the pipe, as `head` does: click ends silently
            raise
        except OSError as error:
            raise unwritten(error) from error


def unwritten(error: OSError, outcome: str = "") -> click.ClickException:
    """Return the error for output that cannot be written; the rest of the output is dropped."""
    sys.stdout = io.StringIO()  # else Python flushes again when it exits, and reports the error twice
    return click.ClickException(f"{error.filename or 'output'}: {error.strerror}{outcome}")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their headings, in columns as wide as they need."""
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def as_minute(moment: datetime | float | None, absent: str) -> str:
    """Return a time to the minute, in UTC; times without a zone are UTC."""
    if not moment:
        return absent
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, UTC)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).strftime("%Y-%m-%d %H:%M UTC")


def check_stdout_open(outcome: str = "") -> None:
    """Refuse to run without a stdout: click would print nothing and report success."""
    if sys.stdout is None:
        raise click.ClickException(f"output: stdout is closed{outcome}")


@contextmanager
def opened(output: str) -> Iterator[IO[str]]:
    """Open an export's output: stdout, or a file that only its owner may read if it is new."""
    if output == STDOUT:
        check_stdout_open()
    with click.open_file(STDOUT, "w", "utf-8") if output == STDOUT else _private(Path(output)) as file:
        yield file


def check_not_service_file(path: Path) -> None:
    """Refuse to overwrite a file of the service."""
    service = current_app.extensions["tinyscim"]
    store = service.store.files if isinstance(service.store, TinyDBStore) else None
    if ServiceFiles(service.live_config.current, store).has(path):
        raise click.ClickException(f"{path} is one of the service's own files")


def _private(path: Path) -> IO[str]:
    check_not_service_file(path)
    identity.check_not_redirectable(path)
    return os.fdopen(open_output(path), "w", encoding="utf-8")
