"""The journal: a line for each transaction since the snapshot.

A line is a JSON object, a space and eight hexadecimal digits: the CRC-32 of the object, seeded with the checksum of the
line before, so that a changed, missing or misplaced line is detected. The first line has the generation and an id, each
further line the next sequence number, and the last one names the next generation. Each line states up to which offset
the journal was durable before its batch was written. So whatever follows a bad line shows whether that had been
acknowledged: only the last batch can be incomplete without damage.
"""

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple, cast
from zlib import crc32

from fileio.atomic import open_existing, open_to_read, replace_atomically, write_all
from storage.engine.corruption import OnProblem, Problem, refuse
from storage.engine.encoding import ODD, decode, dump
from storage.engine.versions import Change, Written

PIECE = 1 << 20  # bytes for each read
TAIL = 10  # the space, the checksum and the newline
REWRITTEN = 1 << 16  # bytes that a kernel writes at a time, at most
HEADER = 1 << 10  # bytes that have the first line


_ENTRY = re.compile(rb' ?\{"sequence":[0-9]+,"durable":[0-9]+, ?"entry_size":([0-9]+),"entry":')


class JournalPosition(NamedTuple):
    """The end of a line: its byte offset, line number, checksum and sequence number."""

    offset: int
    line: int
    checksum: int
    sequence: int


def start_position(sequence: int) -> JournalPosition:
    """Return the position before the first line of a journal that continues after a sequence number.

    That line repeats the number, so the position before it is one lower.
    """
    return JournalPosition(0, 0, 0, sequence - 1)


class Record(NamedTuple):
    """A line's object, and the position after the line."""

    body: dict[str, Any]
    end: JournalPosition


def encode_changes(changes: Sequence[Written], entry: bytes | None = None) -> bytes:
    """Return the changes of a transaction, and its entry in the log, as members of a line's object.

    They begin with `ODD` if a document or the entry does.
    """
    rows = [b"[%s,%d,%s]" % (_name(kind), position, data or b"null") for kind, position, data in changes]
    odd = any(data is not None and data.startswith(ODD) for data in (entry, *(data for _, _, data in changes)))
    logged = b"" if entry is None else b'"entry_size":%d,"entry":%s,' % (len(entry), entry)
    return b'%s%s"changes":[%s]' % (ODD if odd else b"", logged, b",".join(rows))


_name = lru_cache(dump)


def encode_line(position: JournalPosition, durable: int, member: bytes) -> tuple[bytes, JournalPosition]:
    """Return the line with this member at a position, and the position after it."""
    odd = ODD if member.startswith(ODD) else b""
    data = b'%s{"sequence":%d,"durable":%d,%s}' % (odd, position.sequence + 1, durable, member)
    checksum = crc32(data, position.checksum)
    line = data + tail_of(checksum)
    return line, JournalPosition(position.offset + len(line), position.line + 1, checksum, position.sequence + 1)


def records(
    path: Path,
    lines: Iterable[bytes],
    start: JournalPosition,
    problem: OnProblem = refuse,
    acknowledged: int = 0,
) -> Iterator[Record]:
    """Yield the lines after a position, up to an incomplete batch at the end.

    `acknowledged` is an offset up to which all lines are known to have been acknowledged. Among them, or before a line
    that states so, a line that fails its checksum is reported and left out.
    """
    end, known, states_end, rest = start, acknowledged, False, iter(lines)
    while line := next(rest, b""):
        body, tail = line[:-TAIL], line[-TAIL:]
        checksum = crc32(body, end.checksum)
        if tail != tail_of(checksum):
            following = list(rest)
            known, rest = max([known, *map(_stated_end, following)]), iter(following)
            # Before lines stated the end, a line with a newline had been finished.
            if end.offset >= known and (states_end or not line.endswith(b"\n")):
                return
            # The next line is in order if it continues either checksum: the one in the file or the computed one.
            end = _after(end, line, _written(tail, checksum))
            problem(Problem(path, end.line, "the line does not match its checksum", line))
            continue
        end = _after(end, line, checksum)
        record: dict[str, Any] = decode(body)
        if record["sequence"] != end.sequence:
            problem(Problem(path, end.line, f"number {end.sequence} is missing here"))
            end = end._replace(sequence=record["sequence"])
        states_end = "durable" in record
        yield Record(record, end)
    if end.offset < acknowledged:
        problem(Problem(path, end.line + 1, "the journal ends here, but more had been acknowledged"))


def _after(position: JournalPosition, line: bytes, checksum: int) -> JournalPosition:
    return JournalPosition(position.offset + len(line), position.line + 1, checksum, position.sequence + 1)


