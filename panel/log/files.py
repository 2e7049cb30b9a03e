"""The log's files: lines of JSON, appended by every worker to one file, which is moved aside by size and by day.

One file rather than one for each worker: `tail -f` shows everything, the bound on the size is one number, and a
worker that is gone leaves nothing behind that nobody looks after. A lock makes sure that lines stay whole and that
nobody writes into a file that has just been moved; it is taken once for many entries, and never by a request.
"""

import heapq
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from storage.files import make_folder, open_private, open_to_read
from storage.lock import locked

SEGMENTS = 8  # the whole is dropped by eighths, so that most of it is there at any time
_TIME = slice(9, 36)  # where the time is in a line: {"time":"2026-01-31T12:00:00.000000Z",...
_HEAD = 64  # bytes of a line's beginning, with its time and its id
_NO_FILE = (FileNotFoundError, NotADirectoryError)  # none yet, or moved aside or deleted meanwhile
_NO_DIGITS = b'-T:.Z"'
_BLOCK = 65_536
_WINDOW = 2_000  # workers write what they have gathered by turns: that far a line may be from where its time puts it

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
        return self._following({head: size for head, size, _ in self._contents({})})

    def _following(self, read: dict[bytes, int]) -> Iterator[list[bytes]]:
        while True:
            new = list(self._contents(read))
            read |= {head: size for head, size, _ in new}
            yield [line for _, _, content in new for line in content.split(b"\n")]

    def _contents(self, read: Mapping[bytes, int]) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield, of each file, what it begins with, which no other does; the size of its whole lines; what is new."""
        for path in self.all():
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
        """Tell whether a path has the name of one of these files, or of their lock."""
        ours = path.name in (self.path.name, self._lock.name) or self._is_segment(path.name)
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
        left = self._max_bytes - self._segment_bytes
        for segment in reversed(self.segments()):
            status = segment.stat()
            left -= status.st_size
            if left < 0 or status.st_mtime < oldest:
                segment.unlink()


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
    return (line[:-1] for line in file if line.endswith(b"\n"))


def _from_end(file: BinaryIO) -> Iterator[bytes]:
    place = file.seek(0, os.SEEK_END)
    parts: list[bytes] = []  # of a line whose beginning is yet to be read, the last part first
    is_whole = False  # what comes after the last end of a line is being written
    while place:
        size = min(place, _BLOCK)
        place -= size
        file.seek(place)
        first, *rest = file.read(size).split(b"\n")
        for piece in reversed(rest):
            if is_whole:
                yield b"".join((piece, *reversed(parts)))
            parts, is_whole = [], True
        parts.append(first)
    if is_whole:
        yield b"".join(reversed(parts))


def _in_order(lines: Iterable[bytes], sign: int) -> Iterator[bytes]:
    """Put lines that are nearly in the order of their times fully into it."""
    waiting: list[tuple[int, int, bytes]] = []
    for number, line in enumerate(lines):
        digits = line[_TIME].translate(None, _NO_DIGITS)
        if not digits.isdigit():
            continue
        item = (sign * int(digits), number, line)
        if len(waiting) < _WINDOW:
            heapq.heappush(waiting, item)
        else:
            yield heapq.heappushpop(waiting, item)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _day() -> bytes:
    return f"{datetime.now(UTC):%Y-%m-%d}".encode()
