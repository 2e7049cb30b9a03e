"""Slows down guessing of the password: each failure makes the next attempt wait longer, whichever worker it meets."""

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
from panel.networks import client_network

FREE = 4  # failures that cost no waiting: people mistype
LONGEST = 300.0  # seconds
FORGOTTEN_AFTER = 3600.0
# What all networks may try together, except those from which the right password came lately.
STRANGERS_FREE = 100
STRANGERS_PAUSE = 6.0  # seconds for each further attempt
KNOWN_FOR = 30 * 86_400.0
_ADDRESSES = 2048
_KNOWN = 64
_MAX_BYTES = 1_000_000
_PATIENCE = 0.5  # seconds to wait for another worker

log = logging.getLogger("tinyscim.panel")


class Count(NamedTuple):
    """A number, and the time of its last change."""

    number: float
    moment: float


Counts = dict[str, Count]


class Throttle:
    """Counts failures by network, together for all workers where they share a file.

    A network that has to wait must wait with the right password too: what came before it cannot be told from guesses
    by others there. Other networks do not wait for it. Strangers share one more count, so that guessing from many
    networks gains nothing; a network from which the right password came within 30 days is not a stranger.
    """

    def __init__(self, clock: Callable[[], float] = time.time, path: Path | None = None) -> None:
        self._clock, self._path = clock, path
        self._failures: Counts = {}
        self._known: Counts = {}  # by network, the time of the last right password
        self._strangers: Counts = {}  # one count, under ""
        self._lock = Lock()

    def attempt(self, address: str) -> float:
        """Return for how many seconds the address must wait; if for none, count this attempt as a failure.

        Counting comes before checking the password, so that attempts at the same time are not free.
        """
        network = client_network(address)
        with self._shared() as now:
            wait = self._due(network, now)
            if not wait:
                self._failures[network] = Count(self._number(network, now) + 1, now)
                self._strangers[""] = Count(self._level(now) + (network not in self._known), now)
        return wait

    def left(self, address: str) -> float:
        """Return for how many seconds the address must still wait, without counting a failure."""
        with self._shared() as now:
            return self._due(client_network(address), now)

    def forgive(self, address: str) -> None:
        """Forget the failures of an address that knew the password, and know its network from now on."""
        network = client_network(address)
        with self._shared() as now:
            if network not in self._known:
                self._strangers[""] = Count(max(self._level(now) - 1, 0.0), now)
            self._failures[network] = self._known[network] = Count(0, now)

    def _due(self, network: str, now: float) -> float:
        """Return for how many seconds a network must wait at this time."""
        moment = self._failures.get(network, Count(0, now)).moment
        wait = _wait(self._number(network, now)) - (now - moment)
        if network not in self._known:
            wait = max(wait, (self._level(now) + 1 - STRANGERS_FREE) * STRANGERS_PAUSE)
        return max(wait, 0.0)

    def _number(self, network: str, now: float) -> float:
        number, moment = self._failures.get(network, Count(0, now))
        return number if now - moment <= FORGOTTEN_AFTER else 0

    def _level(self, now: float) -> float:
        """Return how many attempts of strangers count at this time: one is forgotten with each pause."""
        number, moment = self._strangers.get("", Count(0, now))
        return max(number - (now - moment) / STRANGERS_PAUSE, 0.0)

    @contextmanager
    def _shared(self) -> Iterator[float]:
        """Hold what all workers have counted, at the time that is yielded; without the file, what this one has."""
        with self._lock, ExitStack() as held:
            path = self._path if self._path and self._is_locked(self._path, held) else None
            now, found = self._clock(), self._read(path) if path else {}
            self._take_over(found, now)
            yield now
            counts = {"failures": self._failures, "known": self._known, "strangers": self._strangers}
            if path and counts != found:
                self._write(path, json.dumps(counts).encode())

    def _is_locked(self, path: Path, held: ExitStack) -> bool:
        """Lock the file if that takes no long time."""
        end = time.monotonic() + _PATIENCE
        try:
            make_folder(path.parent)
            while True:
                try:
                    held.enter_context(locked(path.with_name(path.name + ".lock"), wait=False))
                    return True
                except Locked:
                    if time.monotonic() > end:
                        log.error("%s: locked for too long; this worker counts failed sign-ins alone", path)
                        return False
                    time.sleep(0.01)
        except OSError as error:
            log.error("%s: %s; this worker counts failed sign-ins alone", path, error.strerror)
            return False

    def _take_over(self, found: Mapping[str, Counts], now: float) -> None:
        """Merge what other workers have counted, and keep the latest of it."""
        self._failures = _merged(self._failures, found.get("failures", {}), now, _ADDRESSES)
        known = _merged(self._known, found.get("known", {}), now, _KNOWN)
        self._known = {network: count for network, count in known.items() if now - count.moment < KNOWN_FOR}
        self._strangers = _merged(self._strangers, found.get("strangers", {}), now, 1)

    def _read(self, path: Path) -> Mapping[str, Counts]:
        """Return what the file says; one that is missing or damaged says nothing."""
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
            log.error("%s: %s; this worker counts failed sign-ins alone", path, error.strerror)


def _merged(mine: Counts, theirs: Counts, now: float, most: int) -> Counts:
    """Return the later of two counts for each key, the file's if both are of one time; the latest ones, oldest first.

    A time in the future, which the clock has left behind or a damaged file has, becomes now.
    """
    newer = {key: count for key, count in mine.items() if key not in theirs or count.moment > theirs[key].moment}
    counts = {key: Count(number, min(moment, now)) for key, (number, moment) in {**theirs, **newer}.items()}
    return dict(sorted(counts.items(), key=lambda item: item[1].moment)[-most:])


def _count(number: float, moment: float) -> Count:
    if not (math.isfinite(number) and math.isfinite(moment)):
        raise ValueError("a count must be finite")
    return Count(max(number, 0), moment)


def _wait(failures: float) -> float:
    return min(2.0 ** min(failures - FREE, 9), LONGEST) if failures >= FREE else 0.0
