"""When each token was last used and what was last refused, as all workers know it together.

A request notes it in memory and no more. A thread of each worker folds what was noted into a small file beside the
store: at once after a pause, and then at most every few seconds.
"""

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any

from config import Token
from fileio.atomic import open_to_read, replace_atomically
from fileio.locks import locked
from runtime.background import BackgroundTask

PAUSE = 5.0  # seconds between two writes of one worker
_KEPT = 200  # tokens, those that are gone included

log = logging.getLogger("tinyscim")


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that this service failed to answer; `token` is empty where none was known."""

    time: float
    status: int
    token: str


@dataclass(slots=True)
class TokenUsage:
    """What was seen: the last use of each token, and of who may write the last success and the last refusal.

    `unknown` is the time of the last request whose token was not known (401): anybody's.
    """

    used: dict[str, float] = field(default_factory=dict)
    succeeded: float = 0.0
    refused: Failure | None = None
    unknown: float = 0.0

    def merge(self, other: "TokenUsage") -> None:
        """Take over whatever the other saw later."""
        for name, moment in other.used.items():
            self.used[name] = max(moment, self.used.get(name, 0.0))
        self.succeeded = max(self.succeeded, other.succeeded)
        self.unknown = max(self.unknown, other.unknown)
        if other.refused and (self.refused is None or self.refused.time < other.refused.time):
            self.refused = other.refused


class TokenUsageTracker:
    """Notes requests, and tells what all workers noted; without a path it is about this process alone."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._seen = TokenUsage()
        self._lock = Lock()
        self._later = BackgroundTask("activity", self.flush, after=PAUSE)

    def note(self, token: Token | None, status: int) -> None:
        """Note a request and how it was answered; costs no system call but the clock's.

        A token that may only read is no identity provider's, so it says nothing of how provisioning fares.
        """
        moment, name = time.time(), token.name if token else ""
        with self._lock:
            if name:
                self._seen.used[name] = moment
            if token and token.read_only:
                pass
            elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._seen.refused = Failure(moment, status, name)
            elif token:
                self._seen.succeeded = moment
            else:
                self._seen.unknown = moment
        if self._path:
            self._later.schedule()

    def seen(self) -> TokenUsage:
        """Return what every worker saw, as far as it has written it, and this one up to now."""
        together = _read(self._path) if self._path else TokenUsage()
        with self._lock:
            together.merge(self._seen)
        return together

    def flush(self) -> None:
        """Fold what this worker saw into the file; one that cannot be written is not worth a failure."""
        if not self._path:
            return
        try:
            with locked(self._path.with_name(self._path.name + ".lock")):
                replace_atomically(self._path, [_to_json(self.seen())])
        except OSError as error:
            log.warning("%s: %s", self._path, error.strerror)


def _read(path: Path) -> TokenUsage:
    """Return what the file says; one that is missing or damaged says nothing."""
    with suppress(OSError, ValueError, TypeError, AttributeError), open_to_read(path) as file:
        return _from_json(json.load(file))
    return TokenUsage()


def _from_json(body: Mapping[str, Any]) -> TokenUsage:
    used = {str(name): float(moment) for name, moment in body["used"].items()}
    refused = Failure(**body["refused"]) if body["refused"] else None
    return TokenUsage(used, float(body["succeeded"]), refused, float(body.get("unknown", 0.0)))


def _to_json(seen: TokenUsage) -> bytes:
    latest = sorted(seen.used.items(), key=lambda item: item[1])[-_KEPT:]
    return json.dumps(asdict(replace(seen, used=dict(latest)))).encode()
