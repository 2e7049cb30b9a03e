"""Measures what the store costs at its interface: `python -m bench.store`."""

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from bench import people
from bench.people import GROUPS, INDEXES, membership, user, user_id
from bench.report import table
from storage.base import Document, StoredDocument
from storage.engine.snapshot import Meta, Row, save
from storage.tinydb_store import TinyDBStore

NEW = 10_000_000  # users with this number and above are new
Operation = Callable[[TinyDBStore, int], object]


def main() -> None:
    """Measure, and print tables."""
    options = _options()
    with TemporaryDirectory(dir=options.folder) as folder:
        paths = {size: Path(folder) / str(size) / "data.json" for size in options.sizes}
        print_start(Path(folder), options.sizes)
        for size, path in paths.items():
            make(path, people.users(size), people.members(size))
        for durability in ("os", "fsync"):
            print_costs(paths, durability, options.rounds)
        print_members(paths[max(paths)], options.rounds)
        print_compaction(paths[max(paths)])


def print_start(folder: Path, sizes: list[int]) -> None:
    """Print how long a process takes to open the store, and how much memory it then has."""
    lines = []
    for size in sizes:
        for name, more in (("users", iter(())), ("users and members", people.members(size))):
            path = make(folder / f"{size} {name}" / "data.json", people.users(size), more)
            lines.append([f"{size} {name}", *_start(path)])
    table(["documents", "start s", "of it CPU s", "memory MB"], lines)


def make(path: Path, *rows: Iterable[Row]) -> Path:
    """Write a data file for the measurements."""
    path.parent.mkdir()
    save(path, chain(*rows), Meta())
    return path


def print_costs(paths: dict[int, Path], durability: str, rounds: int) -> None:
    """Print the median time of each operation at each size, in microseconds."""
    stores = {size: opened(path, durability) for size, path in paths.items()}
    print(f"\ndurability {durability!r}, microseconds")
    lines = []
    for name, operation, times in operations(rounds):
        found = measure(operation, stores, times)
        lines.append([name, *found, f"{found[-1] / found[0]:.2f}"])
    table(["operation", *map(str, paths), "ratio"], lines)
    for store in stores.values():
        store.close()


def operations(rounds: int) -> list[tuple[str, Operation, int]]:
    """Return the measurements: a name, the nth operation, and the number of operations."""
    return [
        ("create", lambda store, n: write(store, "insert", user(NEW + n)), rounds),
        ("get", lambda store, n: get(store, user_id(n % 1000)), rounds),
        ("match by userName", lambda store, n: lookup(store, n % 1000), rounds),
        ("replace", lambda store, n: write(store, "replace", user(n % 1000) | {"title": str(n)}), rounds),
        ("page of 100 at an offset", page_at, rounds),
        ("page of 100 after a position", page_after, rounds),
        ("delete", lambda store, n: delete(store, user(NEW + n)["id"]), rounds),
        ("scan with a predicate", lambda store, n: scan(store), 5),
    ]


def print_members(path: Path, rounds: int) -> None:
    """Print the cost of adding and removing a member, by size of the group."""
    for durability in ("os", "fsync"):
        store = opened(path, durability)
        print(f"\ndurability {durability!r}, microseconds, by size of the group")
        table(["operation", *map(str, GROUPS), "ratio"], _members(store, rounds))
        store.close()


def _members(store: TinyDBStore, rounds: int) -> Iterator[list[object]]:
    for name, operation, times in (
        ("add a member", add, rounds),
        ("remove a member", remove, rounds),
        ("read all members", members, 10),
    ):
        found = measure_by(partial(operation, store), GROUPS, times)
        yield [name, *found, f"{found[-1] / found[0]:.2f}"]


def print_compaction(path: Path) -> None:
    """Print how long other requests wait while the store is compacted."""
    store = opened(path, "os")
    for number in range(10_000):
        write(store, "replace", user(number % 1000) | {"title": "changed"})
    store.close()
    store = opened(path, "fsync")
    calm = _longest(store, threading.Event(), seconds=2)
    done = threading.Event()

    def compact() -> None:
        store.compact()
        done.set()

    began = perf_counter()
    compacting = threading.Thread(target=compact)
    compacting.start()
    longest = _longest(store, done)
    compacting.join()
    print("\ncompaction")
    lines = [
        ["compaction, s", perf_counter() - began],
        ["longest read or write meanwhile, ms", longest * 1e3],
        ["longest read or write in 2 calm seconds, ms", calm * 1e3],
    ]
    table(["", str(path.parent.name)], lines)
    store.close()


