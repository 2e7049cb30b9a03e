"""Locks between processes. Each is held on a lock file, which is never renamed or replaced."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from fileio.atomic import open_private


class Locked(Exception):
    """Another process or thread holds the lock."""


def lock(path: Path, *, shared: bool = False, wait: bool = True) -> int:
    """Lock the file and return its descriptor, for `unlock`. Raises Locked if `wait` is false and the lock is taken."""
    # Opened each time: an inherited or shared descriptor holds the same lock and excludes no other process.
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
    """Release a lock, even if a child process has inherited the descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold a lock. Raises Locked if `wait` is false and the lock is taken."""
    descriptor = lock(path, shared=shared, wait=wait)
    try:
        yield
    finally:
        unlock(descriptor)


class ProcessLock:
    """A lock that one process holds at a time; its threads share it and need a lock of their own."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        # Opened after the fork: an inherited descriptor holds the same lock.
        self._descriptor = open_private(path, os.O_RDONLY)
        self._file = os.fstat(self._descriptor)
        self._mutex = Lock()
        self._holders = 0

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def __enter__(self) -> None:
        with self._mutex:
            if not self._holders:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._holders += 1

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            self._holders -= 1
            if not self._holders:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def check(self) -> None:
        """Raise OSError if the lock file was replaced, so that other processes lock another file."""
        if not os.path.samestat(os.stat(self._path), self._file):  # noqa: PTH116
            raise OSError(errno.ESTALE, "the file was replaced while the store was open", self._path)
