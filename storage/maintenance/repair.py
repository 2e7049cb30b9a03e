"""Check the files, and repair damaged ones."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path

from fileio.atomic import copy_private, create_private, make_folder, open_to_read, sync_folder
from fileio.locks import Locked, locked
from storage.base import NOTHING, Document, Index, Unavailable
from storage.engine.corruption import CheckDocument, Problem, accept
from storage.engine.encoding import dump
from storage.engine.journal import JournalPosition, create, decode_changes, records, start_position, stated_sequence
from storage.engine.log import damage, prune
from storage.engine.paths import Files, os_errors_as_unavailable
from storage.engine.recovery import acknowledged_length
from storage.engine.snapshot import UNSURE, Meta, Row, Snapshot, is_ours, save
from storage.engine.versions import unindexed


class Salvage:
    """Everything that can be read from a store's files, with the problems found and notes that need no repair."""

    def __init__(self, files: Files, indexes: Iterable[Index] = (), check: CheckDocument = accept) -> None:
        self.files, self.indexes, self._check = files, list(indexes), check
        self.tables: dict[str, dict[int, bytes]] = {}
        self.last: dict[str, int] = {}
        self.sequence = 0
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        with os_errors_as_unavailable():
            self._read_journals(self._read_snapshot())
        self._leave_out_second_ids()

    def rows(self) -> Iterator[Row]:
        """Yield what was read, by kind and in order of creation."""
        for kind, table in self.tables.items():
            yield from (Row(kind, position, data, 0) for position, data in sorted(table.items()))

    def outcomes(self) -> Iterator[str]:
        """Yield what a repair does about each problem: leave the document out, or keep it with a warning."""
        for problem in self.problems:
            yield str(problem) if problem.what.endswith(UNSURE) else f"left out: {problem}"

    def shared_keys(self, indexes: Iterable[Index]) -> Iterator[str]:
        """Yield documents that share a key of a unique index; they are served all the same."""
        for index in indexes:
            seen: dict[str, int] = {}
            for position, data in self.tables.get(index.kind, {}).items() if index.unique else ():
                for key in set(index.keys(json.loads(data))):
                    if seen.setdefault(key, position) != position:
                        yield f"{index.kind} {seen[key]} and {position} share the {index.name} {key!r}"

    def _read_snapshot(self) -> Meta | None:
        if not self.files.snapshot.exists():
            if self.files.exist():
                self.problems.append(Problem(self.files.snapshot, 1, "the file is missing"))
            return None
        snapshot = Snapshot(self.files.snapshot, self.problems.append, self._check)
        for row, document in snapshot.documents():
            if self._is_placed(row) and self._is_sound(snapshot.path, row.line, row.kind, document):
                self._put(row.kind, row.position, row.data)
        if snapshot.meta:
            self.last |= {kind: max(last, self.last.get(kind, 0)) for kind, last in snapshot.meta.last.items()}
            self.sequence = snapshot.meta.sequence
        elif not is_ours(self.files.snapshot):
            self.notes.append(f"{self.files.snapshot} is as TinyDB writes it; the next start brings it up to date")
        return snapshot.meta

    def _read_journals(self, meta: Meta | None) -> None:
        first = meta.generation if meta else 0
        generations = [generation for generation in self.files.generations() if generation >= first]
        if first and first not in generations:
            self.problems.append(Problem(self.files.journal(first), 1, "the file is missing"))
        ended = True
        for path in map(self.files.journal, generations):
            acknowledged = acknowledged_length(self.files, path, first)  # first, since a service may write meanwhile
            with open_to_read(path) as file:
                lines = list(file)
            # An empty journal that the one before does not name is left from an interrupted compaction.
            if ended or len(lines) > 1:
                start = start_position(self.sequence if meta else stated_sequence(lines))
                ended = self._read_journal(path, lines, start, acknowledged)
        if ended and generations:
            self.problems.append(Problem(self.files.journal(generations[-1] + 1), 1, "the file is missing"))

    def _read_journal(self, path: Path, lines: list[bytes], start: JournalPosition, acknowledged: int) -> bool:
        ended, problems = False, len(self.problems)
        for record in records(path, lines, start, self.problems.append, acknowledged):
            self.sequence, ended, start = record.end.sequence, "next" in record.body, record.end
            for kind, position, document in decode_changes(record.body):
                if document is None:
                    self._put(kind, position, None)
                elif self._is_sound(path, record.end.line, kind, document):
                    self._put(kind, position, dump(document))
        if not any(line.endswith(b"\n") for line in lines):
            self.problems.append(Problem(path, 1, "the first line is missing"))
        elif start.offset < sum(map(len, lines)) and len(self.problems) == problems:
            self.notes.append(f"{path} ends in an interrupted write, which was not acknowledged")
        return ended

    def _is_placed(self, row: Row) -> bool:
        fits = row.position > 0 and row.position not in self.tables.get(row.kind, {})
        what = f"{row.kind} {row.position} is out of order"
        if not fits:
            what = f"{row.kind} {row.position} has the position of another, or none"
        if row.position <= self.last.get(row.kind, 0):
            self.problems.append(
                Problem(self.files.snapshot, row.line, f"{what}; it {UNSURE}" if fits else what, row.data)
            )
        return fits

    def _is_sound(self, path: Path, line: int, kind: str, document: Document) -> bool:
        what = unindexed(self.indexes, kind, document)
        if what is not None:
            self.problems.append(Problem(path, line, what, dump(document)))
        return what is None

    def _put(self, kind: str, position: int, data: bytes | None) -> None:
        table = self.tables.setdefault(kind, {})
        self.last[kind] = max(self.last.get(kind, 0), position)
        if data is None:
            table.pop(position, None)
        else:
            table[position] = data

    def _leave_out_second_ids(self) -> None:
        for kind, table in self.tables.items():
            seen: set[str] = set()
            for position, data in sorted(table.items()):
                id = json.loads(data)["id"]
                if id in seen:
                    what = f"{kind} {position} has the id of another"
                    self.problems.append(Problem(self.files.snapshot, 1, what, table.pop(position)))
                seen.add(id)


