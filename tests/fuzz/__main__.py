"""Sends mutated requests to the service: `python -m tests.fuzz --requests 200000`, or `make fuzz`.

No request may be answered with a 5xx, log an error, or take more than half a second of CPU. Requests come in lots, each
with a service of its own, and follow from the seed and their numbers alone: `--seed S --only N` sends request N after
those of its lot that came before it.
"""

import argparse
import logging
import secrets
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
from tests.fuzz.service import Outcome, serving

LOT = 250
MOST = 0.5  # seconds of CPU
SHOWN = 20
ALLOWED = (501,)  # SCIM has the endpoint, and the service says that it does not


class Told(NamedTuple):
    """A request that is worth telling of."""

    seconds: float
    number: int
    status: int
    text: str


@dataclass
class Result:
    """What came of some requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest: list[Told] = field(default_factory=list)
    failures: list[Told] = field(default_factory=list)

    def note(self, number: int, request: Request, outcome: Outcome) -> None:
        """Count a request, and keep it if it failed or was slow."""
        self.statuses[outcome.status] += 1
        told = Told(outcome.seconds, number, outcome.status, described(request))
        self.slowest.append(told)
        self._shorten()
        why = reasons(outcome)
        if why:
            self.failures.append(told._replace(text=f"{'; '.join(why)}\n    {told.text}"))

    def add(self, other: "Result") -> None:
        """Count what came of others."""
        self.statuses += other.statuses
        self.slowest += other.slowest
        self.failures += other.failures
        self._shorten()

    def _shorten(self) -> None:
        self.slowest = sorted(self.slowest, reverse=True)[:10]


def reasons(outcome: Outcome) -> list[str]:
    """Return why a request failed, if it did."""
    why = [f"status {outcome.status}"] if outcome.status >= 500 and outcome.status not in ALLOWED else []
    why += [f"{outcome.seconds:.2f} s of CPU"] if outcome.seconds > MOST else []
    return why + [f"logged: {one}" for one in outcome.errors]


def described(request: Request) -> str:
    """Return a request in a line."""
    body = to_bytes(request.body)
    headers = "".join(f" {name}: {value[:60]!r}" for name, value in request.headers.items())
    return f"{request.method} {f'{request.path}?{request.query}'[:200]!r}{headers} {len(body)} bytes: {body[:200]!r}"


def run_lot(seed: int, lot: int, first: int, last: int) -> Result:
    """Send the requests of a lot from its first to one before the last."""
    result = Result()
    logging.getLogger("tinyscim").propagate = False
    logging.getLogger("tinyscim").addHandler(logging.NullHandler())
    with serving(lot) as service:
        for number in range(first, last):
            chance = Random(f"{seed}:{number}")
            request = make_request(chance)
            result.note(number, request, service.ask(request, chance))
    return result


def run(seed: int, requests: int, processes: int, *, progress: bool = True) -> Result:
    """Send that many requests, in lots that the processes share."""
    result, started, done = Result(), time.monotonic(), 0
    with ProcessPoolExecutor(processes) as pool:
        lots = [
            pool.submit(run_lot, seed, lot, first, min(first + LOT, requests))
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


def main() -> int:
    """Send requests, and say what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=None, help="what the requests follow from; printed if left out")
    parser.add_argument("--only", type=int, help="send this request alone, after those of its lot before it")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    if options.only is not None:
        return run_only(seed, options.only)
    say(f"seed {seed}, {options.requests:,} requests")
    started = time.monotonic()
    result = run(seed, options.requests, options.processes)
    say("\n".join(report(result, seed)))
    say(f"{options.requests:,} requests in {time.monotonic() - started:.0f} s: {len(result.failures)} failed")
    return int(bool(result.failures))


def report(result: Result, seed: int) -> Iterable[str]:
    """Yield the lines that say what came of the requests."""
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


if __name__ == "__main__":
    sys.exit(main())
