"""Measures the PostgreSQL store beside the TinyDB store and a bare psycopg loop: `python -m bench.postgres`."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import psycopg

from bench import databases, people, store
from bench.people import GROUPS, INDEXES, user, user_id
from bench.report import table
from storage.base import Store
from storage.engine.encoding import dump
from storage.postgres.keys import as_bytes
from storage.postgres_store import PostgresStore
from storage.tinydb_store import TinyDBStore
from tests.support.postgres import conninfo_url, running

NAMES = ("TinyDB", "bare psycopg", "PostgreSQL")


@dataclass(frozen=True)
class Directory:
    """The same documents in a file and in a database, opened by both stores, and a bare connection."""

    tinydb: TinyDBStore
    connection: psycopg.Connection[Any]
    postgres: PostgresStore


def main() -> None:
    """Measure, and print tables."""
    options = _options()
    with TemporaryDirectory(dir=options.folder) as folder, running(**databases.SETTINGS) as server:
        paths = {size: Path(folder) / str(size) / "data.json" for size in options.sizes}
        directories = {size: _made(size, path, server.url()) for size, path in paths.items()}
        _print_version(directories[options.sizes[0]].connection)
        print_costs(directories, options.rounds)
        print_members(directories[max(directories)], options.rounds)
        print_memory(options.sizes, server.url())


def _made(size: int, path: Path, server: str) -> Directory:
    store.make(path, people.users(size), people.members(size))
    url = databases.make(server, f"bench{size}", chain(people.users(size), people.members(size)), INDEXES)
    postgres = PostgresStore(url)
    postgres.open(INDEXES)
    return Directory(store.opened(path, "fsync"), psycopg.connect(url, autocommit=True), postgres)


def print_costs(directories: dict[int, Directory], rounds: int) -> None:
    """Print the median time of each operation at each size, in microseconds."""
    print("\nmicroseconds, by number of users")
    sizes = list(directories)
    lines = []
    for name, operations, times in _operations(rounds):
        found = _measured(
            {(size, one): partial(operations[one], of) for size, of in directories.items() for one in NAMES}, times
        )
        for one in NAMES:
            took = [found[size, one] for size in sizes]
            lines.append([f"{name}, {one}", *took, f"{took[-1] / took[0]:.2f}"])
    table(["operation", *map(str, sizes), "ratio"], lines)


Operations = dict[str, Callable[[Directory, int], object]]


def _operations(rounds: int) -> list[tuple[str, Operations, int]]:
    """Return the measurements: a name, the nth operation of each kind, and the number of operations."""
    return [
        ("get", _each(lambda of, n: store.get(of, user_id(n % 1000)), bare_get), rounds),
        ("match by userName", _each(lambda of, n: store.lookup(of, n % 1000), bare_match), rounds),
        ("page of 100 after a position", _each(store.page_after, bare_page), rounds),
        ("replace", _each(lambda of, n: replace(of, n % 1000, n), bare_replace), rounds),
        ("create", _each(lambda of, n: store.write(of, "insert", user(store.NEW + n)), bare_create), rounds),
    ]


def _each(operation: Callable[[Any, int], object], bare: Callable[[Directory, int], object]) -> Operations:
    return {
        "TinyDB": lambda directory, n: operation(directory.tinydb, n),
        "bare psycopg": bare,
        "PostgreSQL": lambda directory, n: operation(directory.postgres, n),
    }


def _measured(operations: dict[Any, Callable[[int], object]], times: int) -> dict[Any, float]:
    """Return the median microseconds of each, measured in turns, so that a busy moment affects all of them."""
    took: dict[Any, list[float]] = {key: [] for key in operations}
    for number in range(times):
        for key, operation in operations.items():
            began = perf_counter()
            operation(number)
            took[key].append(perf_counter() - began)
    return {key: median(results) * 1e6 for key, results in took.items()}


def replace(of: Store, number: int, turn: int) -> None:
    """Read a user and write it with another title, in one transaction."""
    with of.writing() as tx:
        found = tx.get("User", user_id(number))
        assert found
        tx.replace("User", found.data | {"title": str(turn)})


GET = "SELECT document FROM tinyscim.documents WHERE kind = 'User' AND id = %s"
MATCH = """
SELECT document FROM tinyscim.documents JOIN tinyscim.entries USING (position)
WHERE kind = 'User' AND key = %s AND number = (
    SELECT number FROM tinyscim.indexes WHERE kind = 'User' AND name = 'userName'
)
"""
PAGE = "SELECT document FROM tinyscim.documents WHERE kind = 'User' AND position > %s ORDER BY position LIMIT 100"
UPDATE = "UPDATE tinyscim.documents SET document = %s WHERE kind = 'User' AND id = %s"
CREATE = """
WITH place AS (UPDATE tinyscim.kinds SET last = last + 1, count = count + 1 WHERE kind = 'User' RETURNING last)
INSERT INTO tinyscim.documents (kind, position, id, version, document) SELECT 'User', last, %s, 1, %s FROM place
"""
ENTRY = "INSERT INTO tinyscim.entries (number, key, position, is_unique) VALUES (0, %s, 0, false)"


def bare_get(of: Directory, number: int) -> object:
    """Read a document by its id."""
    return of.connection.execute(GET, [as_bytes(user_id(number % 1000))]).fetchone()


def bare_match(of: Directory, number: int) -> object:
    """Read a document by its userName."""
    return of.connection.execute(MATCH, [as_bytes(f"user{number % 1000}@contoso.onmicrosoft.com")]).fetchall()


def bare_page(of: Directory, number: int) -> object:
    """Read a page of documents."""
    return of.connection.execute(PAGE, [number % 900]).fetchall()


def bare_replace(of: Directory, number: int) -> None:
    """Read a document and write it, in one transaction."""
    id = as_bytes(user_id(number % 1000))
    with of.connection.transaction():
        ((document,),) = of.connection.execute(GET, [id]).fetchall()
        of.connection.execute(UPDATE, [document, id])


def bare_create(of: Directory, number: int) -> None:
    """Write a document and as many entries as a user has in indexes, in one transaction."""
    with of.connection.transaction():
        of.connection.execute(CREATE, [f"bare{number}".encode(), dump(user(number)).decode()])
        of.connection.cursor().executemany(ENTRY, [[f"bare{number} {entry}".encode()] for entry in range(5)])


def print_members(directory: Directory, rounds: int) -> None:
    """Print the cost of adding and removing a member, by size of the group."""
    print("\nmicroseconds, by size of the group")
    stores: dict[str, Any] = {"TinyDB": directory.tinydb, "PostgreSQL": directory.postgres}
    lines = []
    for verb, operation in (("add a member", store.add), ("remove a member", store.remove)):
        found = _measured(
            {(size, name): partial(operation, of, size) for size in GROUPS for name, of in stores.items()}, rounds
        )
        for name in stores:
            took = [found[size, name] for size in GROUPS]
            lines.append([f"{verb}, {name}", *took, f"{took[-1] / took[0]:.2f}"])
    table(["operation", *map(str, GROUPS), "ratio"], lines)


def print_memory(sizes: list[int], server: str) -> None:
    """Print how long a process takes to open the database, and its memory after reading 1,000 pages."""
    lines = []
    for size in sizes:
        code = f"from bench.postgres import _report as report; report({conninfo_url(server, f'bench{size}')!r})"
        found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603
        lines.append([size, *map(float, found.stdout.split())])
    print("\na process of the PostgreSQL store")
    table(["users", "open s", "memory MB after 1,000 pages"], lines)


def _report(url: str) -> None:
    began = perf_counter()
    opened = PostgresStore(url)
    opened.open(INDEXES)
    seconds = perf_counter() - began
    for number in range(1_000):
        store.page_after(opened, number)  # type: ignore[arg-type]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(seconds, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    opened.close()


def _print_version(connection: psycopg.Connection[Any]) -> None:
    print("PostgreSQL", connection.info.server_version // 10_000, "load average", *os.getloadavg())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--rounds", type=int, default=500, help="how often each operation is measured")
    parser.add_argument("--folder", type=Path, help="where to keep the files, to measure its disk")
    return parser.parse_args()


if __name__ == "__main__":
    main()
