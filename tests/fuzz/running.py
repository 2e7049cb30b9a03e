"""Sends lots of requests in several processes, and reports the outcomes."""

import logging
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tests.fuzz.mutation import make_request, to_bytes
from tests.fuzz.samples import Request
from tests.fuzz.service import WriteResult, serving

LOT = 500
MOST = 0.5  # seconds of CPU that a request may take
SHOWN = 20  # failures
SLOWEST = 10  # requests that are shown although they did not fail
ALLOWED = (501,)  # SCIM has the endpoint, and the service says that it does not


class Told(NamedTuple):
    """A request for the report."""

    seconds: float
    number: int
    status: int
    text: str


@dataclass
class Result:
    """The outcomes of some requests. One that takes more than `most` seconds of CPU has failed."""

    most: float = MOST
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: list[Told] = field(default_factory=list)
    failures: list[Told] = field(default_factory=list)

    def note(self, number: int, request: Request, outcome: WriteResult) -> None:
        """Count a request, and keep it if it failed or was slow."""
        self.statuses[outcome.status] += 1
        why = reasons(outcome, self.most)
        if not why and len(self.slowest) == SLOWEST and outcome.seconds <= self.slowest[-1].seconds:
            return
        told = Told(outcome.seconds, number, outcome.status, described(request))
        self.slowest.append(told)
        self._shorten()
        if why:
            self.failures.append(told._replace(text=f"{'; '.join(why)}\n    {told.text}"))

    def add(self, other: "Result") -> None:
        """Add the outcomes of other requests."""
        self.statuses += other.statuses
        self.slowest += other.slowest
        self.failures += other.failures
        self._shorten()

    def _shorten(self) -> None:
        self.slowest = sorted(self.slowest, reverse=True)[:SLOWEST]


def reasons(outcome: WriteResult, most: float = MOST) -> list[str]:
    """Return why a request failed, if it did."""
    why = [f"status {outcome.status}"] if outcome.status >= 500 and outcome.status not in ALLOWED else []
    why += [f"{outcome.seconds:.2f} s of CPU"] if outcome.seconds > most or not outcome.status else []
    return why + [f"logged: {one}" for one in outcome.errors]


def described(request: Request) -> str:
    """Return a request in a line."""
    body = to_bytes(request.body)
    headers = "".join(f" {name}: {value[:60]!r}" for name, value in request.headers.items())
    return f"{request.method} {f'{request.path}?{request.query}'[:200]!r}{headers} {len(body)} bytes: {body[:200]!r}"


def run_lot(seed: int, lot: int, first: int, last: int, most: float) -> Result:
    """Send the requests of a lot from its first to one before the last."""
    result = Result(most)
    logging.getLogger("tinyscim").propagate = False
    logging.getLogger("tinyscim").addHandler(logging.NullHandler())
    with serving(lot) as service:
        for number in range(first, last):
            chance = Random(f"{seed}:{number}")
            request = make_request(chance)
            result.note(number, request, service.ask(request, chance))
    return result


def run(seed: int, requests: int, processes: int, *, most: float = MOST, progress: bool = True) -> Result:
    """Send that many requests, in lots that the processes share."""
    result, started = Result(most), time.monotonic()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        lots = [
            pool.submit(run_lot, seed, lot, first, min(first + LOT, requests), most)
            for lot, first in enumerate(range(0, requests, LOT))
        ]
        for finished in as_completed(lots):
            result.add(finished.result())
            done = result.statuses.total()
            if progress:
                rate = done / (time.monotonic() - started)
                say(
                    f"\r{done:,} of {requests:,} requests, {rate:,.0f} a second, {len(result.failures)} failed ", end=""
                )
    if progress:
        say("")
    return result


def run_only(seed: int, number: int) -> int:
    """Send one request, after those of its lot that came before it, and show it whole."""
    lot, place = divmod(number, LOT)
    with serving(lot) as service:
        for before in range(lot * LOT, number):
            chance = Random(f"{seed}:{before}")
            service.ask(make_request(chance), chance)
        chance = Random(f"{seed}:{number}")
        request = make_request(chance)
        say(f"request {place + 1} of lot {lot}: {described(request)}\n\n{to_bytes(request.body)[:5_000]!r}\n")
        outcome = service.ask(request, chance)
    say(f"{outcome.status} after {outcome.seconds:.3f} s of CPU: {outcome.answer}")
    say("\n".join(reasons(outcome)))
    return int(bool(reasons(outcome)))


def report(result: Result, seed: int) -> Iterable[str]:
    """Yield the lines of the report."""
    yield "by status: " + ", ".join(f"{status}: {count:,}" for status, count in sorted(result.statuses.items()))
    yield "slowest, in seconds of CPU:"
    for told in result.slowest:
        yield f"  {told.seconds:.3f} {told.status} {told.text[:250]}  (ONLY={told.number})"
    for told in sorted(result.failures, key=lambda one: one.number)[:SHOWN]:
        yield f"FAILED: make fuzz SEED={seed} ONLY={told.number}\n    {told.text}"
    if len(result.failures) > SHOWN:
        yield f"... and {len(result.failures) - SHOWN} more"


def say(text: str, end: str = "\n") -> None:
    """Print at once, also where the output is not a terminal."""
    sys.stdout.write(text + end)
    sys.stdout.flush()
