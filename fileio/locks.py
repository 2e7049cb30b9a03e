"""Locks between processes. Each is held on a lock file, which is never renamed or replaced."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fileio.atomic import open_private


class Locked(Exception):
    """Another process or thread holds the lock."""


def lock(path: Path, *, shared: bool = False, wait: bool = True) -> int:
    """Lock the file and return its descriptor, for `unlock`. Raises Locked if `wait` is false and the lock is taken."""
    # Opened each time: an inherited or shared descriptor holds the same lock and excludes no other process.
    descriptor = open_private(path, os.O_RDONLY)
    try:
        _flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB), str(path))
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


class FairLock:
    """A lock that one process holds at a time. Its threads need a lock of their own.

    A process waits in a queue of its own lock file, so that one that writes without a pause cannot keep others out.
    """

    def __init__(self, path: Path) -> None:
        # Opened after the fork: an inherited descriptor holds the same lock.
        self._queue, self._lock = _LockFile(path.with_name(f"{path.name}-queue")), _LockFile(path)

    def acquire(self) -> None:
        """Wait for the lock. Raises OSError."""
        self._queue.lock()
        try:
            self._lock.lock()
        finally:
            self._queue.unlock()

    def try_acquire(self) -> bool:
        """Take the lock if no process holds it, and return whether it was taken. Raises OSError."""
        try:
            self._lock.lock(wait=False)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Release the lock."""
        self._lock.unlock()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def check(self) -> None:
        """Raise OSError if the lock file was replaced, so that other processes lock another file."""
        self._lock.check()


class _LockFile:
    """A lock file that stays open."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._descriptor = open_private(path, os.O_RDONLY)
        self._file = os.fstat(self._descriptor)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def lock(self, *, wait: bool = True) -> None:
        _flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), self._path)

    def unlock(self) -> None:
        _flock(self._descriptor, fcntl.LOCK_UN, self._path)

    def check(self) -> None:
        if not os.path.samestat(os.stat(self._path), self._file):  # noqa: PTH116
            raise OSError(errno.ESTALE, "the file was replaced while the store was open", self._path)


def _flock(descriptor: int, operation: int, path: str) -> None:
    try:
        fcntl.flock(descriptor, operation)
    except OSError as error:  # it does not name the file
        raise OSError(error.errno, error.strerror, path) from error
