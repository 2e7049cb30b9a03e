"""Databases for the benchmarks, on a PostgreSQL server of their own that writes to the disk as usual."""

import atexit
import json
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from app import create_app
from bench.directory import Directory
from storage.base import Index
from storage.engine.snapshot import Row, Snapshot
from storage.memory import MemoryStore
from storage.postgres.keys import as_bytes
from storage.postgres_store import PostgresStore
from tests.support.postgres import Server, conninfo_url

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
_numbers = count(1)


@cache
def server() -> Any:
    """Return the server of the load benchmark; the first call starts it."""
    started = Server(**SETTINGS)
    atexit.register(started.close)
    return started


def fresh(directory: Directory) -> str:
    """Return the URL of a new database with a directory."""
    template, name = _template(directory.size, directory.snapshot), f"run{next(_numbers)}"
    server().execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    server().execute("CHECKPOINT")
    url: str = conninfo_url(server().url(), name)
    return url


@cache
def _template(size: int, snapshot: Path) -> str:
    name = f"template{size}"
    indexes = create_app({}, store=MemoryStore()).extensions["tinyscim"].indexes.all
    rows = (row for row, _ in Snapshot(snapshot).documents())
    make(server().url(), name, rows, indexes)
    return name


def make(url: str, name: str, rows: Iterable[Row], indexes: Iterable[Index]) -> str:
    """Make a database with these documents, and return its URL; the store builds its indexes."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    made: str = conninfo_url(url, name)
    store = PostgresStore(made)
    store.open([])
    store.close()
    _fill(made, rows)
    store.open(indexes)
    store.close()
    with psycopg.connect(made, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    return made


def _fill(url: str, rows: Iterable[Row]) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY tinyscim.documents (kind, position, id, version, document) FROM STDIN") as copy:
            last = dict(_copied(copy, rows))
        kinds = [(as_bytes(kind), position, position) for kind, position in last.items()]
        cursor.executemany("INSERT INTO tinyscim.kinds (kind, last, count) VALUES (%s, %s, %s)", kinds)


def _copied(copy: psycopg.Copy, rows: Iterable[Row]) -> Iterator[tuple[str, int]]:
    """Copy rows, and yield the kind and position of each."""
    for row in rows:
        id = json.loads(row.data)["id"]
        copy.write_row((as_bytes(row.kind), row.position, as_bytes(id), 1, row.data.decode()))
        yield row.kind, row.position
