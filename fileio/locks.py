"""Locks between processes, each on a file of its own: a file that is locked is never renamed or replaced."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from fileio.atomic import open_private


class Locked(Exception):
    """Somebody else holds the lock."""


def lock(path: Path, *, shared: bool = False, wait: bool = True) -> int:
    """Lock the file and return its descriptor, for `unlock`. Raises Locked if `wait` is false and somebody holds it."""
    # Opened each time: a descriptor that was inherited or is shared excludes nobody.
    descriptor = open_private(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        raise Locked(str(path)) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def unlock(descriptor: int) -> None:
    """Let go of a lock, even if a child process has inherited the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold a lock. Raises Locked if `wait` is false and somebody holds it."""
    descriptor = lock(path, shared=shared, wait=wait)
    try:
        yield
    finally:
        unlock(descriptor)


class Turn:
    """What one process may do at a time; its threads share the turn, and keep each other in order themselves."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        # Opened here, after the fork: a descriptor that was inherited excludes nobody.
        self._descriptor = open_private(path, os.O_RDONLY)
        self._file = os.fstat(self._descriptor)
        self._mutex = Lock()
        self._sharers = 0

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def __enter__(self) -> None:
        with self._mutex:
            if not self._sharers:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._sharers += 1

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            self._sharers -= 1
            if not self._sharers:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def check(self) -> None:
        """Raise OSError if the file is not in its place any more, where others would not meet us."""
        if not os.path.samestat(os.stat(self._path), self._file):  # noqa: PTH116
            raise OSError(errno.ESTALE, "the file was replaced while the store was open", self._path)
