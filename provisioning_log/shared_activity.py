"""Counts the requests of this worker, and adds its counts to a state that all workers share."""

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from config.tokens import is_test_name
from provisioning_log.activity import Activity, read_activity
from runtime.background import BackgroundTask
from scim.directory.events import Event
from storage.base import Document, State, StoreError

log = logging.getLogger("tinyscim")


class SharedActivity:
    """Counts events in memory; a background thread adds them to the state that `find` returns, every `pause` seconds.

    Without `find` the counts are this worker's alone.
    """

    def __init__(self, find: Callable[[], State] | None = None, pause: float = 1.0) -> None:
        self._find = find
        self._new = Activity()
        self._counting, self._writing = Lock(), Lock()
        self._task = BackgroundTask("activity", self.flush, after=pause)

    def observe(self, event: Event) -> None:
        """Count an event, unless it is one of the panel's connection test."""
        if is_test_name(event.token):
            return
        with self._counting:
            self._new.add(event)
        if self._find:
            self._task.schedule()

    def read(self) -> Activity:
        """Return the counts of all workers; those of the others are `pause` seconds old."""
        with self._writing:
            found = _activity_in(self._find().read()) if self._find else Activity()
            with self._counting:
                found.merge(self._new)
        return found

    def flush(self) -> None:
        """Add this worker's counts to the state; if that fails, they wait for the next time."""
        if not self._find:
            return
        with self._writing:
            with self._counting:
                new, self._new = self._new, Activity()
            try:
                with self._find().changing() as value:
                    found = _activity_in(value)
                    found.merge(new)
                    value |= found.to_json()
            except (OSError, StoreError) as error:
                log.warning("the counts of requests are kept in memory meanwhile: %s", error)
                with self._counting:
                    new.merge(self._new)
                    self._new = new


def _activity_in(value: Document) -> Activity:
    """Return the counts in a state; a damaged one counts as empty."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return read_activity(value)
    return Activity()
