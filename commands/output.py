"""What commands write, and how they say that it could not be written."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
from flask.cli import AppGroup

from storage.base import StoreError

STDOUT = Path("-")

to_file = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=STDOUT,
    help="A file, instead of stdout.",
)


class Group(AppGroup):
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


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """Open what an export writes: a file, or stdout."""
    with path.open("w", encoding="utf-8") if path != STDOUT else click.open_file("-", "w", "utf-8") as file:
        yield file
        file.flush()  # at the end of the process it is too late to fail
