"""Prints measurements."""

from collections.abc import Iterable


def table(names: Iterable[str], lines: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table."""
    print("|", " | ".join(names), "|")
    print("|" + " --- |" * len(list(names)))
    for line in lines:
        print("|", " | ".join(f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in line), "|")
