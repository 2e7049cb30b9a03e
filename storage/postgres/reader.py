"""The reader: statements in one read-only transaction, which sees one version of everything."""

from collections.abc import Collection, Iterator
from typing import Any

from storage.base import Document, Missing, StoredDocument
from storage.engine.encoding import decode
from storage.postgres import log
from storage.postgres.connections import Connection
from storage.postgres.keys import DeclaredIndexes, as_bytes

BLOCK = 1_024  # positions that are counted together
MOST = (1 << 63) - 1  # a position that no document has
PAGE = 500  # documents in memory at a time

PREFETCHED = 5_000  # documents that are kept

GET = "SELECT position, document FROM tinyscim.documents WHERE kind = %s AND id = %s"
COUNT_KEY = "SELECT count(*) FROM tinyscim.entries WHERE number = %s AND key = %s"
COUNT = "SELECT count FROM tinyscim.kinds WHERE kind = %s"
REMOVED = "SELECT block, count FROM tinyscim.removed WHERE kind = %s ORDER BY block"
SCAN = """
SELECT position, document FROM tinyscim.documents WHERE kind = %s AND position > %s ORDER BY position LIMIT %s
"""
# An index alone skips the documents before the page.
SKIP = "SELECT position FROM tinyscim.documents WHERE kind = %s AND position > %s ORDER BY position OFFSET %s LIMIT 1"
LOOKUP = """
SELECT e.position, d.document FROM tinyscim.entries e
JOIN tinyscim.documents d ON d.kind = %s AND d.position = e.position
WHERE e.number = %s AND e.key = %s AND e.position > %s ORDER BY e.position LIMIT %s
"""
GET_ALL = "SELECT id, position, document FROM tinyscim.documents WHERE kind = %s AND id = ANY(%b)"
LOOKUP_ALL = """
SELECT e.key, d.document FROM tinyscim.entries e
JOIN tinyscim.documents d ON d.kind = %s AND d.position = e.position
WHERE e.number = %s AND e.key = ANY(%b) ORDER BY e.position LIMIT %s
"""
SORTED = """
SELECT d.document
FROM (
    SELECT key, position FROM tinyscim.entries WHERE number = %s ORDER BY key {order}, position OFFSET %s LIMIT %s
) e
JOIN tinyscim.documents d ON d.kind = %s AND d.position = e.position
ORDER BY e.key {order}, e.position
"""
ASCENDING, DESCENDING = SORTED.format(order="ASC"), SORTED.format(order="DESC")


