"""The log's files: lines of JSON, appended by every worker to one file, which is moved aside by size and by day.

One file rather than one for each worker: `tail -f` shows everything, the bound on the size is one number, and a
worker that is gone leaves nothing behind that nobody looks after. A lock makes sure that lines stay whole and that
nobody writes into a file that has just been moved; it is taken once for many entries, and never by a request.

The files are the current one and segments of earlier times, each at most an eighth of the whole. When the segments are
too many, each client's oldest lines above its share are removed from them (`shares`). The newest segment is left as it
is, which those who follow the log rely on. So a client is sure of its share of six eighths, and a flood has no more
than the other two beside its own share.
"""

import heapq
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from fileio.atomic import make_folder, open_private, open_to_read, replace_atomically
from fileio.locks import locked
from provisioning_log.entries import MAX_LINE
from provisioning_log.shares import excess, sizes_by_owner, without_excess

SEGMENTS = 8
_TIME = slice(9, 36)  # where the time is in a line: {"time":"2026-01-31T12:00:00.000000Z",...
_HEAD = 64  # bytes of a line's beginning, with its time and its id
_NO_FILE = (FileNotFoundError, NotADirectoryError)  # none yet, or moved aside or deleted meanwhile
_NO_DIGITS = b'-T:.Z"'
_BLOCK = 65_536
_WINDOW = 2_000  # workers write what they have gathered by turns: that far a line may be from where its time puts it
_WINDOW_BYTES = 8_000_000  # of memory; reached only where entries are very long, so that few are written at a time

State = tuple[tuple[str, int, int], ...]


def time_of(line: bytes) -> bytes:
    """Return the time that a line begins with; of these, text sorts as time does."""
    return line[_TIME]


