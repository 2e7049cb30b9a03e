"""Connections to the database: made when a transaction needs one, and kept for the next."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import POLLIN, poll
from threading import BoundedSemaphore, Thread
from time import monotonic, sleep
from typing import Any

import psycopg
from psycopg import conninfo, errors
from psycopg.abc import Params, Query
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg.types.string import ByteaBinaryLoader

from storage.base import StoreCorrupted, StoreError, Unavailable

WAIT = 10.0  # seconds for a connection of this process to become free
# Seconds for the server to answer, beyond its own timeouts in SESSION: while it hangs, it does not see to them.
BEGINS, ANSWERS = 12.0, 35.0
TICK = 1.0  # seconds between two looks at the connections that wait
# Unless the URL has others. A server that vanished without a word is given up after some seconds.
PARAMETERS = {
    "application_name": "tinyscim",
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "8000",
    "target_session_attrs": "primary",  # a standby is behind, so its readers would not see what was acknowledged
}
# Every statement of this package has an index. A plan that was made while a table was small must not scan a large one.
SESSION = """
SET client_encoding = 'UTF8';
SET statement_timeout = '30s';
SET lock_timeout = '10s';
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET jit = off
"""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives the server `patience` seconds for each answer."""

    patience = ANSWERS

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool = False
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run a statement and wait for its result."""
        WAITING[self] = monotonic() + self.patience
        try:
            return super().execute(query, params, prepare=prepare, binary=binary)  # type: ignore[arg-type]
        finally:
            del WAITING[self]

    def shut_down(self) -> None:
        """Let the thread that waits for an answer see a lost connection."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)


WAITING: dict[Connection, float] = {}  # until when


class Connections:
    """At most `size` connections, for the threads of one process."""

    def __init__(self, url: str, size: int) -> None:
        try:
            given = conninfo.conninfo_to_dict(url)
            self._url = conninfo.make_conninfo(url, **{k: v for k, v in PARAMETERS.items() if k not in given})
        except psycopg.ProgrammingError:  # its message would quote the URL
            raise StoreError("[store] url is not valid: libpq cannot read it") from None
        self._free = BoundedSemaphore(size)
        self._idle: list[Connection] = []
        self._ending: set[Connection] = set()  # the idle ones that were sent a COMMIT whose result has not been read
        self._process, self._is_open = 0, False
        self.read_only = ""

    def open(self) -> None:
        """Let this process make connections."""
        self._process, self._is_open = os.getpid(), True
        Thread(target=self._watch, name="database", daemon=True).start()

    def close(self) -> None:
        """Close the idle connections. Others are closed after their use."""
        self._is_open = False
        self._drop_idle()

    @contextmanager
    def begun(self, begin: str) -> Iterator[tuple[Connection, tuple[Any, ...]]]:
        """Run the statements that begin a transaction; give the connection and the row of the last one.

        A transaction that is still open at the end is rolled back. Raises Unavailable, StoreCorrupted.
        """
        self._check_process()
        if not self._free.acquire(timeout=WAIT):
            raise Unavailable("every connection to the database is in use: raise threads under [server]")
        try:
            with errors_as_unavailable():
                connection, row = self._begin(begin)
                try:
                    yield connection, row
                finally:
                    self._keep(connection)
        finally:
            self._free.release()

    def end_reading(self, connection: Connection) -> None:
        """Send COMMIT without waiting for its result: a transaction that only read cannot fail any more.

        After ROLLBACK, psycopg would prepare every statement again.
        """
        with suppress(psycopg.Error):  # it was lost after the last statement
            connection.pgconn.send_query(b"COMMIT")
            if connection.pgconn.flush() == 0:
                self._ending.add(connection)

    @contextmanager
    def own(self) -> Iterator[Connection]:
        """Make a connection for this use alone. Raises Unavailable."""
        with errors_as_unavailable(), self._connect() as connection:
            yield connection

    def _connect(self) -> Connection:
        connection = Connection.connect(self._url, autocommit=True)
        # Otherwise each size of a number has a type of its own, and a prepared statement for smallint gets others.
        for dumper in (Int8Dumper, Int8BinaryDumper):
            connection.adapters.register_dumper(int, dumper)
        connection.adapters.register_loader("text", ByteaBinaryLoader)  # as documents are decoded from bytes
        try:
            connection.execute(SESSION)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_process(self) -> None:
        if not self._process:
            raise RuntimeError("the store is not open")
        if self._process != os.getpid():
            raise RuntimeError("the store was opened before a fork: open it in each process")

    def _begin(self, begin: str) -> tuple[Connection, tuple[Any, ...]]:
        """Begin a transaction. If the connection was lost since it was last used, make a new one, once."""
        with suppress(IndexError):
            connection = self._idle.pop()
            try:
                self._read_end(connection)
                return connection, self._last_row(connection, begin)
            except psycopg.Error:
                if not connection.closed:
                    raise
                self._drop_idle()  # the others are likely to be lost, too
        connection = self._connect()
        return connection, self._last_row(connection, begin)

    def _read_end(self, connection: Connection) -> None:
        """Read the result of the COMMIT that the connection was sent, which has usually arrived long ago."""
        if connection in self._ending:
            self._ending.remove(connection)
            arrived = poll()
            arrived.register(connection, POLLIN)
            connection.pgconn.consume_input()
            while connection.pgconn.is_busy():
                if not arrived.poll(BEGINS * 1000):
                    connection.close()
                    raise psycopg.OperationalError("the server does not answer")
                connection.pgconn.consume_input()
            while connection.pgconn.get_result():
                pass

    def _last_row(self, connection: Connection, begin: str) -> tuple[Any, ...]:
        try:
            connection.patience = BEGINS
            cursor = connection.execute(begin, prepare=False)  # several statements in one round trip
            connection.patience = ANSWERS
            while cursor.nextset():
                pass
            self.read_only = _read_only(connection)
            if row := cursor.fetchone():
                return row
            raise StoreCorrupted("the table tinyscim.store is empty: restore the database from a backup")
        except BaseException:
            self._keep(connection)
            raise

    def _keep(self, connection: Connection) -> None:
        """Roll back what is open, and keep the connection for the next transaction if it still works."""
        is_ending = connection in self._ending
        with suppress(psycopg.Error):
            if not is_ending and connection.info.transaction_status != TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        if self._is_open and (is_ending or connection.info.transaction_status == TransactionStatus.IDLE):
            self._idle.append(connection)
        else:
            self._close(connection)

    def _drop_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._close(self._idle.pop())

    def _close(self, connection: Connection) -> None:
        self._ending.discard(connection)
        connection.close()

    def _watch(self) -> None:
        """Give up servers that hang. TCP sees nothing of that: the server's kernel still answers."""
        while self._is_open:
            sleep(TICK)
            for connection, end in list(WAITING.items()):
                if monotonic() > end:
                    connection.shut_down()


