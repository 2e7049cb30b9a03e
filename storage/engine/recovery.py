"""Recovery: load a version from the snapshot and replay the journals that follow it."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import NamedTuple

from fileio.atomic import replace_atomically
from storage.base import Document, Index, StoreCorrupted, Unavailable
from storage.engine.corruption import Problem, refuse
from storage.engine.journal import (
    Journal,
    JournalPosition,
    Record,
    decode_changes,
    has_more_than_header,
    start_position,
)
from storage.engine.paths import Files
from storage.engine.shared_state import End, boot_id, read_end
from storage.engine.snapshot import Meta, Snapshot, known_meta
from storage.engine.versions import SLICE, Version, unindexed

log = logging.getLogger("tinyscim.storage")


class Checkpoint(NamedTuple):
    """A version, and the position in a journal that it corresponds to."""

    version: Version
    journal: Journal
    position: JournalPosition

    @property
    def end(self) -> End:
        """Return the position as the wal-index has it."""
        return End(self.journal.generation, self.journal.id, self.position, True, boot_id())


def load(files: Files, indexes: Iterable[Index], follow: Callable[[Checkpoint], Checkpoint]) -> Checkpoint:
    """Read the snapshot, and what `follow` reads of the journals. Raises StoreCorrupted."""
    while True:
        version, meta = _read_snapshot(files, indexes)
        try:
            return follow(Checkpoint(version, Journal(files.journal(meta.generation)), start_position(meta.sequence)))
        except FileNotFoundError as error:
            if known_meta(files.snapshot).generation == meta.generation:
                raise StoreCorrupted(
                    f"{error.filename} is missing, which continues {files.snapshot}. Bring it back, or run"
                    " `flask store repair` to continue without its changes."
                ) from None
            # A compaction has replaced the snapshot meanwhile.


def replay(files: Files, checkpoint: Checkpoint, end: End | None, *, beyond: bool = False) -> Checkpoint:
    """Apply the lines after a checkpoint up to the end of the durable journal, and return the new checkpoint.

    Without an end, or `beyond` it, everything that may have been acknowledged is read. Raises StoreCorrupted.
    """
    version, journal, position = checkpoint
    while True:
        following = 0
        is_bounded = end is not None and (not beyond or journal.generation < end.generation)
        length = _known_length(files, journal, end if is_bounded else None)
        acknowledged = end.position.offset if end and end.generation == journal.generation else 0
        for record in journal.read_from(position, length, acknowledged=acknowledged):
            _apply(version, journal, record)
            position, following = record.end, record.body.get("next", 0)
        if not position.line:
            refuse(Problem(journal.path, 1, "the first line is missing"))
        if not following:
            break
        journal, position = Journal(files.journal(following)), start_position(position.sequence)
    if end and (journal.generation < end.generation or not (beyond or journal.generation == end.generation)):
        refuse_lost_end(files, journal)
    if beyond or not end:
        check_journal_end(files, journal)
    return Checkpoint(version, journal, position)


def check_journal_end(files: Files, journal: Journal) -> None:
    """Raise StoreCorrupted if a journal does not name the next one although that has been used."""
    if has_more_than_header(files.journal(journal.generation + 1)):
        refuse_lost_end(files, journal)


def refuse_lost_end(files: Files, journal: Journal) -> None:
    """Raise StoreCorrupted: a journal does not name the next one."""
    raise StoreCorrupted(
        f"{files.journal(journal.generation + 1)} continues {journal.path}, which has lost its end. Bring the right"
        " file back, or run `flask store repair` to keep what can be read of both."
    )


def known_end(files: Files, end: End | None, generation: int) -> End | None:
    """Return the end if it is about the files that continue a snapshot of this generation.

    After a power failure it may be older than the journal, and the files may have been removed or restored.
    """
    if not end or end.boot != boot_id() or end.generation < generation:
        return None
    try:
        return end if Journal(files.journal(end.generation)).id == end.journal else None
    except FileNotFoundError:
        return None


def acknowledged_length(files: Files, path: Path, generation: int) -> int:
    """Return how many bytes of a journal are known to have been acknowledged, for a process that does not serve.

    `generation` is the one that the snapshot names.
    """
    journal = Journal(path)
    if has_more_than_header(files.journal(journal.generation + 1)):
        return journal.size()
    end = known_end(files, read_end(files.lock("write")), generation)
    return end.position.offset if end and end.generation == journal.generation else 0


@contextmanager
def keeping_tail(files: Files, checkpoint: Checkpoint) -> Iterator[None]:
    """Copy what follows a checkpoint in its journal to a file of its own, once it has been cut off."""
    path = checkpoint.journal.path
    try:
        tail = checkpoint.journal.read_after(checkpoint.position.offset)
    except OSError as error:
        log.warning("%s: the end that is cut off could not be read (%s)", path, error.strerror)
        tail = b""
    yield
    if not tail:
        return
    try:
        copy = files.aside("tail")
        replace_atomically(copy, [tail])
        kept = f"a copy is in {copy}"
    except (OSError, Unavailable) as error:
        kept = f"it could not be copied ({error})"
    what = "%s: dropped %d bytes of an interrupted write, which was not acknowledged; %s"
    log.warning(what, path, len(tail), kept)


def _known_length(files: Files, journal: Journal, end: End | None) -> int | None:
    """Return how many bytes of a journal were acknowledged, or None if that is not known."""
    if end and end.generation == journal.generation:
        return end.position.offset
    has_ended = end or has_more_than_header(files.journal(journal.generation + 1))
    return journal.length if has_ended else None


def _apply(version: Version, journal: Journal, record: Record) -> None:
    deleted: dict[str, list[int]] = {}
    written: list[tuple[str, int, Document]] = []
    for kind, position, document in decode_changes(record.body):
        if document is None:
            deleted.setdefault(kind, []).append(position)
        else:
            written.append((kind, position, document))
    for kind, positions in deleted.items():
        version.drop(kind, positions)
    for number, (kind, position, document) in enumerate(written, 1):
        if number % SLICE == 0:
            sleep(0)
        try:
            version.apply(kind, position, document)
        except Exception:
            what = unindexed(version.indexes, kind, document)
            if what is None:
                raise
            refuse(Problem(journal.path, record.end.line, what))


def _read_snapshot(files: Files, indexes: Iterable[Index]) -> tuple[Version, Meta]:
    version, snapshot = Version(indexes), Snapshot(files.snapshot)
    for row, document in snapshot.documents():
        table = version.writable(row.kind)
        if table.ids.get(document["id"]) is not None:
            snapshot.report(row.line, f"{row.kind} {row.position} has the id of another")
        if row.position <= table.last:
            snapshot.report(row.line, f"{row.kind} {row.position} is out of order")
        try:
            table.add(row.position, document, row.data)
        except Exception:
            what = unindexed(version.indexes, row.kind, document)
            if what is None:
                raise
            snapshot.report(row.line, what, row.data)
    meta = snapshot.meta or Meta()
    for kind, last in meta.last.items():
        version.writable(kind).last = last
    return version, meta
