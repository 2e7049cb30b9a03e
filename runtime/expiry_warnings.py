"""Warnings in the log of tokens and client secrets that expire soon: once a day for all workers."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from config.expiry import expiring
from config.reload import ReloadingConfig
from runtime.background import BackgroundTask
from runtime.shared_ids import SharedIds
from storage.base import State

EVERY = 3_600.0  # seconds between two looks of one worker
_DAY = 86_400.0

log = logging.getLogger("tinyscim")


class ExpiryWarnings:
    """Looks each hour; a state that all workers share keeps what was logged today."""

    def __init__(self, config: ReloadingConfig, find: Callable[[], State]) -> None:
        self._config, self._logged = config, SharedIds(find, 2 * _DAY)
        self._task = BackgroundTask("expiry warnings", self.run, every=EVERY)

    def start(self) -> None:
        """Start the thread."""
        self._task.schedule()

    def run(self) -> None:
        """Log what has not been logged today."""
        for expiry in expiring(self._config.current):
            id = f"{datetime.now(UTC).date()} {expiry.what}"
            if id not in self._logged and self._logged.add(id, time.time()):
                log.warning("%s", expiry)