class PostgresReader:
    """Reads what the transaction of a connection sees."""

    is_remote = True

    def __init__(self, connection: Connection, indexes: DeclaredIndexes, number: int, version: object) -> None:
        self._connection, self._indexes, self._number, self.version = connection, indexes, number, version
        self._documents: dict[tuple[str, str], tuple[int, StoredDocument] | None] = {}
        self._lookups: dict[tuple[str, str, str], list[StoredDocument]] = {}

    def prefetch(self, kind: str, keys: Collection[str], index: str = "") -> None:
        """Read at once what `get` of these ids, or `lookup` of these keys in an index, will return."""
        if len(self._documents) + len(self._lookups) + len(keys) > PREFETCHED:
            self._documents.clear()
            self._lookups.clear()
        if index:
            wanted = {as_bytes(key): key for key in keys if (kind, index, key) not in self._lookups}
            if wanted:
                self._prefetch_lookups(kind, index, wanted)
        else:
            wanted = {as_bytes(key): key for key in keys if (kind, key) not in self._documents}
            if wanted:
                self._prefetch_documents(kind, wanted)

    def _prefetch_documents(self, kind: str, ids: dict[bytes, str]) -> None:
        self._documents |= {(kind, id): None for id in ids.values()}
        for id, position, raw in self._rows(GET_ALL, as_bytes(kind), list(ids)):
            self._documents[kind, ids[id]] = position, StoredDocument(raw, decode)

    def _prefetch_lookups(self, kind: str, index: str, keys: dict[bytes, str]) -> None:
        rows = self._rows(LOOKUP_ALL, as_bytes(kind), self._indexes.number(kind, index), list(keys), PREFETCHED)
        if len(rows) < PREFETCHED:  # otherwise each is looked up when it is needed
            self._lookups |= {(kind, index, key): [] for key in keys.values()}
            for key, raw in rows:
                self._lookups[kind, index, keys[key]].append(StoredDocument(raw, decode))

    def get(self, kind: str, id: str) -> StoredDocument | None:
        """Return the document, or None."""
        found = self._find(kind, id)
        return found[1] if found else None

    def lookup(self, kind: str, index: str, key: str) -> Iterator[StoredDocument]:
        """Yield the documents that have the key in the index, in order of creation."""
        if (kind, index, key) in self._lookups:
            return iter(self._lookups[kind, index, key])
        return self._pages(LOOKUP, (as_bytes(kind), self._indexes.number(kind, index), as_bytes(key)))

    def scan(self, kind: str, *, after: int = 0, offset: int = 0, limit: int | None = None) -> Iterator[StoredDocument]:
        """Yield documents in order of creation, from the first whose position is above `after`."""
        if offset and not after:
            after, offset = self._block_at(kind, offset)
        if offset:
            after = self._skipped(kind, after, offset)
        return self._pages(SCAN, (as_bytes(kind),), after, limit)

    def scan_sorted(
        self, kind: str, index: str, *, descending: bool = False, offset: int = 0, limit: int | None = None
    ) -> Iterator[StoredDocument]:
        """Yield documents in order of their key in the index, of which each has at most one."""
        statement, number = DESCENDING if descending else ASCENDING, self._indexes.number(kind, index)
        while limit is None or limit > 0:
            size = PAGE if limit is None else min(PAGE, limit)
            rows = self._rows(statement, number, offset, size, as_bytes(kind))
            yield from (StoredDocument(row[0], decode) for row in rows)
            if len(rows) < size:
                return
            offset, limit = offset + size, None if limit is None else limit - size

    def kinds(self) -> list[str]:
        """Return the kinds that have documents, in order."""
        rows = self._rows("SELECT kind FROM tinyscim.kinds WHERE count > 0")
        return sorted(row[0].decode("utf-8", "surrogatepass") for row in rows)

    def position(self, kind: str, id: str) -> int:
        """Return the position in order of creation. Raises Missing."""
        found = self._find(kind, id)
        if found is None:
            raise Missing(kind, id)
        return found[0]

    def count(self, kind: str, index: str = "", key: str = "") -> int:
        """Return how many documents of the kind there are, or how many have the key in an index."""
        if index:
            row = self._row(COUNT_KEY, self._indexes.number(kind, index), as_bytes(key))
        else:
            row = self._row(COUNT, as_bytes(kind))
        return int(row[0]) if row else 0

    @property
    def end(self) -> str:
        """The cursor after the last entry of the log in this version."""
        return str(self._number)

    def entries(self, after: str) -> Iterator[tuple[str, Document]]:
        """Yield the entries of the log after a cursor, each with the cursor after it. Raises ValueError or Expired."""
        return log.entries(self._connection, after, self._number)

    def _find(self, kind: str, id: str) -> tuple[int, StoredDocument] | None:
        """Return the position and the document of an id, or None. A writer is likely to read it again."""
        if (kind, id) not in self._documents:
            if len(self._documents) >= PREFETCHED:
                self._documents.clear()
            row = self._row(GET, as_bytes(kind), as_bytes(id))
            self._documents[kind, id] = (row[0], StoredDocument(row[1], decode)) if row else None
        return self._documents[kind, id]

    def _skipped(self, kind: str, after: int, offset: int) -> int:
        """Return the position after which the rest begins if documents are skipped one by one."""
        first = self._row(SKIP, as_bytes(kind), after, offset)
        return int(first[0]) - 1 if first else MOST

    def _block_at(self, kind: str, offset: int) -> tuple[int, int]:
        """Return a position, and how many documents are to be skipped after it, instead of an offset."""
        removed = 0
        for block, count in self._rows(REMOVED, as_bytes(kind)):
            first, end = max(block * BLOCK, 1), (block + 1) * BLOCK
            before = first - 1 - removed  # documents in the blocks before
            if offset <= before:
                break
            if offset < end - 1 - removed - count:
                return first - 1, offset - before
            removed += count
        return offset + removed, 0

    def _pages(
        self, statement: str, values: tuple[Any, ...], after: int = 0, limit: int | None = None
    ) -> Iterator[StoredDocument]:
        """Yield the documents of a statement that takes a position to begin after and a number of rows."""
        while limit is None or limit > 0:
            size = PAGE if limit is None else min(PAGE, limit)
            rows = self._rows(statement, *values, after, size)
            yield from (StoredDocument(row[1], decode) for row in rows)
            if len(rows) < size:
                return
            after, limit = rows[-1][0], None if limit is None else limit - size

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values, prepare=True, binary=True).fetchall()

    def _row(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        return self._connection.execute(statement, values, prepare=True, binary=True).fetchone()
