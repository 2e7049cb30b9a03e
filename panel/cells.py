"""CSV files, for spreadsheets."""

import csv
from collections.abc import Iterable
from typing import IO, Any


def write_table(file: IO[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write the rows so that no cell is taken for a formula, or for more cells than one."""
    # The csv module quotes \r and \n alone where the line's end has them: it is to be its own, \r\n.
    csv.writer(file).writerows([_harmless(cell) for cell in row] for row in rows)


def _harmless(cell: Any) -> Any:
    """Keep a spreadsheet from taking text that somebody provisioned for a formula."""
    return "'" + cell if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
