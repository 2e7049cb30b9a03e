"""CSV files, for spreadsheets."""

import csv
import re
from collections.abc import Iterable
from typing import IO, Any

# Full-width forms are signs of formulas to spreadsheets too.
_FORMULA = re.compile("(?<![;\\s\"'\ufeff])([;\\s\"'\ufeff]*+)([=+@\uff1d\uff0b\uff0d\uff20-])")
# Excel takes a semicolon for the end of a cell in many countries; the quotes around the next cells are then text to it.
_SEPARATORS = frozenset(";\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


def write_table(file: IO[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write the rows so that no cell is taken for a formula, or for more cells than one."""
    # The csv module quotes \r and \n alone where the line's end has them: it is to be its own, \r\n.
    csv.writer(file).writerows([_harmless(cell) for cell in row] for row in rows)


def _harmless(cell: Any) -> Any:
    """Keep a spreadsheet from taking text that somebody provisioned for a formula.

    Where a formula begins the text, spaces and quotes aside, the text gets a `'` in front. So does a formula behind
    what a spreadsheet may take for the end of a cell: a line break, a tab, a semicolon.
    """
    return _FORMULA.sub(_as_text, cell.replace("\0", "")) if isinstance(cell, str) else cell


def _as_text(found: re.Match[str]) -> str:
    before, sign = found.groups()
    at_start = "'" if found.start() == 0 else ""
    behind_end = "'" if not _SEPARATORS.isdisjoint(before) else ""
    return f"{at_start}{before}{behind_end}{sign}"
