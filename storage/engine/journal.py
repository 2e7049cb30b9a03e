"""The journal: a line for each transaction since the snapshot.

A line is a JSON object, a space and eight hexadecimal digits: the CRC-32 of the object and of the checksum
before it, so that a line that is changed, missing or out of place shows. The first line says which generation
this is, each further one has the next sequence number, and the last one names the generation that goes on.
A line without its newline was never finished, so nobody was told that it was kept.
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

PIECE = 1 << 16  # bytes that are read at once
TAIL = 10  # the space, the checksum and the newline


class Place(NamedTuple):
    """How far a journal has been read: up to which byte, line, checksum and sequence number."""

    offset: int
    line: int
    checksum: int
    sequence: int

    @property
    def tail(self) -> bytes:
        """Return the bytes before this place, by which it is known again."""
        return _tail(self.checksum)

    @property
    def mark(self) -> int:
        """Return a number of 64 bits that no other place has."""
        return (self.sequence & 0xFFFFFFFF) << 32 | self.checksum


class Replaced(Exception):
    """What was read from this file is no longer in it."""


def start_place(sequence: int) -> Place:
    """Return the place before the first line of a journal that goes on after a sequence number.

    That line repeats the number, so the place before it is one lower.
    """
    return Place(0, 0, 0, sequence - 1)


class Record(NamedTuple):
    """A line's object, and the place after it."""

    body: dict[str, Any]
    place: Place


def encode_changes(changes: Sequence[Written]) -> bytes:
    """Return the member of a line's object that says what a transaction changed, odd if a document is."""
    rows = [b"[%s,%d,%s]" % (_name(kind), position, data or b"null") for kind, position, data in changes]
    odd = any(data is not None and data.startswith(ODD) for _, _, data in changes)
    return b'%s"changes":[%s]' % (ODD if odd else b"", b",".join(rows))


_name = lru_cache(dump)


def records(path: Path, lines: Iterable[bytes], place: Place, problem: OnProblem = refuse) -> Iterator[Record]:
    """Yield the finished lines from a place on; a line that cannot be trusted is a problem, and left out."""
    for line in lines:
        body, tail = line[:-TAIL], line[-TAIL:]
        checksum = crc32(body, place.checksum)
        sound = tail[:-1] == _tail(checksum)[:-1]
        if not tail.endswith(b"\n") and not sound:
            return
        place = Place(place.offset + len(line), place.line + 1, checksum, place.sequence + 1)
        if tail != place.tail:
            problem(Problem(path, place.line, "the line does not match its checksum", line))
            # What follows is in order if it follows on from either: the checksum as written or as computed.
            place = place._replace(checksum=_written(tail, checksum))
            continue
        record: dict[str, Any] = decode(body)
        if record["sequence"] != place.sequence:
            problem(Problem(path, place.line, f"number {place.sequence} is missing here"))
            place = place._replace(sequence=record["sequence"])
        yield Record(record, place)


def stated_sequence(lines: Sequence[bytes]) -> int:
    """Return the sequence number that a journal says it goes on after, or 0 if that cannot be read."""
    try:
        return int(json.loads(lines[0][:-TAIL])["sequence"])
    except (ValueError, LookupError, TypeError):
        return 0


def has_more_than_header(path: Path) -> bool:
    """Tell whether there is a journal that has more than its first line."""
    try:
        with open_to_read(path) as file:
            return file.readline().endswith(b"\n") and file.readline().endswith(b"\n")
    except FileNotFoundError:
        return False


def decode_changes(body: dict[str, Any]) -> Iterator[Change]:
    """Yield what a line's transaction changed."""
    return (cast(Change, tuple(change)) for change in body.get("changes", ()))


class Journal:
    """The journal of one generation, open; it is closed with its last user.

    It goes on `after` a sequence number. `before` is the one that leads here, as far as it may not be durable: what is
    written here is lost if its end is. It stays open until the first fsync.
    """

    def __init__(self, path: Path, after: int = 0, before: "Journal | None" = None) -> None:
        self.path, self.after, self._before = path, after, before
        if before:
            before._before = None  # it is durable: else nobody would have ended this one
        self._descriptor = open_existing(path, os.O_RDWR)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    @property
    def generation(self) -> int:
        """Return the generation, which is in the name."""
        return int(self.path.suffix[1:])

    def has(self, place: Place) -> bool:
        """Tell whether the line before the place is in the file."""
        return os.pread(self._descriptor, TAIL, place.offset - TAIL) == place.tail

    def news(self, place: Place, problem: OnProblem = refuse) -> Iterator[Record]:
        """Yield what follows the place. Raises Replaced, Damaged."""
        known = place.tail if place.line else b""
        lines = self._lines(place.offset - len(known))
        if known and next(lines, b"") != known:
            raise Replaced(str(self.path))
        return records(self.path, lines, place, problem)

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

    def begin(self, sequence: int) -> None:
        """Write the first line, which has the sequence number that the journal goes on after."""
        self.append(start_place(sequence), b'"journal":%d' % self.generation)
        self.sync()

    def append(self, place: Place, member: bytes) -> Place:
        """Write a line with this member at the place, or none of it, and return the place after it."""
        odd = ODD if member.startswith(ODD) else b""
        data = b'%s{"sequence":%d,%s}' % (odd, place.sequence + 1, member)
        checksum = crc32(data, place.checksum)
        line = data + _tail(checksum)
        try:
            write_all(self._descriptor, line, place.offset)
        except OSError:
            with suppress(OSError):  # then it stays unfinished, and the next writer cuts it off
                self.cut(place)
            raise
        return Place(place.offset + len(line), place.line + 1, checksum, place.sequence + 1)

    def cut(self, place: Place) -> None:
        """Take away what follows the place."""
        if os.fstat(self._descriptor).st_size > place.offset:
            os.ftruncate(self._descriptor, place.offset)

    def check(self) -> None:
        """Raise OSError if the file is gone, where nothing that is written would be found again."""
        if os.fstat(self._descriptor).st_nlink == 0:
            raise OSError(errno.ENOENT, "the journal was deleted", str(self.path))

    def sync(self) -> None:
        """Make everything that was written durable; where the system can, without the times of the file."""
        before = self._before
        if before:
            before.sync()
            self._before = None
        sync = os.fdatasync if hasattr(os, "fdatasync") else os.fsync
        sync(self._descriptor)


def create(path: Path, sequence: int) -> None:
    """Make an empty journal that goes on after a sequence number."""
    replace_atomically(path, [])
    Journal(path).begin(sequence)


def _tail(checksum: int) -> bytes:
    return b" %08x\n" % checksum


def _written(tail: bytes, otherwise: int) -> int:
    try:
        return int(tail[1:-1], 16)
    except ValueError:
        return otherwise
