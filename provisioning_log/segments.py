"""The log's files: lines of JSON that all workers append to one file, which is rotated by size and by day.

All workers share one file, so that `tail -f` shows all entries and a single limit bounds the size. A lock keeps lines
whole and prevents writes to a file that was just rotated. It is taken once for many entries, never by a request.

The files are the current one and older segments, each at most an eighth of the total. When the segments exceed the
limit, each client's oldest lines above its share are removed (see `shares`), except from the newest segment, because
followers read it. A client is therefore guaranteed its share of six eighths.
"""

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
_TIME = slice(9, 36)  # the time in a line: {"time":"2026-01-31T12:00:00.000000Z",...
_HEAD = 64  # bytes at the beginning of a line, with its time and id
_NO_FILE = (FileNotFoundError, NotADirectoryError)  # not created yet, or rotated or deleted meanwhile
_NOT_DIGITS = b'-T:.Z"'
_BLOCK = 65_536
_WINDOW = 2_000  # lines by which a line may be out of order, since each worker appends a batch at a time
_WINDOW_BYTES = 8_000_000  # of memory, reached only by very long lines

State = tuple[tuple[str, int, int], ...]


def time_of(line: bytes) -> bytes:
    """Return the time at the beginning of a line; times sort as text."""
    return line[_TIME]


class LogFiles:
    """The file at `path` and the older segments beside it, at most `max_bytes` in total and `days` old."""

    def __init__(self, path: Path, max_bytes: int, days: int) -> None:
        self.path = path
        # A separate file, because the log itself is renamed on rotation.
        self._lock = path.with_name(path.name + ".lock")
        self._is_segment = re.compile(rf"{re.escape(path.stem)}\.\d{{8}}-\d{{12}}{re.escape(path.suffix)}").fullmatch
        self.segment_bytes = max(max_bytes // SEGMENTS, 1)
        self._max_bytes, self._days = max_bytes, days

    def append(self, lines: Iterable[str]) -> None:
        """Append all lines or none. Raises OSError."""
        data = b"".join(line.encode("utf-8", "replace") + b"\n" for line in lines)
        make_folder(self.path.parent)
        with self._locked():
            if self._needs_rotation(len(data)):
                self._rotate()
            _append_whole(self.path, data)

    def delete_expired(self) -> None:
        """Delete expired segments, and rotate the current file if it is from an earlier day. Raises OSError."""
        if self.path.parent.exists():
            with self._locked():
                if self._needs_rotation(0):
                    self._rotate()
                self._delete_old()

    def newest_first(self) -> Iterator[bytes]:
        """Yield the lines, newest first."""
        return _in_order(_lines(reversed(self.all()), backwards=True), newest_first=True)

    def oldest_first(self) -> Iterator[bytes]:
        """Yield the lines, oldest first."""
        return _in_order(_lines(self.all()), newest_first=False)

    def appended(self) -> Iterator[list[bytes]]:
        """Yield batches of the lines appended since the last batch, starting from this call."""
        known = {path.name for path in self.segments()}
        return self._follow(known, {head: size for head, size, _ in self._contents([self.path], {})})

    def _follow(self, known: set[str], read: dict[bytes, int]) -> Iterator[list[bytes]]:
        """Yield new lines of the current file and of new segments; known segments only lose lines."""
        while True:
            segments = self.segments()
            new = list(self._contents([*(path for path in segments if path.name not in known), self.path], read))
            known = {path.name for path in segments}
            read = {head: size for head, size, _ in new}
            yield [line for _, _, content in new for line in content.split(b"\n")]

    def _contents(self, paths: Iterable[Path], read: Mapping[bytes, int]) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield each file's unique beginning, the size of its complete lines, and its new content."""
        for path in paths:
            with suppress(*_NO_FILE), open_to_read(path) as file:
                head = file.read(_HEAD)
                file.seek(read.get(head, 0))
                content = file.read()
                content = content[: content.rfind(b"\n") + 1]
                yield head, read.get(head, 0) + len(content), content

    def state(self) -> State:
        """Return the name, size and modification time of each file."""
        return tuple(_states(self.all()))

    def segments(self) -> list[Path]:
        """Return the older segments, oldest first; files with other names are ignored."""
        with suppress(*_NO_FILE):
            return sorted(path for path in self.path.parent.iterdir() if self._is_segment(path.name))
        return []

    def all(self) -> list[Path]:
        """Return the paths of all files, oldest first; the current one may not exist."""
        return [*self.segments(), self.path]

    def owns(self, path: Path) -> bool:
        """Return whether a path names one of these files, their lock or a temporary file."""
        name = path.name
        ours = name in (self.path.name, self._lock.name) or self._is_segment(name.removesuffix(".new"))
        return bool(ours) and os.path.realpath(path.parent) == os.path.realpath(self.path.parent)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._lock)

    def _needs_rotation(self, incoming: int) -> bool:
        try:
            with open_to_read(self.path) as file:
                began = file.read(_TIME.stop)[_TIME]
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return False
        return size > 0 and (size + incoming > self.segment_bytes or not began.startswith(_day()))

    def _rotate(self) -> None:
        segment = self.path.with_name(f"{self.path.stem}.{datetime.now(UTC):%Y%m%d-%H%M%S%f}{self.path.suffix}")
        self.path.rename(segment)
        self._delete_old()

    def _delete_old(self) -> None:
        """Enforce the limits; the current file counts as full."""
        oldest = (datetime.now(UTC) - timedelta(days=self._days)).timestamp()
        for segment in self.segments():
            if segment.stat().st_mtime < oldest:
                segment.unlink()
        self._enforce_size()

    def _enforce_size(self) -> None:
        """Remove lines above their clients' shares, oldest first, from all segments but the newest."""
        *older, newest = self.segments() or [self.path]
        limit = self._max_bytes - self.segment_bytes - _sizes([newest])
        if _sizes(older) > limit:
            over = excess(sizes_by_owner(_lines(older)), limit)
            kept = [segment for segment in older if not sum(over.values()) or _thin(segment, over)]
            while _sizes(kept) > limit:  # the segments contain lines that are not entries
                kept.pop(0).unlink()
            if len(kept) > SEGMENTS:
                self._join(kept)

    def _join(self, segments: list[Path]) -> None:
        """Join adjacent segments of the same day that fit into one."""
        for before, after in pairwise(segments):
            if _day_of(before) == _day_of(after) and _sizes((before, after)) <= self.segment_bytes:
                _replace(after, before.read_bytes() + after.read_bytes())
                before.unlink()


