"""Shows where the time of a GET, a match and a PATCH goes, at the WSGI interface: `python -m bench.shares`.

A timer interrupts the process a thousand times a second and counts the innermost part of the program that was
running, so that code called by Flask counts for the application. Waiting for the disk is included.
"""

import argparse
import logging
import os
import signal
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from bench.latency import Operation, Service, get, match, patch
from bench.people import members, users
from bench.report import table
from storage.engine.snapshot import Meta, save

ROOT = str(Path(__file__).resolve().parent.parent) + os.sep
PACKAGES = ("werkzeug", "flask", "marshmallow", "json", "logging", "tempfile", "threading", "urllib")
OPERATIONS: dict[str, Operation] = {"GET": get, "match": match, "PATCH": patch}
EVERY = 0.001


def main() -> None:
    """Sample each operation, and print the shares of parts and of functions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    logging.getLogger("tinyscim").addHandler(logging.NullHandler())
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data.json"
        save(path, chain(users(options.users), members(options.users)), Meta())
        service = Service(options.users, path)
        for name, operation in OPERATIONS.items():
            _report(name, *_sample(service, operation, options.seconds))
        service.store.close()


def _sample(service: Service, operation: Operation, seconds: float) -> tuple[Counter[str], Counter[str], float]:
    """Repeat an operation, and return the samples by part and by function, and the microseconds per operation."""
    parts, functions = Counter[str](), Counter[str]()
    for n in range(200):
        operation(service, n)

    def note(_: int, frame: FrameType | None) -> None:
        parts[_part(frame)] += 1
        functions.update(_functions(frame))

    signal.signal(signal.SIGALRM, note)
    signal.setitimer(signal.ITIMER_REAL, EVERY, EVERY)
    start, times = time.perf_counter(), 200
    while time.perf_counter() < start + seconds:
        operation(service, times)
        times += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    return parts, functions, (time.perf_counter() - start) / (times - 200) * 1e6


def _part(frame: FrameType | None) -> str:
    """Return the part that was running: the project's file, the package, or Python's library."""
    while frame:
        path = frame.f_code.co_filename
        if path.startswith(ROOT) and "site-packages" not in path:
            return path.removeprefix(ROOT)
        found = next((part for part in PACKAGES if f"/{part}/" in path or path.endswith(f"/{part}.py")), "")
        if found:
            return found
        frame = frame.f_back
    return "other"


def _functions(frame: FrameType | None) -> set[str]:
    """Return the project's functions on the stack, each once."""
    found = set()
    while frame:
        path = frame.f_code.co_filename
        own = path.removeprefix(ROOT)
        if own != path and not own.startswith("bench/") and "site-packages" not in path:
            found.add(f"{own} {frame.f_code.co_qualname}")
        frame = frame.f_back
    return found


def _report(name: str, parts: Counter[str], functions: Counter[str], cost: float) -> None:
    total = parts.total()
    print(f"\n{name}: {cost:,.0f} microseconds\n")
    table(["at work", "share"], [[part, f"{number / total:.1%}"] for part, number in parts.most_common(14)])
    print()
    table(["within", "share"], [[one, f"{number / total:.1%}"] for one, number in functions.most_common(24)])


if __name__ == "__main__":
    main()
