"""The whole of the log: what clients did, and in files of their own what strangers tried.

Whoever reaches the service can write what strangers tried, as often as he likes. It has a twentieth of the room to
itself, so it can push out nothing but its own kind. Clients with a token share the rest (`shares`).
"""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

from provisioning_log.entries import MAX_LINE
from provisioning_log.segments import LogFiles, State, time_of

SHARE = 20
LINES = 24  # of the longest, that the log has room for at least: three to a segment


class Archive:
    """The files at `path` and beside it, together at most `max_bytes`, read as one."""

    def __init__(self, path: Path, max_bytes: int, days: int) -> None:
        self.path = path
        aside = path.with_name(f"{path.stem}-refused{path.suffix}")
        self.paths = (path, aside)
        self.max_line = min(MAX_LINE, max_bytes // LINES)
        self._clients = LogFiles(path, max_bytes - max_bytes // SHARE, days)
        self._strangers = LogFiles(aside, max_bytes // SHARE, days)

    @property
    def batch_bytes(self) -> int:
        """How many bytes may be appended at a time."""
        return self._clients.batch_bytes

    def append(self, lines: Iterable[str]) -> None:
        """Append what clients did, all of it or nothing. Raises OSError."""
        self._clients.append(lines)

    def append_refused(self, lines: Iterable[str]) -> None:
        """Append what strangers tried, line by line, as many at once may be more than their room. Raises OSError."""
        for line in lines:
            self._strangers.append([line])

    def tidy(self) -> None:
        """Delete what is too old. Raises OSError."""
        self._clients.tidy()
        self._strangers.tidy()

    def newest_first(self) -> Iterator[bytes]:
        """Yield the lines, the newest first."""
        return heapq.merge(self._clients.newest_first(), self._strangers.newest_first(), key=time_of, reverse=True)

    def oldest_first(self) -> Iterator[bytes]:
        """Yield the lines, the oldest first."""
        return heapq.merge(self._clients.oldest_first(), self._strangers.oldest_first(), key=time_of)

    def appended(self) -> Iterator[list[bytes]]:
        """Return what yields, whenever asked, the lines that have come since: the first time, those since now."""
        both = (self._clients.appended(), self._strangers.appended())
        return (sorted((*one, *other), key=time_of) for one, other in zip(*both, strict=True))

    def files(self) -> list[Path]:
        """Return the files; those of the day need not be there."""
        return [*self._clients.all(), *self._strangers.all()]

    def owns(self, path: Path) -> bool:
        """Tell whether a path has the name of one of the files."""
        return self._clients.owns(path) or self._strangers.owns(path)

    def state(self) -> State:
        """Return what is another as soon as anything was written or deleted."""
        return (*self._clients.state(), *self._strangers.state())
