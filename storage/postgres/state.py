"""Small JSON objects beside the documents, each in a row that a change locks."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage.base import Document
from storage.engine.encoding import decode, encode
from storage.postgres.connections import Connections, commit
from storage.postgres.keys import as_bytes

READ = "BEGIN READ ONLY; SELECT 1"
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '10s'; SELECT 1"
GET = "SELECT value FROM tinyscim.states WHERE name = %s"
CREATE = "INSERT INTO tinyscim.states (name, value) VALUES (%s, '{}') ON CONFLICT DO NOTHING"
LOCK = f"{GET} FOR UPDATE"
PUT = "UPDATE tinyscim.states SET value = %s WHERE name = %s"


class PostgresState:
    """The object of a name."""

    def __init__(self, connections: Connections, name: str) -> None:
        self._connections, self._name = connections, as_bytes(name)

    def read(self) -> Document:
        """Return the object, which is empty at first. Raises Unavailable."""
        with self._connections.begun(READ) as (connection, _):
            row = connection.execute(GET, [self._name], binary=True).fetchone()
            self._connections.end_reading(connection)
            return decode(row[0]) if row else {}

    @contextmanager
    def changing(self) -> Iterator[Document]:
        """Yield a copy that replaces the object unless there is an exception. Raises Unavailable."""
        with self._connections.begun(WRITE) as (connection, _):
            connection.execute(CREATE, [self._name])
            ((data,),) = connection.execute(LOCK, [self._name], binary=True)
            value = decode(data)
            yield value
            connection.execute(PUT, [encode(value).decode(), self._name])
            commit(connection)
