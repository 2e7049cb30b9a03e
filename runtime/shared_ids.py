"""Ids that all workers know for a while: of sessions that were signed out, and of assertions that were used."""

import logging
import time
from collections.abc import Callable
from threading import Lock

from storage.base import State

log = logging.getLogger("tinyscim")


class SharedIds:
    """Ids in the state that `find` returns, each kept for `lifetime` seconds."""

    def __init__(self, find: Callable[[], State], lifetime: float) -> None:
        self._find, self._lifetime = find, lifetime
        self._unwritten: dict[str, float] = {}
        self._lock = Lock()

    def __contains__(self, id: object) -> bool:
        """Return whether an id was added."""
        return id in self._unwritten or id in self._find().read()

    def add(self, id: str, began: float) -> bool:
        """Add an id whose time began at a moment, and return whether it is new.

        If the state is a file that cannot be written, only this worker knows the id; that is logged.
        """
        with self._lock:
            is_new = id not in self
            try:
                with self._find().changing() as known:
                    is_new = is_new and id not in known
                    known |= self._unwritten | {id: began}
                    self._forget(known)
                self._unwritten = {}
            except OSError as error:
                self._unwritten[id] = began
                log.error("%s: %s; an id was kept in this worker only", error.filename, error.strerror)
        return is_new

    def _forget(self, known: dict[str, float]) -> None:
        """Drop expired and damaged entries."""
        oldest = time.time() - self._lifetime
        for id, began in list(known.items()):
            if not (isinstance(began, float | int) and began > oldest):
                del known[id]
