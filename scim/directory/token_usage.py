"""When each token was last used, across all workers.

Requests are recorded in memory. A background thread of each worker merges the records into a small file beside the
store, at most every few seconds.
"""

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from threading import Lock
from typing import Any

from config import Token
from fileio.atomic import open_to_read, replace_atomically
from fileio.locks import locked
from runtime.background import BackgroundTask

PAUSE = 5.0  # seconds between two writes of one worker
_KEPT = 200  # tokens, including revoked ones

log = logging.getLogger("tinyscim")


@dataclass(slots=True)
class TokenUsage:
    """The time at which each token was used last, by its name."""

    used: dict[str, float] = field(default_factory=dict)

    def last_use(self, token: Token) -> float:
        """Return when a token was last used, or 0; an earlier token of the same name does not count."""
        moment = self.used.get(token.name, 0.0)
        created = token.created
        if created and created.tzinfo is None:
            created = created.replace(tzinfo=UTC)
        return 0.0 if created and moment < created.timestamp() else moment

    def merge(self, other: "TokenUsage") -> None:
        """Take over what is later in the other."""
        for name, moment in other.used.items():
            self.used[name] = max(moment, self.used.get(name, 0.0))


class TokenUsageTracker:
    """Records the use of tokens, and returns the records of all workers; without a path, of this process alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._seen = TokenUsage()
        self._lock = Lock()
        self._task = BackgroundTask("activity", self.flush, after=PAUSE)

    def note(self, token: Token) -> None:
        """Record a request with a token."""
        with self._lock:
            self._seen.used[token.name] = time.time()
        if self._path:
            self._task.schedule()

    def seen(self) -> TokenUsage:
        """Return what other workers have written and this one has recorded."""
        merged = _read(self._path) if self._path else TokenUsage()
        with self._lock:
            merged.merge(self._seen)
        return merged

    def flush(self) -> None:
        """Merge this worker's records into the file; failures to write are only logged."""
        if not self._path:
            return
        try:
            with locked(self._path.with_name(self._path.name + ".lock")):
                replace_atomically(self._path, [_to_json(self.seen())])
        except OSError as error:
            log.warning("%s: %s", self._path, error.strerror)


def _read(path: Path) -> TokenUsage:
    """Return the file's content; a missing or damaged file counts as empty."""
    with suppress(OSError, ValueError, TypeError, AttributeError, KeyError), open_to_read(path) as file:
        return _from_json(json.load(file))
    return TokenUsage()


def _from_json(body: Mapping[str, Any]) -> TokenUsage:
    return TokenUsage({str(name): float(moment) for name, moment in body["used"].items()})


def _to_json(seen: TokenUsage) -> bytes:
    latest = sorted(seen.used.items(), key=lambda item: item[1])[-_KEPT:]
    return json.dumps({"used": dict(latest)}).encode()
