"""Reloads the configuration when its file changes."""

import logging
import time
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from config import Config, ConfigError, read

MAX_AGE = 0.05  # seconds for which a request may use the cached configuration
# Seconds without a write after which a file counts as complete: a file that replaced the old one, and a file that is
# written in place, which editors and scripts do in pieces.
SETTLED = 0.1
SETTLED_IN_PLACE = 0.5
# Nanoseconds between the last write and a rename which show that writing had ended. A write sets both times.
PLACED = 5_000_000

MAX_WAIT = 3.0  # seconds for which a command, or a worker that starts, waits for writing to end

log = logging.getLogger("tinyscim")


class Stamp(NamedTuple):
    """A file's metadata, which changes with each write."""

    inode: int
    size: int
    written: int  # nanoseconds since 1970
    changed: int  # the same for name, owner and mode, or the last write

    @property
    def is_placed(self) -> bool:
        """Whether the file was renamed, or its mode changed, after its last write. Empty files never count."""
        return self.size > 0 and self.changed - self.written >= PLACED

    @property
    def age(self) -> float:
        """Seconds since the last write; below 0 if the clocks differ."""
        return time.time() - self.written / 1e9


class ReloadingConfig:
    """A configuration that is reloaded when its file changes.

    A file that was renamed into place is used at once, one that is written in place when writing has ended. While
    the file is invalid, the last valid configuration stays in use, and `problem` has the errors.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._applied: Stamp | None = None  # the file was read before its stamp was taken, so it is read again
        self._seen = stamp(config.path)
        self._inode = self._seen.inode if self._seen else 0
        self._seen_at = time.monotonic()
        self._checked_at = 0.0
        self._lock = Lock()
        self.problem = ""

    @property
    def cached(self) -> Config:
        """The configuration, at most `MAX_AGE` seconds old."""
        moment = time.monotonic()
        if moment - self._checked_at < MAX_AGE:
            return self._config
        self._checked_at = moment
        return self.current

    @property
    def current(self) -> Config:
        """The current configuration. Costs one stat."""
        self.reload()
        return self._config

    def reload(self) -> None:
        """Read the file if it has changed."""
        path = self._config.path
        with self._lock:
            seen = stamp(path)
            if path and seen != self._applied:
                self._read_changed(path, seen)

    def _read_changed(self, path: Path, seen: Stamp | None) -> None:
        is_new = seen != self._seen
        if is_new:
            self._seen, self._seen_at = seen, time.monotonic()
        is_complete = seen is None or self._is_complete(seen)
        if not (is_new or is_complete):
            return
        try:
            config, self.problem = read(path), ""
        except ConfigError as error:
            config, self.problem = self._config, str(error).replace("\n", "; ")
        if is_complete and stamp(path) == seen:
            self._applied, self._inode = seen, seen.inode if seen else 0
            self._apply(config)

    def _is_complete(self, seen: Stamp) -> bool:
        quiet = SETTLED if seen.size and seen.inode != self._inode else SETTLED_IN_PLACE
        return seen.is_placed or max(seen.age, time.monotonic() - self._seen_at) >= quiet

    def _apply(self, config: Config) -> None:
        if config.panel.password_hash != self._config.panel.password_hash:
            log.info("the panel's password was changed: all sessions have ended")
        self._config = config


def wait_until_complete(path: Path) -> None:
    """Wait until no process writes to the file, for at most `MAX_WAIT` seconds."""
    end = time.monotonic() + MAX_WAIT
    while time.monotonic() < end:
        found = stamp(path)
        if found and (found.is_placed or found.age >= SETTLED_IN_PLACE):
            return
        time.sleep(0.02)


def stamp(path: Path | None) -> Stamp | None:
    """Return the file's stamp, or None if there is no file."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns) if status else None
