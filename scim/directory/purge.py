"""Deletes users that have been disabled for `purge_disabled_after_days`; each deletion is an event."""

import logging
import time
from datetime import UTC, datetime, timedelta
from threading import Thread

from scim.directory.service import Service
from scim.errors import NotFound, PreconditionFailed, ScimError
from scim.protocol.preconditions import dated
from scim.schema.resource_types import ResourceType
from storage.base import Busy, StoreError

EVERY = 3_600.0  # seconds
USER = "User"

log = logging.getLogger("tinyscim")


class Purge:
    """Runs every hour, in one worker of all hosts at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def start(self) -> None:
        """Start the thread; each run reads the current configuration."""
        Thread(target=self._run_hourly, name="purge", daemon=True).start()

    def run(self) -> int:
        """Purge once and return how many users were deleted: 0 if another worker is purging."""
        days = self._service.live_config.current.directory.purge_disabled_after_days
        if not days:
            return 0
        self._service.open()
        try:
            with self._service.store.exclusive("purge"):
                return self._delete_all(days)
        except Busy:
            return 0

    def _delete_all(self, days: int) -> int:
        type = self._service.registry.types[USER]
        moment = dated(datetime.now(UTC) - timedelta(days=days))
        due = self._service.resources("").disabled_before(type, moment)
        return sum(self._delete(type, id, version) for id, version in due)

    def _delete(self, type: ResourceType, id: str, version: str) -> bool:
        try:
            self._service.remove(type, id, version, "purge")
        except (NotFound, PreconditionFailed):  # restoring a user changes its version
            return False
        return True

    def _run_hourly(self) -> None:
        while True:
            try:
                purged = self.run()
                if purged:
                    log.info("purged %d users that had been disabled for long enough", purged)
            except (ScimError, StoreError, OSError) as error:
                log.error("disabled users could not be purged: %s", error)
            except Exception:  # the thread must survive: the cause may be gone in an hour
                log.exception("disabled users could not be purged")
            time.sleep(EVERY)
