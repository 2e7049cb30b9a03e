"""Problems found in a file. The caller decides whether to refuse the file, report the problem or skip the line."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from storage.base import Document, StoreCorrupted


class Problem(NamedTuple):
    """A problem in a file, its line, and the affected bytes."""

    path: Path
    line: int
    what: str
    rest: bytes = b""

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.what}"


OnProblem = Callable[[Problem], None]

CheckDocument = Callable[[str, Document], object]
"""Raises ValueError, with the reason, for a document of a kind that the store's user could not have stored."""


def accept(kind: str, document: Document) -> None:
    """Accept any document."""


def refuse(problem: Problem) -> NoReturn:
    """Raise StoreCorrupted."""
    raise StoreCorrupted(
        f"{problem}. Stop the service and run `flask store repair` to save all the rest,"
        " or `flask store restore` with a backup."
    )