def _read_only(connection: Connection) -> str:
    """Return why the server refuses writes, or an empty text. It reports both settings by itself."""
    if connection.info.parameter_status("in_hot_standby") == "on":
        return "the database server is a standby"
    if connection.info.parameter_status("default_transaction_read_only") == "on":
        return "the database is set to read-only"
    return ""


def commit(connection: Connection) -> None:
    """Commit. Raises Unavailable, which says so if it is not known whether the database did."""
    notices: list[object] = []
    connection.add_notice_handler(notices.append)
    try:
        cursor = connection.execute("COMMIT", prepare=True)
    except psycopg.Error as error:
        if connection.closed:
            raise Unavailable(f"the connection was lost during a commit: {_reason(error)}", is_unknown=True) from error
        raise
    finally:
        connection.remove_notice_handler(notices.append)
    if cursor.statusmessage != "COMMIT":
        raise Unavailable("the database rolled the transaction back")
    if notices:  # a warning: no standby has confirmed the commit
        raise Unavailable("the database did not wait for its standby", is_unknown=True)


@contextmanager
def errors_as_unavailable() -> Iterator[None]:
    """Turn the errors of the database into those of a store."""
    try:
        yield
    except (errors.DataCorrupted, errors.IndexCorrupted) as error:
        raise StoreCorrupted(f"the database is damaged: {_reason(error)}. Restore it from a backup.") from error
    except psycopg.Error as error:
        raise Unavailable(f"the database: {_reason(error)}", full=isinstance(error, errors.DiskFull)) from error


def _reason(error: psycopg.Error) -> str:
    """Return the server's message without its details, which may have values of documents, or the client's."""
    return error.diag.message_primary or "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
