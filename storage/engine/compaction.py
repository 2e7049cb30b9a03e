"""Compaction: merge the ended journals into a new snapshot.

Lines are merged as bytes, not parsed, to use little CPU time of a serving process. A crash at any step leaves files
that open to the same state: the snapshot names the journal that continues it, and the old journals are put away only
after the new snapshot is in place.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from time import monotonic, sleep
from typing import TypeVar

from storage.base import Retention
from storage.engine.encoding import decode, dump
from storage.engine.journal import Journal, decode_changes, start_position
from storage.engine.log import put_away
from storage.engine.paths import Files
from storage.engine.recovery import Checkpoint
from storage.engine.snapshot import Meta, Row, Snapshot, known_meta, save
from storage.engine.versions import Version

WORK_SECONDS = 0.001  # between two pauses
T = TypeVar("T")
Changed = dict[str, dict[int, bytes | None]]
"""By kind and position: the document as JSON, None if it was deleted."""


def merge(files: Files, generation: int, retention: Retention) -> None:
    """Merge the journals before a generation into the snapshot, and put them away."""
    meta = known_meta(files.snapshot)
    if meta.generation < generation:
        changed, sequence = collect(files, meta, generation)
        last = meta.last | {kind: max([meta.last.get(kind, 0), *positions]) for kind, positions in changed.items()}
        rows = throttled(merged(Snapshot(files.snapshot).rows(), changed))
        save(files.snapshot, rows, Meta(generation, sequence, last))
    put_away(files, generation, retention)


def write_version(files: Files, first: Checkpoint, retention: Retention) -> None:
    """Write a snapshot of the version that a generation begins with, and put the journals before it away."""
    last = {kind: table.last for kind, table in first.version.tables().items()}
    generation = first.journal.generation
    save(files.snapshot, throttled(rows_of(first.version)), Meta(generation, first.position.sequence, last))
    put_away(files, generation, retention)


def rows_of(version: Version) -> Iterator[Row]:
    """Yield every document of a version, as a snapshot has it."""
    for kind, table in version.tables().items():
        for position, raw in table.documents.items():
            yield Row(kind, position, dump(decode(raw)), 0)


def collect(files: Files, meta: Meta, generation: int) -> tuple[Changed, int]:
    """Return the changes in the journals before a generation, and the last sequence number. Raises StoreCorrupted."""
    changed: Changed = {}
    sequence = meta.sequence
    for older in range(meta.generation, generation):
        journal = Journal(files.journal(older))
        for record in throttled(journal.read_from(start_position(sequence), journal.size())):
            sequence = record.end.sequence
            for kind, position, document in decode_changes(record.body):
                changed.setdefault(kind, {})[position] = None if document is None else dump(document)
    return changed, sequence


def merged(rows: Iterable[Row], changed: Changed) -> Iterator[Row]:
    """Yield the rows with the changes applied, and the new rows of each kind after its old ones."""
    for kind, group in groupby(rows, key=lambda row: row.kind):
        changes_of_kind = changed.pop(kind, {})
        for row in group:
            data = changes_of_kind.pop(row.position, row.data)
            if data is not None:
                yield row._replace(data=data)
        yield from _new(kind, changes_of_kind)
    for kind, changes_of_kind in changed.items():
        yield from _new(kind, changes_of_kind)


def throttled(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, pausing half of the time, so that other threads get the interpreter and the disk."""
    began = monotonic()
    for item in items:
        yield item
        if (worked := monotonic() - began) > WORK_SECONDS:
            sleep(worked)
            began = monotonic()


def _new(kind: str, changes_of_kind: dict[int, bytes | None]) -> Iterator[Row]:
    for position, data in sorted(changes_of_kind.items()):
        if data is not None:
            yield Row(kind, position, data, 0)
