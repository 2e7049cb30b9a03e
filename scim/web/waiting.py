"""Requests that wait for the next event."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import BoundedSemaphore, Lock
from typing import Any

INTERVAL = 0.05  # seconds between two looks at the end of the feed
MOST = 64  # a quarter of the connections that a worker has


class Full(Exception):
    """As many requests wait as may."""


class Waiters:
    """The requests of a worker that wait. All share one look at the store in each interval.

    A waiting request has a thread and a connection, but none of the slots in which requests run. `is_ending` returns
    whether the worker is about to end.
    """

    def __init__(self, end: Callable[[], str]) -> None:
        self.is_ending: Callable[[], bool] = lambda: False
        self._read_end, self._latest, self._looked = end, "", 0.0
        self._places, self._lock = BoundedSemaphore(MOST), Lock()

    @contextmanager
    def place(self) -> Any:
        """Take one of the places to wait in. Raises Full."""
        if not self._places.acquire(blocking=False):
            raise Full
        try:
            yield
        finally:
            self._places.release()

    def wait(self, end: str, until: float, environ: dict[str, Any]) -> bool:
        """Wait until the end has moved, the time is over or the worker ends, and return whether the end has moved."""
        without_slot: Callable[[], AbstractContextManager[None]] = environ.get("tinyscim.without_slot", nullcontext)
        with without_slot():
            while not (moved := self._end() != end) and time.monotonic() < until and not self.is_ending():
                time.sleep(INTERVAL)
        return moved

    def _end(self) -> str:
        with self._lock:
            if time.monotonic() - self._looked > INTERVAL / 2:
                self._latest, self._looked = self._read_end(), time.monotonic()
            return self._latest
