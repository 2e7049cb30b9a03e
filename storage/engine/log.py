"""The log: the entries of transactions, which are read from the journals.

An ended journal is renamed, not removed, while the log is to be kept: `data.json.log.N`. A cursor is a position in the
journal of a generation, and the checksum of the line before it, which shows that the file is still the same one.
"""

import logging
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from fileio.atomic import move
from storage.base import Document, Expired, Removed, Retention, StoreCorrupted
from storage.engine.encoding import decode
from storage.engine.journal import TAIL, Journal, entry_of, tail_of
from storage.engine.paths import Files
from storage.engine.recovery import Checkpoint

DAY = 86_400
_CURSOR = re.compile("([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{8})", re.ASCII)

log = logging.getLogger("tinyscim.storage")


class Cursor(NamedTuple):
    """A position in a journal: the generation, the offset, and the checksum of the line that ends there."""

    generation: int
    offset: int = 0
    checksum: int = 0

    def __str__(self) -> str:
        return f"{self.generation}-{self.offset}-{self.checksum:08x}"


@dataclass(frozen=True, slots=True)
class Log:
    """The entries up to a checkpoint."""

    files: Files
    checkpoint: Checkpoint

    @property
    def end(self) -> Cursor:
        """Return the cursor after the last entry."""
        position = self.checkpoint.position
        return Cursor(self.checkpoint.journal.generation, position.offset, position.checksum)

    def entries(self, after: str) -> Iterator[tuple[str, Document]]:
        """Yield the entries after a cursor, each with the cursor after it. Raises ValueError or Expired."""
        start = _parse(after) if after else Cursor(self._first())
        if start.generation > self.end.generation:
            raise Expired(f"there is no generation {start.generation} yet")
        for generation in range(start.generation, self.end.generation + 1):
            for cursor, data in self._lines(start):
                entry = entry_of(data)
                if entry is not None:
                    yield str(cursor), entry
                elif after and decode(data).get("changes"):
                    raise Expired(f"the transaction before {cursor} changed documents without an entry in the log")
            start = Cursor(generation + 1)

    def _lines(self, start: Cursor) -> Iterator[tuple[Cursor, bytes]]:
        """Yield the objects of a journal's lines after a cursor, each with the cursor after it. Raises Expired."""
        journal, end = self._journal(start.generation), self.end
        length = end.offset if start.generation == end.generation else journal.length
        if start.offset > length or not journal.follows(start.offset, start.checksum):
            raise Expired(f"{journal.path} is not the file that the cursor is of")
        try:
            yield from _checked(journal, start, length)
        except StoreCorrupted as error:
            log.error("%s", error)
            raise Expired(str(error)) from error

    def _journal(self, generation: int) -> Journal:
        if generation == self.end.generation:
            return self.checkpoint.journal
        for path in (self.files.journal(generation), self.files.log(generation)):  # it may be renamed in between
            with suppress(FileNotFoundError):
                return Journal(path)
        raise Removed(f"the log of generation {generation} was removed")

    def _first(self) -> int:
        """Return the oldest generation from which on all journals are kept."""
        kept, first = {*self.files.generations(), *self.files.logs()}, self.end.generation
        while first - 1 in kept:
            first -= 1
        return first


def damage(files: Files) -> Iterator[str]:
    """Yield a line for each file of the log that is damaged."""
    for generation in files.logs():
        try:
            with suppress(FileNotFoundError):
                journal = Journal(files.log(generation))
                deque(_checked(journal, Cursor(generation), journal.length), maxlen=0)
        except StoreCorrupted as error:
            yield str(error)


def _checked(journal: Journal, start: Cursor, length: int) -> Iterator[tuple[Cursor, bytes]]:
    """Yield the JSON of each line after a cursor, with the cursor after it. Raises StoreCorrupted."""
    generation, offset, checksum = start
    for line in journal.lines(offset, length):
        offset, checksum = offset + len(line), crc32(line[:-TAIL], checksum)
        if line[-TAIL:] != tail_of(checksum):
            raise StoreCorrupted(f"{journal.path} is damaged before byte {offset}: the log cannot be read across that")
        yield Cursor(generation, offset, checksum), line[:-TAIL]


def _parse(text: str) -> Cursor:
    found = _CURSOR.fullmatch(text)
    if not found:
        raise ValueError("this is not a cursor")
    return Cursor(int(found[1]), int(found[2]), int(found[3], 16))


def put_away(files: Files, generation: int, retention: Retention) -> None:
    """Take the journals before a generation out of use: rename them if the log is to be kept, else remove them."""
    for old in files.generations():
        if old >= generation:
            break
        if retention.bytes and retention.days:
            move(files.journal(old), files.log(old))
        else:
            files.journal(old).unlink(missing_ok=True)
    prune(files, retention)


def prune(files: Files, retention: Retention) -> None:
    """Remove the files of the log that are too old, and but for the newest the oldest ones that take too much room."""
    size, since, logs = 0, time.time() - retention.days * DAY, files.logs()
    for generation in reversed(logs):
        with suppress(FileNotFoundError):
            status = files.log(generation).stat()
            size += status.st_size
            if (size > retention.bytes and generation != logs[-1]) or status.st_mtime < since:
                files.log(generation).unlink()
