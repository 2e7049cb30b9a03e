"""Deletes users who have been disabled for as long as the configuration says, and lets the log know of each."""

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

from fileio.atomic import make_folder
from fileio.locks import Locked, locked
from scim.directory.removal import remove
from scim.directory.service import Service
from scim.errors import NotFound, PreconditionFailed, ScimError
from scim.protocol.preconditions import dated
from scim.schema.resource_types import ResourceType

EVERY = 3_600.0  # seconds
USER = "User"

log = logging.getLogger("tinyscim")


class Purge:
    """Looks every hour, in one worker at a time; the lock is a file of its own, None where there is one process."""

    def __init__(self, service: Service, lock: Path | None) -> None:
        self._service, self._lock = service, lock

    def start(self) -> None:
        """Start looking; the configuration, which can change meanwhile, is asked each time."""
        Thread(target=self._go_on, name="purge", daemon=True).start()

    def run(self) -> int:
        """Purge once, and return how many users went; none where another worker is at it."""
        days = self._service.live_config.current.directory.purge_disabled_after_days
        if not days:
            return 0
        try:
            with self._alone():
                return self._delete_all(days)
        except Locked:
            return 0

    def _delete_all(self, days: int) -> int:
        type = self._service.registry.types[USER]
        moment = dated(datetime.now(UTC) - timedelta(days=days))
        due = self._service.resources("").disabled_before(type, moment)
        return sum(self._delete(type, id, version) for id, version in due)

    def _delete(self, type: ResourceType, id: str, version: str) -> bool:
        try:
            remove(self._service, type, id, version, "purge")
        except (NotFound, PreconditionFailed):  # whoever was restored meanwhile is in another version
            return False
        return True

    def _go_on(self) -> None:
        while True:
            try:
                purged = self.run()
                if purged:
                    log.info("%d users were purged, who had been disabled for long enough", purged)
            except (ScimError, OSError) as error:
                log.error("disabled users could not be purged: %s", error)
            except Exception:  # whatever it is, it may be over in an hour, and a thread that ends is missed by nobody
                log.exception("disabled users could not be purged")
            time.sleep(EVERY)

    def _alone(self) -> AbstractContextManager[None]:
        """Hold the lock. Raises Locked."""
        if self._lock is None:
            return nullcontext()
        make_folder(self._lock.parent)
        return locked(self._lock, wait=False)
