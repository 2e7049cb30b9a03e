"""CSV files, for spreadsheets."""

import csv
import re
from collections.abc import Iterable
from typing import IO, Any

# Spreadsheets accept the full-width forms as well.
_FORMULA = re.compile("(?<![;\\s\"'\ufeff])([;\\s\"'\ufeff]*+)([=+@\uff1d\uff0b\uff0d\uff20-])")
# In many countries Excel separates cells by semicolons, and then reads quotes within a cell as text.
_SEPARATORS = frozenset(";\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


def write_table(file: IO[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write the rows so that a spreadsheet takes each cell for one cell of plain text."""
    # With its default line end, \r\n, the csv module quotes cells that contain \r or \n.
    csv.writer(file).writerows([_harmless(cell) for cell in row] for row in rows)


def _harmless(cell: Any) -> Any:
    """Disarm formulas in provisioned text.

    A `'` is inserted before a formula that starts the text, apart from spaces and quotes, and before one that follows
    what a spreadsheet may read as the end of a cell: a line break, a tab or a semicolon.
    """
    return _FORMULA.sub(_escaped, cell.replace("\0", "")) if isinstance(cell, str) else cell


def _escaped(found: re.Match[str]) -> str:
    before, sign = found.groups()
    at_start = "'" if found.start() == 0 else ""
    after_separator = "'" if not _SEPARATORS.isdisjoint(before) else ""
    return f"{at_start}{before}{after_separator}{sign}"
