"""The journal: a line for each transaction since the snapshot.

A line is a JSON object, a space and eight hexadecimal digits: the CRC-32 of the object, seeded with the checksum of the
line before, so that a changed, missing or misplaced line is detected. The first line has the generation, each further
line the next sequence number, and the last one names the next generation. A line without a newline was not finished,
so its write was not acknowledged.
"""

import errno
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast
from zlib import crc32

from fileio.atomic import open_existing, open_to_read, replace_atomically, write_all
from storage.engine.corruption import OnProblem, Problem, refuse
from storage.engine.encoding import ODD, decode, dump
from storage.engine.versions import Change, Written

PIECE = 1 << 16  # bytes for each read
TAIL = 10  # the space, the checksum and the newline


class JournalPosition(NamedTuple):
    """The end of a line: its byte offset, line number, checksum and sequence number."""

    offset: int
    line: int
    checksum: int
    sequence: int

    @property
    def tail(self) -> bytes:
        """Return the bytes before this position, which identify the line."""
        return _tail(self.checksum)

    @property
    def fingerprint(self) -> int:
        """Return a 64-bit number that identifies the position."""
        return (self.sequence & 0xFFFFFFFF) << 32 | self.checksum


class Replaced(Exception):
    """The line that was read last is not in the file any more."""


def start_position(sequence: int) -> JournalPosition:
    """Return the position before the first line of a journal that continues after a sequence number.

    That line repeats the number, so the position before it is one lower.
    """
    return JournalPosition(0, 0, 0, sequence - 1)


class Record(NamedTuple):
    """A line's object, and the position after the line."""

    body: dict[str, Any]
    end: JournalPosition


def encode_changes(changes: Sequence[Written]) -> bytes:
    """Return the changes of a transaction as a member of a line's object; it begins with `ODD` if a document does."""
    rows = [b"[%s,%d,%s]" % (_name(kind), position, data or b"null") for kind, position, data in changes]
    odd = any(data is not None and data.startswith(ODD) for _, _, data in changes)
    return b'%s"changes":[%s]' % (ODD if odd else b"", b",".join(rows))


_name = lru_cache(dump)


def records(
    path: Path, lines: Iterable[bytes], start: JournalPosition, problem: OnProblem = refuse
) -> Iterator[Record]:
    """Yield the finished lines after a position. A line that fails its checksum is reported and left out."""
    end = start
    for line in lines:
        body, tail = line[:-TAIL], line[-TAIL:]
        checksum = crc32(body, end.checksum)
        sound = tail[:-1] == _tail(checksum)[:-1]
        if not tail.endswith(b"\n") and not sound:
            return
        end = JournalPosition(end.offset + len(line), end.line + 1, checksum, end.sequence + 1)
        if tail != end.tail:
            problem(Problem(path, end.line, "the line does not match its checksum", line))
            # The next line is in order if it continues either checksum: the one in the file or the computed one.
            end = end._replace(checksum=_written(tail, checksum))
            continue
        record: dict[str, Any] = decode(body)
        if record["sequence"] != end.sequence:
            problem(Problem(path, end.line, f"number {end.sequence} is missing here"))
            end = end._replace(sequence=record["sequence"])
        yield Record(record, end)


def stated_sequence(lines: Sequence[bytes]) -> int:
    """Return the sequence number in the first line, or 0 if it cannot be read."""
    try:
        return int(json.loads(lines[0][:-TAIL])["sequence"])
    except (ValueError, LookupError, TypeError):
        return 0


def has_more_than_header(path: Path) -> bool:
    """Return whether the journal exists and has more than its first line."""
    try:
        with open_to_read(path) as file:
            return file.readline().endswith(b"\n") and file.readline().endswith(b"\n")
    except FileNotFoundError:
        return False


def decode_changes(body: dict[str, Any]) -> Iterator[Change]:
    """Yield the changes in a line."""
    return (cast(Change, tuple(change)) for change in body.get("changes", ()))


class Journal:
    """The open journal of one generation; the file is closed with its last user.

    It continues `after` a sequence number. `before` is the journal that names it, until the first fsync: lines in this
    journal are lost if the end of that one is.
    """

    def __init__(self, path: Path, after: int = 0, before: "Journal | None" = None) -> None:
        self.path, self.after, self._before = path, after, before
        if before:
            before._before = None  # a journal is durable before it is ended
        self._descriptor = open_existing(path, os.O_RDWR)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    @property
    def generation(self) -> int:
        """Return the generation, which is part of the file name."""
        return int(self.path.suffix[1:])

    def has(self, position: JournalPosition) -> bool:
        """Return whether the line before the position is in the file."""
        return os.pread(self._descriptor, TAIL, position.offset - TAIL) == position.tail

    def read_from(self, start: JournalPosition, problem: OnProblem = refuse) -> Iterator[Record]:
        """Yield the lines after a position. Raises Replaced, StoreCorrupted."""
        known = start.tail if start.line else b""
        lines = self._lines(start.offset - len(known))
        if known and next(lines, b"") != known:
            raise Replaced(str(self.path))
        return records(self.path, lines, start, problem)

    def _lines(self, offset: int) -> Iterator[bytes]:
        rest = b""
        while piece := os.pread(self._descriptor, PIECE, offset):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in lines)
            offset += len(piece)
            if len(piece) < PIECE:
                break
        if rest:
            yield rest

    def write_header(self, sequence: int) -> None:
        """Write the first line, with the sequence number that the journal continues after."""
        self.append(start_position(sequence), b'"journal":%d' % self.generation)
        self.sync()

    def append(self, position: JournalPosition, member: bytes) -> JournalPosition:
        """Write a line with this member at the position, or nothing, and return the position after it."""
        odd = ODD if member.startswith(ODD) else b""
        data = b'%s{"sequence":%d,%s}' % (odd, position.sequence + 1, member)
        checksum = crc32(data, position.checksum)
        line = data + _tail(checksum)
        try:
            write_all(self._descriptor, line, position.offset)
        except OSError:
            with suppress(OSError):  # then it stays unfinished, and the next writer truncates it
                self.truncate(position)
            raise
        return JournalPosition(position.offset + len(line), position.line + 1, checksum, position.sequence + 1)

    def truncate(self, position: JournalPosition) -> None:
        """Remove everything after the position."""
        if os.fstat(self._descriptor).st_size > position.offset:
            os.ftruncate(self._descriptor, position.offset)

    def check(self) -> None:
        """Raise OSError if the file was deleted, since no other process would find what is written to it."""
        if os.fstat(self._descriptor).st_nlink == 0:
            raise OSError(errno.ENOENT, "the journal was deleted", str(self.path))

    def sync(self) -> None:
        """Make everything that was written durable, without the file's timestamps where the system can."""
        before = self._before
        if before:
            before.sync()
            self._before = None
        sync = os.fdatasync if hasattr(os, "fdatasync") else os.fsync
        sync(self._descriptor)


def create(path: Path, sequence: int) -> None:
    """Create an empty journal that continues after a sequence number."""
    replace_atomically(path, [])
    Journal(path).write_header(sequence)


def _tail(checksum: int) -> bytes:
    return b" %08x\n" % checksum


def _written(tail: bytes, otherwise: int) -> int:
    try:
        return int(tail[1:-1], 16)
    except ValueError:
        return otherwise
