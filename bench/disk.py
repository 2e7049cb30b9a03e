"""What the disk costs the store, and how many writes share an fsync: `python -m bench.disk`."""

import argparse
import os
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

from bench.people import user
from bench.report import table
from bench.store import NEW, opened, write
from storage.tinydb_store import TinyDBStore

SECONDS = 5  # of writing to a slow disk


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500, help="how often each operation is measured")
    parser.add_argument("--folder", type=Path, help="where to keep the files, to measure its disk")
    parser.add_argument("--fsync-milliseconds", type=float, default=5, help="how long an fsync of a slow disk takes")
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.folder) as folder:
        print_disk(Path(folder), options.rounds)
        print_slow_disk(Path(folder), options.fsync_milliseconds)


def print_disk(folder: Path, rounds: int) -> None:
    """Print the disk's own cost for the same bytes, and how threads share it."""
    alone = median(_fsyncs(folder / "raw", rounds))
    store = opened(folder / "disk" / "data.json", "fsync")
    one = _threads(store, 1, rounds)
    eight = _threads(store, 8, rounds)
    store.close()
    print("\nthe disk")
    lines = [
        ["write and fsync 1 KB, microseconds", alone * 1e6],
        ["create, one thread, microseconds", one * 1e6],
        ["creates a second, one thread", 1 / one],
        ["creates a second, eight threads", 1 / eight],
    ]
    table(["", "median"], lines)


def print_slow_disk(folder: Path, milliseconds: float) -> None:
    """Print how many durable writes six clients of two processes get from a disk whose fsync takes so long."""
    path = folder / "slow" / "data.json"
    opened(path, "fsync").close()
    with ProcessPoolExecutor(2) as processes:
        counts = processes.map(_slow_writes, [path] * 2, [1, 2], [milliseconds] * 2)
    print(f"\nfsync of {milliseconds} ms, six clients of two processes")
    table(["", ""], [["durable writes a second", sum(counts) / SECONDS]])


def _slow_writes(path: Path, process: int, milliseconds: float) -> int:
    """Return how often three threads have written."""

    def fdatasync(fd: Any) -> None:
        sleep(milliseconds / 1e3)

    os.fdatasync = fdatasync  # in this process, which ends with the measurement
    store, until = opened(path, "fsync"), perf_counter() + SECONDS

    def client(thread: int) -> int:
        for number in count():
            if perf_counter() > until:
                return number
            write(store, "insert", user(NEW * (3 * process + thread) + number))
        raise AssertionError

    with ThreadPoolExecutor(3) as threads:
        return sum(threads.map(client, range(3)))


def _fsyncs(path: Path, times: int) -> list[float]:
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            began = perf_counter()
            file.write(b"x" * 1024)
            os.fsync(file.fileno())
            took.append(perf_counter() - began)
    return took


def _threads(store: TinyDBStore, threads: int, rounds: int) -> float:
    """Return the seconds per create when this many threads create at the same time."""

    def create(thread: int) -> None:
        for number in range(rounds):
            write(store, "insert", user(NEW * (threads + thread) + number))

    running = [threading.Thread(target=create, args=(thread,)) for thread in range(threads)]
    began = perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return (perf_counter() - began) / rounds / threads


if __name__ == "__main__":
    main()
