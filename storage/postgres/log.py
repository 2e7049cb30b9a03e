"""The log: the entries of transactions, in the order of their commits. A cursor is the number of a version."""

import re
from collections.abc import Iterator
from time import monotonic

from storage.base import Document, Expired, Removed, Retention
from storage.engine.encoding import decode, encode
from storage.postgres.connections import Connection

PAGE = 100  # entries in memory at a time
PAUSE = 60.0  # seconds between two removals of old entries
SLICE = 10_000  # entries that are removed at a time

PAGE_AFTER = """
SELECT version, previous, entry FROM tinyscim.log WHERE version > %s AND version <= %s ORDER BY version LIMIT %s
"""
APPEND = """
INSERT INTO tinyscim.log (version, previous, bytes, entry)
SELECT %(version)s, %(previous)s, %(size)s + coalesce((SELECT max(bytes) FROM tinyscim.log WHERE version = (
    SELECT max(version) FROM tinyscim.log
)), 0), %(entry)s
"""
PRUNE = """
DELETE FROM tinyscim.log WHERE version IN (SELECT version FROM tinyscim.log ORDER BY version LIMIT %s)
AND (written < now() - %s * interval '1 day'
     OR bytes - octet_length(entry) < (SELECT bytes FROM tinyscim.log ORDER BY version DESC LIMIT 1) - %s)
"""


def entries(connection: Connection, after: str, end: int) -> Iterator[tuple[str, Document]]:
    """Yield the entries after a cursor up to a version, each with the cursor after it. Raises ValueError or Expired."""
    if not re.fullmatch("[0-9]{0,19}", after, re.ASCII):
        raise ValueError("this is not a cursor")
    last = int(after or 0)
    if last > end:
        raise Expired("this cursor is not of the past of this store")
    is_checked = bool(after)
    while rows := connection.execute(PAGE_AFTER, [last, end, PAGE], prepare=True, binary=True).fetchall():
        for version, previous, entry in rows:
            if is_checked and previous != last:
                raise _lost(connection, last)
            last = version
            yield str(version), decode(entry)
    if is_checked and last != end:
        raise _lost(connection, last)


def _lost(connection: Connection, last: int) -> Expired:
    """Return the error that an entry is missing after a version."""
    kept_before = connection.execute("SELECT FROM tinyscim.log WHERE version <= %s LIMIT 1", [last]).fetchone()
    return (Removed if kept_before is None else Expired)("the log does not have everything after this cursor")


def append(connection: Connection, version: int, previous: int, entry: Document) -> None:
    """Append the entry of a version."""
    text = encode(entry)
    values = {"version": version, "previous": previous, "size": len(text), "entry": text.decode()}
    connection.execute(APPEND, values, prepare=True)


class Pruning:
    """Removes old entries, once in a while."""

    def __init__(self, retention: Retention) -> None:
        self._retention, self._next = retention, 0.0

    def prune(self, connection: Connection) -> None:
        """Remove the entries that are older, or take more room, than the log is to be kept, if it is time."""
        if monotonic() >= self._next:
            self._next = monotonic() + PAUSE
            connection.execute(PRUNE, [SLICE, self._retention.days, self._retention.bytes])
