"""Throttles password guessing: each failure lengthens the wait before the next attempt, across all workers."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from fileio.atomic import make_folder, replace_atomically
from fileio.locks import Locked, locked
from runtime.networks import client_network

FREE = 4  # failures after which one has to wait
MAX_WAIT = 300.0  # seconds
FORGOTTEN_AFTER = 3600.0
# Shared by all networks without a recent sign-in.
UNKNOWN_FREE = 100
UNKNOWN_INTERVAL = 6.0  # seconds for each further attempt
KNOWN_FOR = 30 * 86_400.0
_MAX_NETWORKS = 2048
_MAX_KNOWN = 64
_MAX_BYTES = 1_000_000
_LOCK_TIMEOUT = 0.5  # seconds

log = logging.getLogger("tinyscim")


class Count(NamedTuple):
    """A number, and the time of its last change."""

    number: float
    moment: float


Counts = dict[str, Count]


class Throttle:
    """Counts failures by network, in a file that all workers share.

    A throttled network has to wait even with the right password, because its attempts may come from several clients.
    Other networks are not affected. Networks without a sign-in within 30 days also share one count, so that guessing
    from many networks does not help; secrets that cannot be guessed need no such limit (`shares_limit`). What signs in
    as one of several clients is counted for each client.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, path: Path | None = None, *, shares_limit: bool = True
    ) -> None:
        self._clock, self._path, self._shares_limit = clock, path, shares_limit
        self._failures: Counts = {}
        self._known: Counts = {}  # the last sign-in of each network
        self._unknown: Counts = {}  # one count, under ""
        self._lock = Lock()

    def attempt(self, address: str, client: str = "") -> float:
        """Return how many seconds the address has to wait. If 0, count this attempt as a failure.

        It is counted before the password is checked, so that concurrent attempts count too.
        """
        network = _key(address, client)
        with self._shared_counts() as now:
            wait = self._wait(network, now)
            if not wait:
                self._failures[network] = Count(self._failure_count(network, now) + 1, now)
                is_shared = self._shares_limit and network not in self._known
                self._unknown[""] = Count(self._unknown_count(now) + is_shared, now)
        return wait

    def wait_for(self, address: str) -> float:
        """Return how many seconds the address has to wait, without counting an attempt."""
        with self._shared_counts() as now:
            return self._wait(client_network(address), now)

    def forgive(self, address: str, client: str = "") -> None:
        """Clear the failures of an address that signed in, and mark its network as known."""
        network = _key(address, client)
        with self._shared_counts() as now:
            if network not in self._known:
                self._unknown[""] = Count(max(self._unknown_count(now) - 1, 0.0), now)
            self._failures[network] = self._known[network] = Count(0, now)

    def _wait(self, network: str, now: float) -> float:
        """Return how many seconds a network has to wait now."""
        moment = self._failures.get(network, Count(0, now)).moment
        wait = _wait_after(self._failure_count(network, now)) - (now - moment)
        if network not in self._known:
            wait = max(wait, (self._unknown_count(now) + 1 - UNKNOWN_FREE) * UNKNOWN_INTERVAL)
        return max(wait, 0.0)

    def _failure_count(self, network: str, now: float) -> float:
        number, moment = self._failures.get(network, Count(0, now))
        return number if now - moment <= FORGOTTEN_AFTER else 0

    def _unknown_count(self, now: float) -> float:
        """Return the attempts of unknown networks, less one for each interval since."""
        number, moment = self._unknown.get("", Count(0, now))
        return max(number - (now - moment) / UNKNOWN_INTERVAL, 0.0)

    @contextmanager
    def _shared_counts(self) -> Iterator[float]:
        """Merge and save the counts of all workers, if the file is available. Yield the time."""
        with self._lock, ExitStack() as stack:
            path = self._path if self._path and self._lock_file(self._path, stack) else None
            now, found = self._clock(), self._read(path) if path else {}
            self._merge(found, now)
            yield now
            counts = {"failures": self._failures, "known": self._known, "unknown": self._unknown}
            if path and counts != found:
                self._write(path, json.dumps(counts).encode())

    def _lock_file(self, path: Path, stack: ExitStack) -> bool:
        """Lock the file and return True, unless it takes too long."""
        end = time.monotonic() + _LOCK_TIMEOUT
        try:
            make_folder(path.parent)
            while True:
                try:
                    stack.enter_context(locked(path.with_name(path.name + ".lock"), wait=False))
                    return True
                except Locked:
                    if time.monotonic() > end:
                        log.error("%s: locked for too long; failed sign-ins are counted in this worker only", path)
                        return False
                    time.sleep(0.01)
        except OSError as error:
            log.error("%s: %s; failed sign-ins are counted in this worker only", path, error.strerror)
            return False

    def _merge(self, found: Mapping[str, Counts], now: float) -> None:
        """Merge the counts of other workers and drop the oldest."""
        self._failures = _merged(self._failures, found.get("failures", {}), now, _MAX_NETWORKS)
        known = _merged(self._known, found.get("known", {}), now, _MAX_KNOWN)
        self._known = {network: count for network, count in known.items() if now - count.moment < KNOWN_FOR}
        self._unknown = _merged(self._unknown, found.get("unknown", {}), now, 1)

    def _read(self, path: Path) -> Mapping[str, Counts]:
        """Return the file's counts; a missing or damaged file has none."""
        try:
            with path.open("rb") as file:
                text = file.read(_MAX_BYTES + 1)
            body = json.loads(text) if len(text) <= _MAX_BYTES else {}
            return {name: {key: _count(*pair) for key, pair in table.items()} for name, table in body.items()}
        except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return {}

    def _write(self, path: Path, text: bytes) -> None:
        try:
            replace_atomically(path, [text])
        except OSError as error:
            log.error("%s: %s; failed sign-ins are counted in this worker only", path, error.strerror)


def _key(address: str, client: str) -> str:
    network = client_network(address)
    return f"{network} {client}" if client else network


def _merged(mine: Counts, theirs: Counts, now: float, limit: int) -> Counts:
    """Return the later count of each key, or the file's if the times are equal, keeping the latest `limit`.

    Times in the future, from a clock change or a damaged file, become now.
    """
    newer = {key: count for key, count in mine.items() if key not in theirs or count.moment > theirs[key].moment}
    counts = {key: Count(number, min(moment, now)) for key, (number, moment) in {**theirs, **newer}.items()}
    return dict(sorted(counts.items(), key=lambda item: item[1].moment)[-limit:])


def _count(number: float, moment: float) -> Count:
    if not (math.isfinite(number) and math.isfinite(moment)):
        raise ValueError("a count must be finite")
    return Count(max(number, 0), moment)


def _wait_after(failures: float) -> float:
    return min(2.0 ** min(failures - FREE, 9), MAX_WAIT) if failures >= FREE else 0.0
