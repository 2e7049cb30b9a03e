"""Recovery: load a version from the snapshot and replay the journals that follow it."""

from collections.abc import Iterable
from typing import NamedTuple

from storage.base import Index, StoreCorrupted
from storage.engine.corruption import Problem, refuse
from storage.engine.journal import Journal, JournalPosition, decode_changes, has_more_than_header, start_position
from storage.engine.paths import Files
from storage.engine.snapshot import Meta, Snapshot, known_meta
from storage.engine.versions import Version, unindexed

NO_END = 1 << 64


class Checkpoint(NamedTuple):
    """A version, and the position in a journal that it corresponds to."""

    version: Version
    journal: Journal
    position: JournalPosition


def load(files: Files, indexes: Iterable[Index], until: int = NO_END) -> Checkpoint:
    """Read the snapshot, and the journals up to a sequence number. Raises StoreCorrupted."""
    while True:
        version, meta = _read_snapshot(files, indexes)
        try:
            journal = Journal(files.journal(meta.generation), meta.sequence)
            checkpoint = replay(files, Checkpoint(version, journal, start_position(meta.sequence)), until)
            generation = checkpoint.journal.generation
            if has_more_than_header(files.journal(generation + 1)):
                # A compaction is running, or the line that names the next journal is lost.
                checkpoint = replay(files, checkpoint, until)
                if until == NO_END and checkpoint.journal.generation == generation:
                    check_journal_end(files, checkpoint.journal)
            return checkpoint
        except FileNotFoundError as error:
            if known_meta(files.snapshot).generation == meta.generation:
                raise StoreCorrupted(
                    f"{error.filename} is missing, which continues {files.snapshot}. Bring it back, or run"
                    " `flask store repair` to continue without its changes."
                ) from None
            # A compaction has replaced the snapshot meanwhile.


def replay(files: Files, checkpoint: Checkpoint, until: int = NO_END) -> Checkpoint:
    """Apply the lines after a checkpoint, up to a sequence number, and return the new checkpoint.

    Raises Replaced, StoreCorrupted.
    """
    version, journal, end = checkpoint
    next_generation = 0
    for record in journal.read_from(end):
        if record.end.sequence > until:
            break
        for kind, position, document in decode_changes(record.body):
            try:
                version.apply(kind, position, document)
            except Exception:
                what = unindexed(version.indexes, kind, document or {})
                if what is None:
                    raise
                refuse(Problem(journal.path, record.end.line, what))
        end, next_generation = record.end, record.body.get("next", 0)
    if not end.line:
        refuse(Problem(journal.path, 1, "the first line is missing"))
    if next_generation:
        following = Journal(files.journal(next_generation), end.sequence, journal)
        return replay(files, Checkpoint(version, following, start_position(end.sequence)), until)
    return Checkpoint(version, journal, end)


def check_journal_end(files: Files, journal: Journal) -> None:
    """Raise StoreCorrupted if a journal does not name the next one although that has been used."""
    following = files.journal(journal.generation + 1)
    if has_more_than_header(following):
        raise StoreCorrupted(
            f"{following} continues {journal.path}, which has lost its end. Bring the right file back, or run"
            " `flask store repair` to keep what can be read of both."
        )


def _read_snapshot(files: Files, indexes: Iterable[Index]) -> tuple[Version, Meta]:
    version, snapshot = Version(indexes), Snapshot(files.snapshot)
    for row, document in snapshot.documents():
        table = version.writable(row.kind)
        if table.ids.get(document["id"]) is not None:
            snapshot.report(row.line, f"{row.kind} {row.position} has the id of another")
        if row.position <= table.last:
            snapshot.report(row.line, f"{row.kind} {row.position} is out of order")
        try:
            table.add(row.position, document)
        except Exception:
            what = unindexed(version.indexes, row.kind, document)
            if what is None:
                raise
            snapshot.report(row.line, what, row.data)
    meta = snapshot.meta or Meta()
    for kind, last in meta.last.items():
        version.writable(kind).last = last
    return version, meta
