"""The writer: each change is one statement, which checks and changes documents and entries."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from storage.base import Document, Duplicate, Missing, StoredDocument
from storage.engine.encoding import decode, encode
from storage.postgres import log
from storage.postgres.connections import Connection
from storage.postgres.keys import DeclaredIndexes, Entry, as_bytes
from storage.postgres.reader import PostgresReader

SLICE = 1_000  # documents that one statement deletes

# The new entries of a document, and those of them whose key another document has.
_GIVEN = """
given AS (
    SELECT * FROM unnest(%(numbers)b::bigint[], %(keys)b::bytea[], %(unique)b::boolean[])
    AS entry (number, key, is_unique)
),
taken AS (
    SELECT number, key FROM given
    WHERE is_unique AND EXISTS (SELECT FROM tinyscim.entries e WHERE e.number = given.number AND e.key = given.key)
)
"""
INSERT = f"""
WITH {_GIVEN},
known AS (SELECT position FROM tinyscim.documents WHERE kind = %(kind)s AND id = %(id)s),
place AS (
    INSERT INTO tinyscim.kinds AS kinds (kind, last, count)
    SELECT %(kind)s, 1, 1 WHERE NOT EXISTS (SELECT FROM taken) AND NOT EXISTS (SELECT FROM known)
    ON CONFLICT (kind) DO UPDATE SET last = kinds.last + 1, count = kinds.count + 1
    RETURNING last
),
document AS (
    INSERT INTO tinyscim.documents (kind, position, id, version, document)
    SELECT %(kind)s, last, %(id)s, %(version)s, %(document)s FROM place
),
entered AS (
    INSERT INTO tinyscim.entries (number, key, position, is_unique)
    SELECT number, key, last, is_unique FROM given CROSS JOIN place
)
SELECT 0, ''::bytea FROM known UNION ALL SELECT number, key FROM taken
"""  # noqa: S608  # of constants alone
REPLACE = f"""
WITH {_GIVEN},
place AS (
    UPDATE tinyscim.documents SET version = %(version)s, document = %(document)s
    WHERE kind = %(kind)s AND id = %(id)s AND NOT EXISTS (SELECT FROM taken)
    RETURNING position
),
lost AS (
    DELETE FROM tinyscim.entries e
    USING place, unnest(%(lost_numbers)b::bigint[], %(lost_keys)b::bytea[]) AS lost (number, key)
    WHERE e.number = lost.number AND e.key = lost.key AND e.position = place.position
),
entered AS (
    INSERT INTO tinyscim.entries (number, key, position, is_unique)
    SELECT number, key, position, is_unique FROM given CROSS JOIN place
)
SELECT number, key FROM taken
"""  # noqa: S608
UPDATE = """
UPDATE tinyscim.documents SET version = %(version)s, document = %(document)s WHERE kind = %(kind)s AND id = %(id)s
"""
FIND = "SELECT position, document FROM tinyscim.documents WHERE kind = %s AND id = ANY(%b)"
DELETE = """
WITH documents AS (DELETE FROM tinyscim.documents WHERE kind = %(kind)s AND position = ANY(%(positions)b)),
lost AS (
    DELETE FROM tinyscim.entries e
    USING unnest(%(numbers)b::bigint[], %(keys)b::bytea[], %(places)b::bigint[]) AS lost (number, key, position)
    WHERE e.number = lost.number AND e.key = lost.key AND e.position = lost.position
)
UPDATE tinyscim.kinds SET count = count - cardinality(%(positions)b) WHERE kind = %(kind)s
"""


class PostgresWriter(PostgresReader):
    """Reads and writes in the transaction of a connection, which makes one version of another."""

    def __init__(self, connection: Connection, indexes: DeclaredIndexes, previous: int, number: int) -> None:
        super().__init__(connection, indexes, previous, object())
        self._made = number
        self._has_entry = False
        self._read: dict[tuple[str, str], StoredDocument] = {}  # likely to be replaced
        self.changed = False

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""
        if (kind, id) not in self._read:
            found = super().get(kind, id)
            if found is None:
                return None
            self._read[kind, id] = found
        return self._read[kind, id]

    def insert(self, kind: str, document: Document) -> None:
        """Add a document. Raises Duplicate."""
        id = document.get("id")
        if not isinstance(id, str):
            raise TypeError(f'a document needs an "id" that is a string, not {id!r}')
        self._put(INSERT, kind, document, self._indexes.entries(kind, document))

    def replace(self, kind: str, document: Document) -> None:
        """Replace the document with the same id. Raises Missing, Duplicate."""
        before = self.get(kind, document["id"])
        if before is None:
            raise Missing(kind, document["id"])
        had, has = self._indexes.entries(kind, before.data), self._indexes.entries(kind, document)
        gained, lost = {entry: has[entry] for entry in has.keys() - had.keys()}, had.keys() - has.keys()
        self._put(REPLACE if gained or lost else UPDATE, kind, document, gained, lost)

    def delete(self, kind: str, *ids: str) -> None:
        """Delete documents. Raises Missing before any is deleted."""
        for part in list(self._found(kind, ids)):
            lost = [
                (entry.number, entry.key, position)
                for position, document in part.values()
                for entry in self._indexes.entries(kind, document)
            ]
            numbers, keys, places = zip(*lost, strict=True) if lost else ((), (), ())
            positions = [position for position, _ in part.values()]
            self._run(
                DELETE,
                {"kind": as_bytes(kind), "positions": positions, "numbers": list(numbers)}
                | {"keys": list(keys), "places": list(places)},
            )
            for id in part:
                self._read.pop((kind, id), None)
            self.changed = True

    def append(self, entry: Document) -> None:
        """Append the entry of this transaction to the log. Raises RuntimeError if it has one."""
        if self._has_entry:
            raise RuntimeError("the transaction has an entry already")
        log.append(self._connection, self._made, self._number, entry)
        self._has_entry = self.changed = True

    def _put(
        self, statement: str, kind: str, document: Document, gained: dict[Entry, str], lost: Collection[Entry] = ()
    ) -> None:
        values = {
            "kind": as_bytes(kind),
            "id": as_bytes(document["id"]),
            "version": self._made,
            "document": encode(document).decode(),
            "numbers": [entry.number for entry in gained],
            "keys": [entry.key for entry in gained],
            "unique": [entry.is_unique for entry in gained],
            "lost_numbers": [entry.number for entry in lost],
            "lost_keys": [entry.key for entry in lost],
        }
        taken = self._run(statement, values)
        if taken is not None:
            names = {number: index.name for number, index in self._indexes.of_kind(kind)}
            keys = {(entry.number, entry.key): (names[entry.number], text) for entry, text in gained.items()}
            raise Duplicate(kind, *keys.get(taken, ("id", document["id"])))
        self._read.pop((kind, document["id"]), None)
        self.changed = True

    def _found(self, kind: str, ids: Iterable[str]) -> Iterator[dict[str, tuple[int, Document]]]:
        """Yield the positions and documents of ids, in parts. Raises Missing."""
        rest = iter(dict.fromkeys(ids))
        while part := list(islice(rest, SLICE)):
            rows = self._rows(FIND, as_bytes(kind), list(map(as_bytes, part)))
            found = {document["id"]: (position, document) for position, raw in rows for document in [decode(raw)]}
            for id in part:
                if id not in found:
                    raise Missing(kind, id)
            yield found

    def _run(self, statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
        """Run a statement; return its first row, if it has any."""
        cursor = self._connection.execute(statement, values, prepare=True, binary=True)
        return cursor.fetchone() if cursor.description else None
