"""The configuration while the service runs: it follows its file."""

import time
from pathlib import Path
from threading import Lock

from config import Config, ConfigError, read

LAG = 0.05  # seconds for which a request may go by what was read before


class LiveConfig:
    """A configuration that follows its file.

    A file that has become wrong changes nothing: what was read before goes on to hold, and `problem` says why.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._seen = _stamp(config.path)
        self._looked = 0.0
        self._lock = Lock()
        self.problem = ""

    @property
    def recent(self) -> Config:
        """The configuration as it was a moment ago: the file is looked at once in `LAG` seconds."""
        moment = time.monotonic()
        if moment - self._looked < LAG:
            return self._config
        self._looked = moment
        return self.now

    @property
    def now(self) -> Config:
        """The configuration at this moment. Costs one stat."""
        self.look()
        return self._config

    def look(self) -> None:
        """Take up what has changed in the file."""
        path = self._config.path
        with self._lock:
            stamp = _stamp(path)
            if path and stamp != self._seen:
                self._seen = stamp
                try:
                    self._config, self.problem = read(path), ""
                except ConfigError as error:
                    self.problem = str(error)


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None
