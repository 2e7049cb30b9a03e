"""Locks between processes, each on a file of its own: a file that is locked is never renamed or replaced."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from time import monotonic

from storage.files import refusals

TURN = 0.01  # seconds for which the threads of one process may hand the right to write to each other


class Locked(Exception):
    """Somebody else holds the lock."""


def lock(path: Path, *, shared: bool = False, wait: bool = True) -> int:
    """Lock the file and return its descriptor, which `unlock` takes; Locked, if not to wait."""
    # Opened each time: a descriptor that was inherited or is shared excludes nobody.
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
    """Hold a lock; Locked, if not to wait."""
    descriptor = lock(path, shared=shared, wait=wait)
    try:
        yield
    finally:
        unlock(descriptor)


class Turn:
    """The right to write: one process has it at a time, and its threads share it as they share fsyncs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = Condition()
        self._sharers = 0
        self._descriptor = -1
        self._until = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the right to write, alone or with other threads of this process."""
        self._join()
        try:
            yield
        finally:
            self._leave()

    def _join(self) -> None:
        with self._changed:
            # When its time is over nobody joins any more, so that other processes get their turn.
            self._changed.wait_for(lambda: not self._sharers or monotonic() < self._until)
            if not self._sharers:
                self._acquire()
            self._sharers += 1

    def _leave(self) -> None:
        with self._changed:
            self._sharers -= 1
            if not self._sharers:
                unlock(self._descriptor)
                self._changed.notify_all()

    def _acquire(self) -> None:
        with refusals():
            self._descriptor = lock(self._path)
        self._until = monotonic() + TURN
