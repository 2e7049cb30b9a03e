"""Runs wrk against a running target."""

import shutil
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.directory import Directory
from bench.servers import Server

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 8
WARMED = 10_000  # users that a second of warming up covers
PAGED = 5_000  # the same for pages, which then cover nearly all users in each worker
ATTEMPTS = 10  # runs until the connections are spread over the workers
FAIR = 0.6  # the least busy worker's CPU as a share of the busiest one's
PATIENCE = 8  # extra seconds if there is no response in the usual time
UNANSWERED = "no response came in time"
_numbers = count(1)


@dataclass(frozen=True)
class Run:
    """The result of a run; `void` is the reason why it does not count."""

    rate: float = 0.0
    p50: float = 0.0  # milliseconds, as p99
    p99: float = 0.0
    cpu: tuple[float, ...] = ()
    void: str = ""


def require() -> None:
    """End the process if wrk is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing. On Debian and Ubuntu: apt-get install wrk")


def measure(server: Server, load: str, directory: Directory, seconds: int) -> Run:
    """Warm up, checking every response, and measure until each worker had its share.

    With few users, a second of warming up is enough.
    """
    folder = directory.folder
    warm_up = max(directory.size // (PAGED if load == "page" else WARMED), 1)
    warm = _answered(server, load, folder, warm_up, strict=True)
    if warm.void:
        return warm
    for _ in range(ATTEMPTS):
        found = _answered(server, load, folder, seconds)
        if found.void or min(found.cpu) >= FAIR * max(found.cpu):
            return found
    return Run(void="the connections were not spread over the workers")


def _answered(server: Server, load: str, folder: Path, seconds: int, *, strict: bool = False) -> Run:
    """Run once. If the time ends before the first response, run again for longer."""
    server.settle()
    found = _run(server, load, folder, seconds, strict=strict)
    if found.void != UNANSWERED:
        return found
    server.settle()
    return _run(server, load, folder, seconds + PATIENCE, strict=strict)


def _run(server: Server, load: str, folder: Path, seconds: int, *, strict: bool = False) -> Run:
    before = server.cpu()
    first = str(next(_numbers) * 1_000_000)
    arguments = [load, str(folder), server.prefix, server.token, first, "strict" if strict else ""]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
    url = f"http://127.0.0.1:{server.port}"
    done = subprocess.run([*command, url, "--", *arguments], capture_output=True, text=True, timeout=seconds + 30)  # noqa: S603
    after = server.cpu()
    if before.keys() != after.keys():
        return Run(void="a worker was replaced")
    return _parse(done.stdout, done.stderr, tuple((after[pid] - before[pid]) / seconds for pid in sorted(after)))


def _parse(output: str, errors: str, cpu: tuple[float, ...]) -> Run:
    lines = dict(line.split("\t", 1) for line in output.splitlines() if "\t" in line)
    if "result" not in lines:
        return Run(void=f"wrk failed: {errors.strip()[-300:]}")
    requests, microseconds, p50, p99, refused, lost = map(float, lines["result"].split("\t"))
    if not (requests or refused or lost):
        return Run(void=UNANSWERED)
    if refused or lost:
        why = f"{refused:.0f} failed or wrong responses, {lost:.0f} lost connections"
        return Run(void=f"{why}. {lines['sample'][:300]}".strip())
    return Run(requests / microseconds * 1e6, p50 / 1e3, p99 / 1e3, cpu)
