"""The writer: each change is one statement, which checks and changes documents and entries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any

from storage.base import Document, Duplicate, Missing
from storage.engine.encoding import decode, encode
from storage.postgres import log
from storage.postgres.connections import Connection
from storage.postgres.keys import DeclaredIndexes, Entry, as_bytes
from storage.postgres.reader import BLOCK, PostgresReader

SLICE = 1_000  # documents that one statement inserts or deletes
KNOWN = 0  # stands for the ids among the numbers of indexes

# The new entries of documents, by their number in the statement, and those whose key another document has.
# LIMIT keeps this a look-up for each: while a table is small, a join would be planned that reads all of a kind.
_GIVEN = """
given AS (
    SELECT * FROM unnest(%(places)b::bigint[], %(numbers)b::bigint[], %(keys)b::bytea[], %(unique)b::boolean[])
    AS entry (place, number, key, is_unique)
),
taken AS (
    SELECT number, key FROM given
    WHERE is_unique
    AND (SELECT true FROM tinyscim.entries e WHERE e.number = given.number AND e.key = given.key LIMIT 1)
)
"""
INSERT = f"""
WITH {_GIVEN},
documents AS (SELECT * FROM unnest(%(ids)b::bytea[], %(documents)b::text[]) WITH ORDINALITY AS d (id, document, place)),
known AS (
    SELECT id FROM documents
    WHERE (SELECT true FROM tinyscim.documents k WHERE kind = %(kind)s AND k.id = documents.id LIMIT 1)
),
before AS (
    INSERT INTO tinyscim.kinds AS kinds (kind, last, count)
    SELECT %(kind)s, %(size)s, %(size)s WHERE NOT EXISTS (SELECT FROM taken) AND NOT EXISTS (SELECT FROM known)
    ON CONFLICT (kind) DO UPDATE SET last = kinds.last + %(size)s, count = kinds.count + %(size)s
    RETURNING last - %(size)s AS position
),
inserted AS (
    INSERT INTO tinyscim.documents (kind, position, id, version, document)
    SELECT %(kind)s, position + place, id, %(version)s, document FROM documents CROSS JOIN before
),
entered AS (
    INSERT INTO tinyscim.entries (number, key, position, is_unique)
    SELECT number, key, position + place, is_unique FROM given CROSS JOIN before
)
SELECT {KNOWN}, id FROM known UNION ALL SELECT number, key FROM taken
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
DELETE = f"""
WITH documents AS (DELETE FROM tinyscim.documents WHERE kind = %(kind)s AND position = ANY(%(positions)b)),
lost AS (
    DELETE FROM tinyscim.entries e
    USING unnest(%(numbers)b::bigint[], %(keys)b::bytea[], %(places)b::bigint[]) AS lost (number, key, position)
    WHERE e.number = lost.number AND e.key = lost.key AND e.position = lost.position
),
removed AS (
    INSERT INTO tinyscim.removed AS removed (kind, block, count)
    SELECT %(kind)s, position / {BLOCK}, count(*) FROM unnest(%(positions)b) AS position GROUP BY position / {BLOCK}
    ON CONFLICT (kind, block) DO UPDATE SET count = removed.count + excluded.count
)
UPDATE tinyscim.kinds SET count = count - cardinality(%(positions)b) WHERE kind = %(kind)s
"""  # noqa: S608


class PostgresWriter(PostgresReader):
    """Reads and writes in the transaction of a connection, which makes one version of another."""

    def __init__(self, connection: Connection, indexes: DeclaredIndexes, previous: int, number: int) -> None:
        super().__init__(connection, indexes, previous, object())
        self._made = number
        self._has_entry = False
        self.changed = False

    def insert(self, kind: str, *documents: Document) -> None:
        """Add documents, or none. Raises Duplicate."""
        for start in range(0, len(documents), SLICE):
            try:
                self._insert(kind, documents[start : start + SLICE])
            except Duplicate:
                self.delete(kind, *(one["id"] for one in documents[:start]))
                raise

    def replace(self, kind: str, document: Document) -> None:
        """Replace the document with the same id. Raises Missing, Duplicate."""
        before = self.get(kind, document["id"])
        if before is None:
            raise Missing(kind, document["id"])
        had, has = self._indexes.entries(kind, before.data), self._indexes.entries(kind, document)
        gained, lost = {entry: has[entry] for entry in has.keys() - had.keys()}, had.keys() - has.keys()
        values = self._values(kind, ((0, entry) for entry in gained)) | {
            "id": as_bytes(document["id"]),
            "document": encode(document).decode(),
            "lost_numbers": [entry.number for entry in lost],
            "lost_keys": [entry.key for entry in lost],
        }
        self._put(REPLACE if gained or lost else UPDATE, values, kind, gained)
        self._forget(kind, [document["id"]])

    def delete(self, kind: str, *ids: str) -> None:
        """Delete documents. Raises Missing before any is deleted."""
        for part in list(self._found(kind, ids)):
            lost = [
                (position, entry)
                for position, document in part.values()
                for entry in self._indexes.entries(kind, document)
            ]
            self._run(DELETE, self._values(kind, lost) | {"positions": [position for position, _ in part.values()]})
            self._forget(kind, part)

    def append(self, entry: Document) -> None:
        """Append the entry of this transaction to the log. Raises RuntimeError if it has one."""
        if self._has_entry:
            raise RuntimeError("the transaction has an entry already")
        log.append(self._connection, self._made, self._number, entry)
        self._has_entry = self.changed = True

    def _insert(self, kind: str, documents: Sequence[Document]) -> None:
        ids: dict[bytes, str] = {}
        given: dict[Entry, str] = {}
        placed: list[tuple[int, Entry]] = []
        for place, document in enumerate(documents, 1):
            id, entries = document["id"], self._indexes.entries(kind, document)
            ids[as_bytes(id)] = id
            if len(ids) < place:
                raise Duplicate(kind, "id", id)
            for entry in entries:
                if entry.is_unique and entry in given:
                    raise Duplicate(kind, self._indexes.name(entry.number), entries[entry])
            given |= entries
            placed += [(place, entry) for entry in entries]
        texts = [encode(document).decode() for document in documents]
        values = self._values(kind, placed) | {"ids": list(ids), "documents": texts, "size": len(ids)}
        self._put(INSERT, values, kind, given, ids)
        self._forget(kind, ids.values())

    def _values(self, kind: str, placed: Iterable[tuple[int, Entry]]) -> dict[str, Any]:
        """Return the parameters for entries, each with a number of its document."""
        rows = [(place, *entry) for place, entry in placed]
        names = "places", "numbers", "keys", "unique"
        columns = map(list, zip(*rows, strict=True)) if rows else ([], [], [], [])
        return {"kind": as_bytes(kind), "version": self._made, **dict(zip(names, columns, strict=True))}

    def _put(
        self,
        statement: str,
        values: dict[str, Any],
        kind: str,
        given: Mapping[Entry, str],
        ids: Mapping[bytes, str] = MappingProxyType({}),
    ) -> None:
        """Run a statement that returns what is taken. Raises Duplicate."""
        if taken := self._run(statement, values):
            number, key = taken
            if number == KNOWN:
                raise Duplicate(kind, "id", ids[key])
            raise Duplicate(kind, self._indexes.name(number), given[Entry(number, key, is_unique=True)])

    def _forget(self, kind: str, ids: Iterable[str]) -> None:
        for id in ids:
            self._documents.pop((kind, id), None)
        self._lookups.clear()
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
