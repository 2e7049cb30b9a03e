"""What is wrong with a file. Whoever reads one decides whether to refuse it, report it or do without."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from storage.base import StoreCorrupted


class Problem(NamedTuple):
    """What is wrong with a file, where, and the bytes that cannot be trusted."""

    path: Path
    line: int
    what: str
    rest: bytes = b""

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.what}"


OnProblem = Callable[[Problem], None]


def refuse(problem: Problem) -> NoReturn:
    """Raise Damaged."""
    raise StoreCorrupted(
        f"{problem}. Stop the service and run `flask store repair` to save all the rest,"
        " or `flask store restore` with a backup."
    )