def _stated_end(line: bytes) -> int:
    """Return the offset up to which a line states that the journal was durable, 0 if it cannot be read."""
    try:
        return int(decode(line[:-TAIL])["durable"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return 0


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


def entry_of(data: bytes) -> dict[str, Any] | None:
    """Return the entry in the object of a line, without reading the changes; None if there is no entry."""
    found = _ENTRY.match(data)
    if not found:
        return None
    entry: dict[str, Any] = decode(data[found.end() : found.end() + int(found[1])])
    return entry


def decode_changes(body: dict[str, Any]) -> Iterator[Change]:
    """Yield the changes in a line."""
    return (cast(Change, tuple(change)) for change in body.get("changes", ()))


class Journal:
    """The open journal of one generation; the file is closed with its last user."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = open_existing(path, os.O_RDWR)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    @property
    def generation(self) -> int:
        """Return the generation, which is part of the file name."""
        return int(self.path.suffix[1:])

    @property
    def id(self) -> int:
        """Return the checksum of the first line, which has an id of its own in each journal."""
        return crc32(self._header)

    @property
    def states_end(self) -> bool:
        """Return whether the lines state up to where the journal was durable."""
        return b'"durable"' in self._header

    @cached_property
    def _header(self) -> bytes:
        return os.pread(self._descriptor, HEADER, 0).partition(b"\n")[0]

    @property
    def length(self) -> int:
        """The length of the file, which may have been deleted since it was opened."""
        return os.fstat(self._descriptor).st_size

    def size(self) -> int:
        """Return the length of the file. Raises OSError if it was deleted, since no process would find a write."""
        status = os.fstat(self._descriptor)
        if status.st_nlink == 0:
            raise OSError(errno.ENOENT, "the journal was deleted", str(self.path))
        return status.st_size

    def read_from(
        self, start: JournalPosition, length: int | None = None, problem: OnProblem = refuse, acknowledged: int = 0
    ) -> Iterator[Record]:
        """Yield the lines after a position. If the acknowledged length is known, all of it is read and nothing else.

        Without a length, at least `acknowledged` bytes are read. Raises StoreCorrupted.
        """
        return records(self.path, self.lines(start.offset, length), start, problem, length or acknowledged)

    def follows(self, offset: int, checksum: int) -> bool:
        """Return whether the line with this checksum ends at an offset."""
        if not offset:
            return not checksum
        return os.pread(self._descriptor, TAIL, max(offset - TAIL, 0)) == tail_of(checksum)

    def lines(self, offset: int, end: int | None) -> Iterator[bytes]:
        """Yield the lines from an offset on, up to the end if it is given."""
        rest = b""
        while piece := os.pread(self._descriptor, PIECE if end is None else min(PIECE, end - offset), offset):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in lines)
            offset += len(piece)
        if rest:
            yield rest

    def write_header(self, sequence: int) -> None:
        """Write the first line, with the sequence number that the journal continues after."""
        member = b'"journal":%d,"id":"%s"' % (self.generation, token_hex(8).encode())
        self.write(encode_line(start_position(sequence), 0, member)[0], 0)
        self.sync()

    def state_end(self, position: JournalPosition) -> JournalPosition:
        """Write a line that only states that all before it is durable, and return the position after it."""
        line, end = encode_line(position, position.offset, b'"changes":[]')
        self.write(line, position.offset)
        self.sync()
        return end

    def write(self, data: bytes, offset: int) -> None:
        """Write lines at the end of the durable ones."""
        write_all(self._descriptor, data, offset)

    def read_after(self, offset: int) -> bytes:
        """Return what follows an offset."""
        return os.pread(self._descriptor, self.size() - offset, offset)

    def cut(self, offset: int) -> None:
        """Remove what follows an offset, durably.

        After a failed fsync the kernel takes pages for written that are not, so those that stay are written again.
        """
        os.ftruncate(self._descriptor, offset)
        start = offset - offset % REWRITTEN
        self.write(os.pread(self._descriptor, offset - start, start), start)
        self.sync()

    def sync(self) -> None:
        """Make everything that was written durable, without the file's timestamps where the system can."""
        sync = os.fdatasync if hasattr(os, "fdatasync") else os.fsync
        sync(self._descriptor)


def create(path: Path, sequence: int) -> Journal:
    """Create an empty journal that continues after a sequence number."""
    replace_atomically(path, [])
    journal = Journal(path)
    journal.write_header(sequence)
    return journal


def tail_of(checksum: int) -> bytes:
    """Return what follows a line's object: its checksum and the newline."""
    return b" %08x\n" % checksum


def _written(tail: bytes, otherwise: int) -> int:
    try:
        return int(tail[1:-1], 16)
    except ValueError:
        return otherwise
