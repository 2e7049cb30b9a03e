"""All files of the log: entries of clients with a token, and separate files for unauthenticated requests.

Unauthenticated requests get a twentieth of the space, so they cannot evict other entries. Clients with a token share
the rest (see `shares`).
"""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path

from provisioning_log.entries import MAX_LINE
from provisioning_log.segments import LogFiles, State, time_of

UNAUTHENTICATED_FRACTION = 20
MIN_LINES = 24  # lines of the maximum length that fit: three for each segment


class Archive:
    """The files at `path` and beside it, at most `max_bytes` in total, read as one log."""

    def __init__(self, path: Path, max_bytes: int, days: int) -> None:
        self.path = path
        refused = path.with_name(f"{path.stem}-refused{path.suffix}")
        self.paths = (path, refused)
        self.max_line = min(MAX_LINE, max_bytes // MIN_LINES)
        self._clients = LogFiles(path, max_bytes - max_bytes // UNAUTHENTICATED_FRACTION, days)
        self._unauthenticated = LogFiles(refused, max_bytes // UNAUTHENTICATED_FRACTION, days)
        self.batch_bytes = self._clients.segment_bytes  # the maximum to append at once

    def append(self, lines: Iterable[str]) -> None:
        """Append all lines of clients with a token, or none. Raises OSError."""
        self._clients.append(lines)

    def append_unauthenticated(self, lines: Iterable[str]) -> None:
        """Append lines of unauthenticated requests, one by one: together they may not fit. Raises OSError."""
        for line in lines:
            self._unauthenticated.append([line])

    def delete_expired(self) -> None:
        """Delete expired entries. Raises OSError."""
        self._clients.delete_expired()
        self._unauthenticated.delete_expired()

    def newest_first(self) -> Iterator[bytes]:
        """Yield the lines, newest first."""
        return heapq.merge(
            self._clients.newest_first(), self._unauthenticated.newest_first(), key=time_of, reverse=True
        )

    def oldest_first(self) -> Iterator[bytes]:
        """Yield the lines, oldest first."""
        return heapq.merge(self._clients.oldest_first(), self._unauthenticated.oldest_first(), key=time_of)

    def appended(self) -> Iterator[list[bytes]]:
        """Yield batches of the lines appended since the last batch, starting from this call."""
        both = (self._clients.appended(), self._unauthenticated.appended())
        return (sorted((*batch, *other), key=time_of) for batch, other in zip(*both, strict=True))

    def files(self) -> list[Path]:
        """Return the paths of the files; the current ones may not exist."""
        return [*self._clients.all(), *self._unauthenticated.all()]

    def owns(self, path: Path) -> bool:
        """Return whether a path names one of the files."""
        return self._clients.owns(path) or self._unauthenticated.owns(path)

    def state(self) -> State:
        """Return a value that changes with each write and deletion."""
        return (*self._clients.state(), *self._unauthenticated.state())
