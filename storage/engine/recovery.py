"""Reading the files: a version out of the snapshot, brought up to date by the journals that follow it."""

from collections.abc import Iterable
from typing import NamedTuple

from storage.base import Index, StoreCorrupted
from storage.engine.corruption import Problem, refuse
from storage.engine.journal import Journal, Place, decode_changes, has_more_than_header, start_place
from storage.engine.paths import Files
from storage.engine.snapshot import Meta, Snapshot, known_meta
from storage.engine.versions import Version, unindexed

NO_END = 1 << 64


class Point(NamedTuple):
    """A version, and the place in a journal that it stands for."""

    version: Version
    journal: Journal
    place: Place


def load(files: Files, indexes: Iterable[Index], until: int = NO_END) -> Point:
    """Read everything up to a sequence number. Raises Damaged."""
    while True:
        version, meta = _read_snapshot(files, indexes)
        try:
            journal = Journal(files.journal(meta.generation), meta.sequence)
            point = follow(files, Point(version, journal, start_place(meta.sequence)), until)
            generation = point.journal.generation
            if has_more_than_header(files.journal(generation + 1)):
                # A compaction is at it, or the line that leads there is lost.
                point = follow(files, point, until)
                if until == NO_END and point.journal.generation == generation:
                    check_journal_end(files, point.journal)
            return point
        except FileNotFoundError as error:
            if known_meta(files.snapshot).generation == meta.generation:
                raise StoreCorrupted(
                    f"{error.filename} is missing, which {files.snapshot} goes on in. Bring it back, or run"
                    " `flask store repair` to do without the changes that it held."
                ) from None
            # A compaction has overtaken us.


def follow(files: Files, point: Point, until: int = NO_END) -> Point:
    """Apply what follows the point, up to a sequence number, and return the new point. Raises Replaced, Damaged."""
    version, journal, place = point
    ended = 0
    for record in journal.news(place):
        if record.place.sequence > until:
            break
        for kind, position, document in decode_changes(record.body):
            try:
                version.apply(kind, position, document)
            except Exception:
                what = unindexed(version.indexes, kind, document or {})
                if what is None:
                    raise
                refuse(Problem(journal.path, record.place.line, what))
        place, ended = record.place, record.body.get("next", 0)
    if not place.line:
        refuse(Problem(journal.path, 1, "the first line is missing"))
    if ended:
        following = Journal(files.journal(ended), place.sequence, journal)
        return follow(files, Point(version, following, start_place(place.sequence)), until)
    return Point(version, journal, place)


def check_journal_end(files: Files, journal: Journal) -> None:
    """Refuse a journal that has no end although the following one goes on from there. Raises Damaged."""
    following = files.journal(journal.generation + 1)
    if has_more_than_header(following):
        raise StoreCorrupted(
            f"{following} goes on from {journal.path}, which has lost its end. Bring the right file back, or run"
            " `flask store repair` to keep what is sound of both."
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
