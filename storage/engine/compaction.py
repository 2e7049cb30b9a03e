"""Compaction: a new snapshot out of the old one and the journals that ended since.

Lines are merged as bytes, not parsed, so that it takes little of a serving process's time. A crash at any
step leaves files that open to the same state: the snapshot says which journal goes on from it, and the old
journals stay until the new snapshot is in place.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from time import monotonic, sleep
from typing import TypeVar

from storage.engine.encoding import dump
from storage.engine.journal import Journal, decode_changes, start_place
from storage.engine.paths import Files
from storage.engine.snapshot import Meta, Row, Snapshot, known_meta, save

SPELL = 0.001  # seconds of work between two rests
T = TypeVar("T")
Changed = dict[str, dict[int, bytes | None]]
"""By kind and position: the JSON of what is there now."""


def merge(files: Files, generation: int) -> None:
    """Bring the snapshot up to the start of a generation's journal, and remove the journals before it."""
    meta = known_meta(files.snapshot)
    if meta.generation < generation:
        changed, sequence = collect(files, meta, generation)
        last = meta.last | {kind: max([meta.last.get(kind, 0), *places]) for kind, places in changed.items()}
        rows = gently(merged(Snapshot(files.snapshot).rows(), changed))
        save(files.snapshot, rows, Meta(generation, sequence, last))
    for old in files.generations():
        if old < generation:
            files.journal(old).unlink(missing_ok=True)


def collect(files: Files, meta: Meta, generation: int) -> tuple[Changed, int]:
    """Return what the journals before a generation changed, and their last sequence number. Raises Damaged."""
    changed: Changed = {}
    sequence = meta.sequence
    for older in range(meta.generation, generation):
        for record in gently(Journal(files.journal(older)).news(start_place(sequence))):
            sequence = record.place.sequence
            for kind, position, document in decode_changes(record.body):
                changed.setdefault(kind, {})[position] = None if document is None else dump(document)
    return changed, sequence


def merged(rows: Iterable[Row], changed: Changed) -> Iterator[Row]:
    """Yield the rows as the changes leave them, and after each kind's its new ones."""
    for kind, group in groupby(rows, key=lambda row: row.kind):
        changes_here = changed.pop(kind, {})
        for row in group:
            data = changes_here.pop(row.position, row.data)
            if data is not None:
                yield row._replace(data=data)
        yield from _new(kind, changes_here)
    for kind, changes_here in changed.items():
        yield from _new(kind, changes_here)


def gently(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, but rest half of the time, so that other threads get the interpreter and the disk."""
    began = monotonic()
    for item in items:
        yield item
        if (worked := monotonic() - began) > SPELL:
            sleep(worked)
            began = monotonic()


def _new(kind: str, changes_here: dict[int, bytes | None]) -> Iterator[Row]:
    for position, data in sorted(changes_here.items()):
        if data is not None:
            yield Row(kind, position, data, 0)