def _sizes(paths: Iterable[Path]) -> int:
    return sum(size for _, size, _ in _states(paths))


def _thin(segment: Path, over: Counter[str]) -> bool:
    """Remove lines of clients above their share from a segment; return whether the segment still exists."""
    kept = b"".join(line + b"\n" for line in without_excess(_lines([segment]), over))
    over += Counter()  # drops clients that are down to their share
    if kept:
        _replace(segment, kept)
    else:
        segment.unlink()
    return bool(kept)


def _replace(segment: Path, content: bytes) -> None:
    """Replace a segment's content and keep its modification time."""
    replace_atomically(segment, [content], written=segment.stat().st_mtime_ns)


def _day_of(segment: Path) -> str:
    return segment.name.rpartition("-")[0]


def _append_whole(path: Path, data: bytes) -> None:
    # The path may be a link, also to a file that does not exist yet.
    descriptor = open_private(Path(os.path.realpath(path)), os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        try:
            _write(descriptor, b"\n" + data if size and os.pread(descriptor, 1, size - 1) != b"\n" else data)
        except OSError:
            os.ftruncate(descriptor, size)  # a full disk may have written part of a line
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
    """Yield the complete lines, reading a block at a time: the newest lines need only the end of the last file."""
    for path in paths:
        try:
            file = open_to_read(path)
        except _NO_FILE:
            continue
        with file:
            yield from _from_end(file) if backwards else _from_start(file)


def _from_start(file: BinaryIO) -> Iterator[bytes]:
    is_whole = True  # a line longer than any entry is read in pieces and skipped
    while piece := file.readline(MAX_LINE + 1):
        if is_whole and piece.endswith(b"\n"):
            yield piece[:-1]
        is_whole = piece.endswith(b"\n")


def _from_end(file: BinaryIO) -> Iterator[bytes]:
    position = file.seek(0, os.SEEK_END)
    parts: list[bytes] = []  # of the line whose beginning is not read yet, last part first
    size_of_line = 0
    is_whole = False  # the text after the last line end is still being written
    while position:
        size = min(position, _BLOCK)
        position -= size
        file.seek(position)
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


def _in_order(lines: Iterable[bytes], *, newest_first: bool) -> Iterator[bytes]:
    """Sort lines that are almost in the order of their times; lines without a time are left out."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        if line[_TIME].translate(None, _NOT_DIGITS).isdigit():
            waiting.append(line)
            size += len(line)
        if len(waiting) > 2 * _WINDOW or size > _WINDOW_BYTES:
            waiting.sort(key=time_of, reverse=newest_first)
            half = len(waiting) // 2
            yield from waiting[:half]
            del waiting[:half]
            size = sum(map(len, waiting))
    yield from sorted(waiting, key=time_of, reverse=newest_first)


def _day() -> bytes:
    return f"{datetime.now(UTC):%Y-%m-%d}".encode()
