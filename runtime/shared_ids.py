"""Ids that all workers know for a while: of sessions that were signed out, and of assertions that were used."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from fileio.atomic import make_folder, open_to_read, replace_atomically
from fileio.locks import locked

log = logging.getLogger("tinyscim")


class SharedIds:
    """Ids in a file that all workers share, each kept for `lifetime` seconds; without a path, in this process alone."""

    def __init__(self, path: Path | None, lifetime: float) -> None:
        self._path, self._lifetime = path, lifetime
        self._known: dict[str, float] = {}
        self._stamp: tuple[int, int] | None = None
        self._lock = Lock()

    def __contains__(self, id: object) -> bool:
        """Return whether an id was added."""
        with self._lock:
            self._refresh()
            return id in self._known

    def add(self, id: str, began: float) -> bool:
        """Add an id whose time began at a moment, and return whether it is new.

        If the file cannot be written, only this worker knows it; that is logged.
        """
        with self._lock:
            is_new = id not in self._known
            try:
                with self._replacing():
                    is_new = id not in self._known
                    self._known[id] = began
            except OSError as error:
                self._known[id] = began
                log.error("%s: %s; an id was kept in this worker only", self._path, error.strerror)
        return is_new

    @contextmanager
    def _replacing(self) -> Iterator[None]:
        """Read the file, and write it after the change, while no other worker does."""
        if self._path is None:
            yield
            return
        make_folder(self._path.parent)
        with locked(self._path.with_name(self._path.name + ".lock")):
            self._refresh()
            yield
            oldest = time.time() - self._lifetime
            self._known = {id: began for id, began in self._known.items() if began > oldest}
            replace_atomically(self._path, [json.dumps(self._known).encode()])

    def _refresh(self) -> None:
        """Read the ids that other workers added; a damaged file is ignored."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            status = self._path.stat() if self._path else None
            stamp = (status.st_mtime_ns, status.st_ino) if status else None
            if self._path and stamp != self._stamp:
                self._stamp = stamp
                with open_to_read(self._path) as file:
                    found = json.load(file)
                self._known |= {str(id): float(began) for id, began in found.items()}