def check(files: Files, indexes: Iterable[Index] = (), check_document: CheckDocument = accept) -> Salvage:
    """Read all files, also while a service uses them.

    A document that an index fails on is a problem. So is one that `check_document` raises ValueError for, if another
    program wrote the file.
    """
    compact = files.lock("compact")
    with os_errors_as_unavailable(), locked(compact, shared=True) if compact.parent.exists() else nullcontext():
        salvage = Salvage(files, indexes, check_document)
        salvage.notes += damage(files)
        return salvage


def repair(
    files: Files, indexes: Iterable[Index] = (), check_document: CheckDocument = accept
) -> tuple[Salvage, Path | None]:
    """Replace damaged files by what could be read; return that, and the folder with the original files."""
    with exclusive(files):
        salvage = Salvage(files, indexes, check_document)
        if not salvage.problems:
            return salvage, None
        folder = keep_originals(files, salvage.problems)
        replace_all(files, salvage.rows(), salvage.last, salvage.sequence)
        return salvage, folder


@contextmanager
def exclusive(files: Files) -> Iterator[None]:
    """Lock the store for this process alone. Raises Unavailable if another process has it open."""
    with os_errors_as_unavailable():
        make_folder(files.lock("open").parent)
        try:
            with locked(files.lock("open"), wait=False), locked(files.lock("compact"), wait=False):
                yield
        except Locked:
            raise Unavailable("the store is in use: stop the service first") from None


def keep_originals(files: Files, problems: Iterable[Problem] = ()) -> Path:
    """Copy the files into a folder beside them, with the lines that could not be read."""
    folder = files.make_aside("aside")
    for path in [files.snapshot, *map(files.journal, files.generations())]:
        if path.exists():
            copy_private(path, folder / path.name)
    with os.fdopen(create_private(folder / "left-out"), "wb") as file:
        file.writelines(chain.from_iterable((f"{problem}\n".encode(), problem.rest, b"\n") for problem in problems))
    sync_folder(folder)
    sync_folder(folder.parent)
    return folder


def replace_all(files: Files, rows: Iterable[Row], last: dict[str, int], sequence: int) -> None:
    """Replace all documents by these, in a new generation.

    One generation is left out: so the log before it has no continuation, and no cursor in it is valid any more.
    """
    generation = max([0, *files.generations(), *files.logs()]) + 2
    create(files.journal(generation), sequence)
    save(files.snapshot, rows, Meta(generation, sequence, last))
    for old in files.generations():
        if old < generation:
            files.journal(old).unlink()
    prune(files, NOTHING)
