"""The PostgreSQL store: one database, shared by the processes of any number of hosts."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from random import randint

import psycopg

from storage.base import NOTHING, Busy, Index, Retention, Unavailable
from storage.postgres.building import declare, declared
from storage.postgres.checking import Check, mend
from storage.postgres.connections import Connection, Connections, commit
from storage.postgres.keys import DeclaredIndexes
from storage.postgres.log import Pruning
from storage.postgres.migration import maintaining, migrate
from storage.postgres.reader import PostgresReader
from storage.postgres.state import PostgresState
from storage.postgres.writer import PostgresWriter

# Each is one round trip.
READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT version, indexes FROM tinyscim.store"
# The row of the store is locked until the end of the transaction. The version rises by a random number, so that a
# standby that lost commits when it was promoted does not give their versions to others.
WRITE = """
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL idle_in_transaction_session_timeout = '10s';
UPDATE tinyscim.store SET version = version + {rise} RETURNING version, indexes
"""
MOST = 1 << 24  # that the version rises by


class PostgresStore:
    """Keeps documents in a PostgreSQL database. `size` is how many connections one process has at most.

    `retention` is that of the log.
    """

    def __init__(self, url: str, size: int = 5, retention: Retention = NOTHING) -> None:
        self._connections = Connections(url, size)
        self._pruning = Pruning(retention)
        self._indexes: DeclaredIndexes | None = None
        self._version: int = 0

    def open(self, indexes: Iterable[Index]) -> None:
        """Apply missing migrations and build missing indexes. Raises Unavailable, StoreError."""
        if self._indexes is None:
            with maintaining(self._connections) as connection:
                migrate(connection)
                found = declare(connection, indexes)
            self._connections.open()
            self._indexes = found

    def attach(self, indexes: Iterable[Index]) -> None:
        """Open the store for a command, which changes nothing for the service. Raises Unavailable, StoreError."""
        with maintaining(self._connections) as connection:
            migrate(connection)
            self._indexes = declared(connection, indexes)
        self._connections.open()

    def check(self, indexes: Iterable[Index]) -> Check:
        """Compare the entries of the indexes with the documents. Raises Unavailable, StoreError."""
        with maintaining(self._connections) as connection:
            migrate(connection)
            return Check(connection, declared(connection, indexes))

    def repair(self, indexes: Iterable[Index]) -> None:
        """Build all indexes again; processes that have the store open must open it again. Raises Unavailable."""
        with maintaining(self._connections) as connection:
            migrate(connection)
            mend(connection, indexes)

    def close(self) -> None:
        """Close the connections; the store can be opened again."""
        self._connections.close()
        self._indexes = None

    @property
    def read_only(self) -> str:
        """Return why the server refuses writes, or an empty text."""
        return self._connections.read_only

    @contextmanager
    def reading(self) -> Iterator[PostgresReader]:
        """Open a reader of the newest version, which takes no lock."""
        with self._connections.begun(READ) as (connection, (version, stamp)):
            number = int(version)
            yield PostgresReader(connection, self._current(stamp), number, self._shared(number))
            self._connections.end_reading(connection)

    @contextmanager
    def writing(self) -> Iterator[PostgresWriter]:
        """Open the one writer of all hosts: all its changes are kept or none. Raises Unavailable."""
        rise = randint(1, MOST)  # noqa: S311  # not for a secret
        with self._connections.begun(WRITE.format(rise=rise)) as (connection, (version, stamp)):
            writer = PostgresWriter(connection, self._current(stamp), int(version) - rise, int(version))
            yield writer
            if writer.changed:
                self._pruning.prune(connection)
                commit(connection)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[Callable[[], bool]]:
        """Hold an advisory lock of this name in a connection of its own. Raises Busy, Unavailable."""
        with self._connections.own() as connection:
            key = int.from_bytes(sha256(f"tinyscim {name}".encode()).digest()[:8], signed=True)
            if connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() != (True,):
                raise Busy(name)
            try:
                yield lambda: _works(connection)
            finally:
                with suppress(psycopg.Error):  # the end of a session releases it as well, but a moment later
                    connection.execute("SELECT pg_advisory_unlock(%s)", [key])

    def state(self, name: str) -> PostgresState:
        """Return the object of a name."""
        return PostgresState(self._connections, name)

    def _current(self, stamp: str) -> DeclaredIndexes:
        """Return the indexes. Raises Unavailable if the entries are no longer those of this process's indexes."""
        if self._indexes is None:
            raise RuntimeError("the store is not open")
        if stamp != self._indexes.stamp:
            raise Unavailable("a process with another configuration changed the store's indexes: restart this one")
        return self._indexes

    def _shared(self, version: int) -> object:
        """Return the same object for the same version."""
        latest = self._version
        if latest != version:
            latest = self._version = version
        return latest


def _works(connection: Connection) -> bool:
    """Return whether the server still has the session of a connection, and so its locks."""
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