class LogFiles:
    """The file at `path`, and beside it those of earlier days, together at most `max_bytes` and `days` old."""

    def __init__(self, path: Path, max_bytes: int, days: int) -> None:
        self.path = path
        # A file of its own, never moved: a lock on the log would go aside with it.
        self._lock = path.with_name(path.name + ".lock")
        self._is_segment = re.compile(rf"{re.escape(path.stem)}\.\d{{8}}-\d{{12}}{re.escape(path.suffix)}").fullmatch
        self._segment_bytes = max(max_bytes // SEGMENTS, 1)
        self._max_bytes, self._days = max_bytes, days

    @property
    def batch_bytes(self) -> int:
        """How many bytes may be appended at a time: more would not fit into a segment."""
        return self._segment_bytes

    def append(self, lines: Iterable[str]) -> None:
        """Append the lines, all of them or none. Raises OSError."""
        data = b"".join(line.encode("utf-8", "replace") + b"\n" for line in lines)
        make_folder(self.path.parent)
        with self._locked():
            if self._is_due(len(data)):
                self._move_aside()
            _append_whole(self.path, data)

    def tidy(self) -> None:
        """Delete what is too old, and move today's file aside when its day is over. Raises OSError."""
        if self.path.parent.exists():
            with self._locked():
                if self._is_due(0):
                    self._move_aside()
                self._delete_old()

    def newest_first(self) -> Iterator[bytes]:
        """Yield the lines, the newest first."""
        return _in_order(_lines(reversed(self.all()), backwards=True), -1)

    def oldest_first(self) -> Iterator[bytes]:
        """Yield the lines, the oldest first."""
        return _in_order(_lines(self.all()), 1)

    def appended(self) -> Iterator[list[bytes]]:
        """Return what yields, whenever asked, the lines that have come since: the first time, those since now."""
        known = {path.name for path in self.segments()}
        return self._following(known, {head: size for head, size, _ in self._contents([self.path], {})})

    def _following(self, known: set[str], read: dict[bytes, int]) -> Iterator[list[bytes]]:
        """Yield what is new in the current file and in segments that were not there: those only ever lose lines."""
        while True:
            segments = self.segments()
            new = list(self._contents([*(path for path in segments if path.name not in known), self.path], read))
            known = {path.name for path in segments}
            read = {head: size for head, size, _ in new}
            yield [line for _, _, content in new for line in content.split(b"\n")]

    def _contents(self, paths: Iterable[Path], read: Mapping[bytes, int]) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield, of each file, what it begins with, which no other does; the size of its whole lines; what is new."""
        for path in paths:
            with suppress(*_NO_FILE), open_to_read(path) as file:
                head = file.read(_HEAD)
                file.seek(read.get(head, 0))
                content = file.read()
                content = content[: content.rfind(b"\n") + 1]
                yield head, read.get(head, 0) + len(content), content

    def state(self) -> State:
        """Return the name, the size and the time of change of each file: another as soon as one has changed."""
        return tuple(_states(self.all()))

    def segments(self) -> list[Path]:
        """Return the files of earlier times, the oldest first; a copy that somebody has put beside them is none."""
        with suppress(*_NO_FILE):
            return sorted(path for path in self.path.parent.iterdir() if self._is_segment(path.name))
        return []

    def all(self) -> list[Path]:
        """Return the files, the oldest first; the last need not be there."""
        return [*self.segments(), self.path]

    def owns(self, path: Path) -> bool:
        """Tell whether a path has the name of one of these files, of their lock, or of what replaces a segment."""
        name = path.name
        ours = name in (self.path.name, self._lock.name) or self._is_segment(name.removesuffix(".new"))
        return bool(ours) and os.path.realpath(path.parent) == os.path.realpath(self.path.parent)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._lock)

    def _is_due(self, coming: int) -> bool:
        try:
            with open_to_read(self.path) as file:
                began = file.read(_TIME.stop)[_TIME]
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return False
        return size > 0 and (size + coming > self._segment_bytes or not began.startswith(_day()))

    def _move_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.stem}.{datetime.now(UTC):%Y%m%d-%H%M%S%f}{self.path.suffix}")
        self.path.rename(aside)
        self._delete_old()

    def _delete_old(self) -> None:
        """Keep to the bounds; today's file counts as full, so that it may become so."""
        oldest = (datetime.now(UTC) - timedelta(days=self._days)).timestamp()
        for segment in self.segments():
            if segment.stat().st_mtime < oldest:
                segment.unlink()
        self._make_room()

    def _make_room(self) -> None:
        """Remove from all segments but the newest what their clients have above their shares, the oldest first."""
        *older, newest = self.segments() or [self.path]
        room = self._max_bytes - self._segment_bytes - _sizes([newest])
        if _sizes(older) > room:
            over = excess(sizes_by_owner(_lines(older)), room)
            kept = [segment for segment in older if not sum(over.values()) or _thin(segment, over)]
            while _sizes(kept) > room:  # there is something in them that is no entry
                kept.pop(0).unlink()
            if len(kept) > SEGMENTS:
                self._join(kept)

    def _join(self, segments: list[Path]) -> None:
        """Join neighbours of the same day that fit into one segment: there are many where little is left of each."""
        for before, after in pairwise(segments):
            if _day_of(before) == _day_of(after) and _sizes((before, after)) <= self._segment_bytes:
                _replace(after, before.read_bytes() + after.read_bytes())
                before.unlink()


def _sizes(paths: Iterable[Path]) -> int:
    return sum(size for _, size, _ in _states(paths))


def _thin(segment: Path, over: Counter[str]) -> bool:
    """Remove lines of clients that are over their share from a segment, and return whether it still exists."""
    kept = b"".join(line + b"\n" for line in without_excess(_lines([segment]), over))
    over += Counter()  # those that are down to their share drop out
    if kept:
        _replace(segment, kept)
    else:
        segment.unlink()
    return bool(kept)


def _replace(segment: Path, content: bytes) -> None:
    """Replace a segment's content; it stays as old as it is."""
    replace_atomically(segment, [content], written=segment.stat().st_mtime_ns)


def _day_of(segment: Path) -> str:
    return segment.name.rpartition("-")[0]


def _append_whole(path: Path, data: bytes) -> None:
    # The log may be a link, to a file that is not there yet too: whoever configures the service has put it there.
    descriptor = open_private(Path(os.path.realpath(path)), os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        try:
            _write(descriptor, b"\n" + data if size and os.pread(descriptor, 1, size - 1) != b"\n" else data)
        except OSError:
            os.ftruncate(descriptor, size)  # a disk that is full takes half a line
            raise
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _states(paths: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    for path in paths:
        with suppress(*_NO_FILE):
            status = path.stat()
            yield path.name, status.st_size, status.st_mtime_ns


def _lines(paths: Iterable[Path], *, backwards: bool = False) -> Iterator[bytes]:
    """Yield the files' whole lines, a block at a time: who wants the newest few reads the last file's end alone."""
    for path in paths:
        try:
            file = open_to_read(path)
        except _NO_FILE:
            continue
        with file:
            yield from _from_end(file) if backwards else _from_start(file)


def _from_start(file: BinaryIO) -> Iterator[bytes]:
    is_whole = True  # what is longer than any entry comes in pieces, none of which is one
    while piece := file.readline(MAX_LINE + 1):
        if is_whole and piece.endswith(b"\n"):
            yield piece[:-1]
        is_whole = piece.endswith(b"\n")


def _from_end(file: BinaryIO) -> Iterator[bytes]:
    place = file.seek(0, os.SEEK_END)
    parts: list[bytes] = []  # of a line whose beginning is yet to be read, the last part first
    size_of_line = 0
    is_whole = False  # what comes after the last end of a line is being written
    while place:
        size = min(place, _BLOCK)
        place -= size
        file.seek(place)
        first, *rest = file.read(size).split(b"\n")
        for piece in reversed(rest):
            if is_whole and size_of_line + len(piece) <= MAX_LINE:
                yield b"".join((piece, *reversed(parts)))
            parts, size_of_line, is_whole = [], 0, True
        size_of_line += len(first)
        if size_of_line <= MAX_LINE:
            parts.append(first)
        else:
            parts = []
    if is_whole and size_of_line <= MAX_LINE:
        yield b"".join(reversed(parts))


def _in_order(lines: Iterable[bytes], sign: int) -> Iterator[bytes]:
    """Put lines that are nearly in the order of their times fully into it."""
    waiting: list[tuple[int, int, bytes]] = []
    size = 0
    for number, line in enumerate(lines):
        digits = line[_TIME].translate(None, _NO_DIGITS)
        if not digits.isdigit():
            continue
        heapq.heappush(waiting, (sign * int(digits), number, line))
        size += len(line)
        while len(waiting) > _WINDOW or size > _WINDOW_BYTES:
            first = heapq.heappop(waiting)[2]
            size -= len(first)
            yield first
    while waiting:
        yield heapq.heappop(waiting)[2]


def _day() -> bytes:
    return f"{datetime.now(UTC):%Y-%m-%d}".encode()