def measure(operation: Operation, stores: dict[int, TinyDBStore], times: int) -> list[float]:
    """Return the median microseconds in each store."""
    return measure_by(lambda size, n: operation(stores[size], n), stores, times)


def measure_by(operation: Callable[[int, int], object], sizes: Iterable[int], times: int) -> list[float]:
    """Return the median microseconds at each size, measured in turns, so that a busy moment affects all sizes."""
    took: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(times):
        for size, results in took.items():
            began = perf_counter()
            operation(size, number)
            results.append(perf_counter() - began)
    return [median(results) * 1e6 for results in took.values()]


def write(store: TinyDBStore, verb: str, document: dict[str, object]) -> None:
    """Insert or replace a user."""
    with store.writing() as tx:
        getattr(tx, verb)("User", document)


def delete(store: TinyDBStore, id: str) -> None:
    """Delete a user."""
    with store.writing() as tx:
        tx.delete("User", id)


def documents(found: Iterable[StoredDocument]) -> list[Document]:
    """Decode documents."""
    return [stored.data for stored in found]


def get(store: TinyDBStore, id: str) -> object:
    """Return a user."""
    with store.reading() as reader:
        found = reader.get("User", id)
        return found and found.data


def lookup(store: TinyDBStore, number: int) -> object:
    """Return the users with this name."""
    with store.reading() as reader:
        return documents(reader.lookup("User", "userName", f"user{number}@contoso.onmicrosoft.com"))


def page_at(store: TinyDBStore, number: int) -> object:
    """Return a page at a random offset."""
    with store.reading() as reader:
        return documents(reader.scan("User", offset=Random(number).randrange(reader.count("User") - 100), limit=100))


def page_after(store: TinyDBStore, number: int) -> object:
    """Return a page after a random position."""
    with store.reading() as reader:
        return documents(reader.scan("User", after=Random(number).randrange(reader.count("User") - 100), limit=100))


def scan(store: TinyDBStore) -> object:
    """Count the users that no index finds."""
    with store.reading() as reader:
        return sum(1 for stored in reader.scan("User") if "99" in stored.data["phoneNumbers"][0]["value"])


def add(store: TinyDBStore, size: int, number: int) -> None:
    """Add a member to the group of this size."""
    with store.writing() as tx:
        tx.insert("Membership", membership(f"group{size}", f"new{number}"))


def remove(store: TinyDBStore, size: int, number: int) -> None:
    """Remove a member from the group of this size."""
    with store.writing() as tx:
        tx.delete("Membership", f"group{size}.new{number}")


def members(store: TinyDBStore, size: int, number: int) -> object:
    """Read all memberships of the group of this size."""
    with store.reading() as reader:
        return sum(1 for stored in reader.lookup("Membership", "group", f"group{size}") if stored.data)


def opened(path: Path, durability: str) -> TinyDBStore:
    """Return an open store that does not compact automatically."""
    store = TinyDBStore(path, durability="os" if durability == "os" else "fsync", compact_after=1 << 40)
    store.open(INDEXES)
    return store


def _start(path: Path) -> list[float]:
    opened(path, "os").close()
    code = f"from bench.store import _report_start as report; report({str(path)!r})"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603
    return [float(figure) for figure in found.stdout.split()]


def _report_start(path: str) -> None:
    began, worked = perf_counter(), process_time()
    store = opened(Path(path), "os")
    seconds, work = perf_counter() - began, process_time() - worked
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(seconds, work, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    store.close()


def _longest(store: TinyDBStore, done: threading.Event, seconds: float = 60) -> float:
    longest, number, until = 0.0, 0, perf_counter() + seconds
    while not done.is_set() and perf_counter() < until:
        for operation in (page_at, lambda store, n: write(store, "replace", user(n % 1000))):
            began = perf_counter()
            operation(store, number)
            longest = max(longest, perf_counter() - began)
        number += 1
    return longest


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=500, help="how often each operation is measured")
    parser.add_argument("--folder", type=Path, help="where to keep the files, to measure its disk")
    return parser.parse_args()


if __name__ == "__main__":
    main()
