"""The configuration while the service runs: it follows its file."""

import logging
import time
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from config import Config, ConfigError, read

MAX_AGE = 0.05  # seconds for which a request may go by what was read before
# Seconds without a write after which a file counts as whole: one that was put in the other's place, and one that is
# written in place, which editors and scripts do in pieces.
SETTLED = 0.1
SETTLED_IN_PLACE = 0.5
# Nanoseconds from the last write to a rename that show that the writing had ended. A write itself sets both times.
PLACED = 5_000_000

PATIENCE = 3.0  # seconds for which a worker that starts, or a command, waits for the writing to end

log = logging.getLogger("tinyscim")


class Stamp(NamedTuple):
    """What the file system says of a file. It changes with each write."""

    inode: int
    size: int
    written: int  # nanoseconds since 1970
    changed: int  # the same for name, owner and mode, or the last write

    @property
    def is_placed(self) -> bool:
        """Whether the file was renamed, or given its mode, after its last write. An empty one may have been made so."""
        return self.size > 0 and self.changed - self.written >= PLACED

    @property
    def age(self) -> float:
        """Seconds since the last write; below 0 if the clocks differ."""
        return time.time() - self.written / 1e9


class ReloadingConfig:
    """A configuration that follows its file.

    A change counts once it is whole: a file that was renamed into place at once, one that is written in place when
    the writing has ended. A file that has become wrong changes nothing: what was read before goes on to hold, and
    `problem` says why.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._taken: Stamp | None = None  # it was read before it was looked at here, so it is read again
        self._seen = stamp(config.path)
        self._inode = self._seen.inode if self._seen else 0
        self._seen_at = time.monotonic()
        self._looked = 0.0
        self._lock = Lock()
        self.problem = ""

    @property
    def cached(self) -> Config:
        """The configuration as it was a moment ago: the file is looked at once in `MAX_AGE` seconds."""
        moment = time.monotonic()
        if moment - self._looked < MAX_AGE:
            return self._config
        self._looked = moment
        return self.current

    @property
    def current(self) -> Config:
        """The configuration at this moment. Costs one stat."""
        self.reload()
        return self._config

    def reload(self) -> None:
        """Take up what has changed in the file."""
        path = self._config.path
        with self._lock:
            seen = stamp(path)
            if path and seen != self._taken:
                self._follow(path, seen)

    def _follow(self, path: Path, seen: Stamp | None) -> None:
        is_new = seen != self._seen
        if is_new:
            self._seen, self._seen_at = seen, time.monotonic()
        is_whole = seen is None or self._is_whole(seen)
        if not (is_new or is_whole):
            return
        try:
            config, self.problem = read(path), ""
        except ConfigError as error:
            config, self.problem = self._config, str(error)
        if is_whole and stamp(path) == seen:
            self._taken, self._inode = seen, seen.inode if seen else 0
            self._take(config)

    def _is_whole(self, seen: Stamp) -> bool:
        quiet = SETTLED if seen.size and seen.inode != self._inode else SETTLED_IN_PLACE
        return seen.is_placed or max(seen.age, time.monotonic() - self._seen_at) >= quiet

    def _take(self, config: Config) -> None:
        if config.panel.password_hash != self._config.panel.password_hash:
            log.info("the panel's password was changed: all its sessions have ended")
        self._config = config


def wait_until_whole(path: Path) -> None:
    """Wait until nothing writes the file any more, though not for ever: what reads it then has the last word."""
    end = time.monotonic() + PATIENCE
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
