"""Declares indexes: builds new ones while others read and write, and removes those that are no longer wanted."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from storage.base import Index, StoreError
from storage.engine.encoding import decode
from storage.postgres.connections import Connection
from storage.postgres.keys import DeclaredIndexes, as_bytes, entries_in

SLICE = 1_000  # documents for each transaction
READY = "SELECT number, kind, name, definition FROM tinyscim.indexes WHERE is_ready ORDER BY number"
LOCK = "UPDATE tinyscim.store SET version = version RETURNING version"
DOCUMENTS = """
SELECT position, document FROM tinyscim.documents
WHERE kind = %s AND position > %s AND version > %s ORDER BY position LIMIT %s
"""
OUTDATED = """
DELETE FROM tinyscim.entries e WHERE number = %s AND (
    position IN (SELECT position FROM tinyscim.documents WHERE kind = %s AND version > %s)
    OR NOT EXISTS (SELECT FROM tinyscim.documents d WHERE d.kind = %s AND d.position = e.position)
)
"""
REMOVE = """
DELETE FROM tinyscim.entries WHERE (number, key, position) IN (
    SELECT number, key, position FROM tinyscim.entries WHERE number = %s LIMIT %s
)
"""
ENTER = """
INSERT INTO tinyscim.entries (number, key, position, is_unique)
SELECT * FROM unnest(%s::bigint[], %s::bytea[], %s::bigint[], %s::boolean[])
ON CONFLICT DO NOTHING
"""


def declared(connection: Connection, indexes: Iterable[Index]) -> DeclaredIndexes:
    """Return the indexes with their numbers, declared now if the store is new. Raises StoreError if it has others."""
    wanted = list(indexes)
    found = _found(connection, wanted)
    if found is None and not _row(connection, "SELECT indexes FROM tinyscim.store")[0]:
        return declare(connection, wanted)
    if found is None:
        raise StoreError("the configuration declares other indexes than the store has: start the service with it first")
    return found


def declare(connection: Connection, indexes: Iterable[Index]) -> DeclaredIndexes:
    """Let the store have these indexes, and return them with their numbers."""
    wanted = list(indexes)
    found = _found(connection, wanted)
    if found is None:
        _remove_unready(connection)
        _build(connection, wanted)
        _remove_unready(connection)
        found = _found(connection, wanted)
    assert found
    return found


def _found(connection: Connection, wanted: list[Index]) -> DeclaredIndexes | None:
    """Return the indexes with their numbers if the store has exactly these."""
    rows = connection.execute(READY).fetchall()
    if {row[1:] for row in rows} != set(map(_identity, wanted)):
        return None
    by_identity = {_identity(index): index for index in wanted}
    return DeclaredIndexes(((row[0], by_identity[row[1:]]) for row in rows), _stamp(rows))


def _identity(index: Index) -> tuple[bytes, bytes, str]:
    """Return what tells whether the store's entries are those of an index."""
    return as_bytes(index.kind), as_bytes(index.name), f"{index.definition} {'unique' if index.unique else ''}"


def _stamp(rows: list[tuple[Any, ...]]) -> str:
    return sha256(repr(rows).encode()).hexdigest()


def _build(connection: Connection, wanted: list[Index]) -> None:
    """Build the missing indexes, and make them the store's in the transaction that completes them.

    Documents that others write meanwhile are entered in that transaction, which no write runs beside.
    """
    (start,) = _row(connection, "SELECT version FROM tinyscim.store")
    ready = {row[1:]: row[0] for row in connection.execute(READY)}
    missing = [(_add(connection, index), index) for index in wanted if _identity(index) not in ready]
    for number, index in missing:
        _enter_all(connection, number, index, 0)
    with connection.transaction():
        connection.execute(LOCK)
        for number, index in missing:
            _catch_up(connection, number, index, start)
        kept = [ready[_identity(index)] for index in wanted if _identity(index) in ready]
        connection.execute(
            "UPDATE tinyscim.indexes SET is_ready = number = ANY(%s)", [kept + [number for number, _ in missing]]
        )
        rows = connection.execute(READY).fetchall()
        connection.execute("UPDATE tinyscim.store SET indexes = %s", [_stamp(rows)])


def _add(connection: Connection, index: Index) -> int:
    (number,) = _row(
        connection,
        "INSERT INTO tinyscim.indexes (number, kind, name, definition, is_ready)"
        " SELECT coalesce(max(number), 0) + 1, %s, %s, %s, false FROM tinyscim.indexes RETURNING number",
        *_identity(index),
    )
    return int(number)


def _enter_all(connection: Connection, number: int, index: Index, since: int) -> None:
    """Enter the documents that were written after a version."""
    after = 0
    while rows := connection.execute(DOCUMENTS, [as_bytes(index.kind), after, since, SLICE], binary=True).fetchall():
        entered = [(*entry, position) for position, raw in rows for entry in entries_in(number, index, decode(raw))]
        numbers, keys, unique, positions = map(list, zip(*entered, strict=True))
        # Documents that had the same key before it was unique keep it: one of them is marked.
        connection.execute(ENTER, [numbers, keys, positions, unique])
        connection.execute(ENTER, [numbers, keys, positions, [False] * len(unique)])
        after = rows[-1][0]


def _catch_up(connection: Connection, number: int, index: Index, since: int) -> None:
    """Enter the documents again that were written after a version, and remove the entries of deleted ones."""
    kind = as_bytes(index.kind)
    connection.execute(OUTDATED, [number, kind, since, kind])
    _enter_all(connection, number, index, since)


def _remove_unready(connection: Connection) -> None:
    """Remove the indexes that are not the store's: unwanted ones, and those whose building was interrupted."""
    for (number,) in connection.execute("SELECT number FROM tinyscim.indexes WHERE NOT is_ready").fetchall():
        while connection.execute(REMOVE, [number, SLICE]).rowcount:
            pass
        connection.execute("DELETE FROM tinyscim.indexes WHERE number = %s", [number])


def _row(connection: Connection, statement: str, *values: Any) -> tuple[Any, ...]:
    row = connection.execute(statement, values).fetchone()
    assert row
    return row
