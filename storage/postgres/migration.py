"""Creates and changes the tables: each file NNNN-name.sql beside this module is applied once, in order."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import errors

from storage.base import StoreError, Unavailable
from storage.postgres.connections import Connection, Connections

LOCK = 0x54494E595343494D  # "TINYSCIM"; of the advisory lock that one process holds while it changes tables or indexes
FILES = sorted(Path(__file__).parent.glob("*.sql"))


@contextmanager
def maintaining(connections: Connections) -> Iterator[Connection]:
    """Give a connection of its own, without timeouts, to the one process that changes tables or indexes now.

    Raises Unavailable if another process takes longer over that than the timeout of a lock.
    """
    with connections.own() as connection:
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        except errors.LockNotAvailable:
            raise Unavailable("another process is changing the database's tables or indexes: wait for it") from None
        connection.patience = math.inf
        connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        yield connection


def migrate(connection: Connection) -> None:
    """Apply the migrations that are missing, all or none. Raises StoreError if the tables are of a newer version."""
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise StoreError("the database has another encoding than UTF8: create it with ENCODING 'UTF8'")
    applied = _applied(connection)
    names = [file.stem for file in FILES]
    if unknown := applied - set(names):
        raise StoreError(f"a newer version of Tinyscim changed the database ({max(unknown)}): install that version")
    if missing := [file for file in FILES if file.stem not in applied]:
        with connection.transaction():
            if not _exists(
                connection, "to_regnamespace('tinyscim')"
            ):  # otherwise its owner needs no right to create it
                connection.execute("CREATE SCHEMA tinyscim")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS tinyscim.migrations"
                " (name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
            )
            for file in missing:
                connection.execute(file.read_text(encoding="utf-8"), prepare=False)
                connection.execute("INSERT INTO tinyscim.migrations (name) VALUES (%s)", [file.stem])


def _applied(connection: Connection) -> set[str]:
    if not _exists(connection, "to_regclass('tinyscim.migrations')"):
        return set()
    return {name for (name,) in connection.execute("SELECT name FROM tinyscim.migrations")}


def _exists(connection: Connection, found: str) -> bool:
    return connection.execute(f"SELECT {found} IS NOT NULL").fetchone() == (True,)
