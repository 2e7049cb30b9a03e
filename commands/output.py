"""What commands write, and how they say that it could not be written."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    help="A file, instead of stdout.",
)


class Group(identity.Group):
    """Commands that say in one line what could not be read or written, and end with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except StoreError as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:  # who reads has seen enough, as `head` has: click ends without a word
            raise
        except OSError as error:
            raise unwritten(error) from error


def unwritten(error: OSError, outcome: str = "") -> click.ClickException:
    """Return what is said of output that could not be written; the rest of it is dropped."""
    sys.stdout = io.StringIO()  # else Python tries again at its end, and says once more that it failed
    return click.ClickException(f"{error.filename or 'output'}: {error.strerror}{outcome}")


def check_stdout_open(outcome: str = "") -> None:
    """Refuse to write where nobody would see it: click prints nothing, and calls that a success."""
    if sys.stdout is None:
        raise click.ClickException(f"output: stdout is closed{outcome}")


@contextmanager
def opened(output: str) -> Iterator[IO[str]]:
    """Open what an export writes: a file, which only its owner may read if it is new, or stdout."""
    if output == STDOUT:
        check_stdout_open()
    with click.open_file(STDOUT, "w", "utf-8") if output == STDOUT else _private(Path(output)) as file:
        yield file


def check_not_service_file(path: Path) -> None:
    """Refuse to write over what the service keeps."""
    service = current_app.extensions["tinyscim"]
    store = service.store.files if isinstance(service.store, TinyDBStore) else None
    if ServiceFiles(service.live_config.current, store).has(path):
        raise click.ClickException(f"{path} is one of the service's own files")


def _private(path: Path) -> IO[str]:
    check_not_service_file(path)
    identity.refuse_to_be_led(path)
    return os.fdopen(open_output(path), "w", encoding="utf-8")
