"""Counts the requests of this worker, and adds its counts to a file beside the store that all workers share."""

import logging
from contextlib import suppress
from pathlib import Path
from threading import Lock

import orjson

from config.tokens import is_test_name
from fileio.atomic import make_folder, open_to_read, replace_atomically
from fileio.locks import locked
from provisioning_log.activity import Activity, read_activity
from runtime.background import BackgroundTask
from scim.directory.events import Event

PAUSE = 1.0  # seconds between two writes of one worker
_MAX_BYTES = 4_000_000

log = logging.getLogger("tinyscim")


class ActivityFile:
    """Counts events in memory; a background thread adds the counts to the file. Without a path there is no file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._new = Activity()
        self._counting, self._writing = Lock(), Lock()
        self._task = BackgroundTask("activity", self.flush, after=PAUSE)

    def observe(self, event: Event) -> None:
        """Count an event, unless it is one of the panel's connection test."""
        if is_test_name(event.token):
            return
        with self._counting:
            self._new.note(event)
        if self._path:
            self._task.schedule()

    def read(self) -> Activity:
        """Return the counts of all workers; those of the others are a second old."""
        with self._writing:
            found = self._stored()
            with self._counting:
                found.merge(self._new)
        return found

    def flush(self) -> None:
        """Add this worker's counts to the file; if that fails, they wait for the next time."""
        if not self._path:
            return
        with self._writing:
            with self._counting:
                new, self._new = self._new, Activity()
            try:
                self._add(self._path, new)
            except OSError as error:
                log.warning("%s: %s", self._path, error.strerror)
                with self._counting:
                    new.merge(self._new)
                    self._new = new

    def _add(self, path: Path, new: Activity) -> None:
        make_folder(path.parent)
        with locked(path.with_name(path.name + ".lock")):
            found = self._stored()
            found.merge(new)
            replace_atomically(path, [orjson.dumps(found.to_json())])

    def _stored(self) -> Activity:
        """Return the file's counts; a missing or damaged file counts as empty."""
        broken = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError)
        if self._path:
            with suppress(*broken), open_to_read(self._path) as file:
                return read_activity(orjson.loads(file.read(_MAX_BYTES)))
        return Activity()
