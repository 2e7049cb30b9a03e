"""Compares the entries and counts of the database with its documents, and builds them again."""

from collections import Counter
from collections.abc import Iterable, Iterator

from storage.base import Index
from storage.engine.encoding import decode
from storage.postgres.building import LOCK, declare
from storage.postgres.connections import Connection
from storage.postgres.keys import DeclaredIndexes, as_bytes
from storage.postgres.migration import LOCK as MAINTENANCE
from storage.postgres.reader import BLOCK

SLICE = 1_000  # documents in memory at a time
DOCUMENTS = """
SELECT kind, position, id, document FROM tinyscim.documents
WHERE (kind, position) > (%s, %s) ORDER BY kind, position LIMIT %s
"""
USED = """
SELECT kind, count, last - coalesce((SELECT sum(count)::bigint FROM tinyscim.removed r WHERE r.kind = k.kind), 0)
FROM tinyscim.kinds k
"""
MISSING = """
SELECT number, key, position FROM unnest(%s::bigint[], %s::bytea[], %s::bigint[]) AS wanted (number, key, position)
WHERE NOT EXISTS (
    SELECT FROM tinyscim.entries e
    WHERE e.number = wanted.number AND e.key = wanted.key AND e.position = wanted.position
)
"""
REMOVED = f"""
INSERT INTO tinyscim.removed (kind, block, count)
SELECT kind, block, used - there FROM (
    SELECT kind, block, least(last, block * {BLOCK} + {BLOCK - 1}) - greatest(1, block * {BLOCK}) + 1 AS used, (
        SELECT count(*) FROM tinyscim.documents d
        WHERE d.kind = k.kind AND position BETWEEN block * {BLOCK} AND block * {BLOCK} + {BLOCK - 1}
    ) AS there
    FROM tinyscim.kinds k CROSS JOIN LATERAL generate_series(0, last / {BLOCK}) AS block
) blocks
WHERE used > there
"""  # noqa: S608
COUNT = """
UPDATE tinyscim.kinds k SET
    count = (SELECT count(*) FROM tinyscim.documents d WHERE d.kind = k.kind),
    last = greatest(last, (SELECT max(position) FROM tinyscim.documents d WHERE d.kind = k.kind))
"""


class Check:
    """What a check of the database found: problems, and the number of documents of each kind."""

    def __init__(self, connection: Connection, indexes: DeclaredIndexes) -> None:
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self._connection, self._indexes = connection, indexes
        self._expected: Counter[int] = Counter()
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute("SELECT pg_advisory_unlock(%s)", [MAINTENANCE])  # processes may start meanwhile
            for rows in self._pages():
                self._check_documents(rows)
            self._check_counts()

    def _pages(self) -> Iterator[list[tuple[bytes, int, bytes, bytes]]]:
        kind, position = b"", 0
        while rows := self._connection.execute(DOCUMENTS, [kind, position, SLICE], binary=True).fetchall():
            yield rows
            kind, position, _, _ = rows[-1]

    def _check_documents(self, rows: list[tuple[bytes, int, bytes, bytes]]) -> None:
        """Check the documents of a page, and that each entry they need is there."""
        wanted: dict[tuple[int, bytes, int], str] = {}
        for kind, position, id, raw in rows:
            name = kind.decode("utf-8", "surrogatepass")
            self.counts[name] += 1
            try:
                document = decode(raw)
                if as_bytes(document["id"]) != id:
                    self.problems.append(f"{name} {position} is stored under another id than {document['id']!r}")
                entries = self._indexes.entries(name, document)
            except Exception as error:  # whatever a document that something else wrote makes an index do
                self.problems.append(f"{name} {position} cannot be read ({error!r})")
                continue
            wanted |= {(entry.number, entry.key, position): name for entry in entries}
        self._expected.update(number for number, _, _ in wanted)
        missing = self._connection.execute(MISSING, [list(column) for column in zip(*wanted, strict=True)] or [[]] * 3)
        for number, key, position in missing:
            self.problems.append(f"{wanted[number, key, position]} {position} is missing in an index")

    def _check_counts(self) -> None:
        """Check the numbers of documents, and that there are no other entries."""
        for kind, count, used in self._connection.execute(USED):
            name = kind.decode("utf-8", "surrogatepass")
            if not count == used == self.counts[name]:
                self.problems.append(
                    f"there are {self.counts[name]} documents of the kind {name}, not {count} or {used}"
                )
        for number, count in self._connection.execute("SELECT number, count(*) FROM tinyscim.entries GROUP BY number"):
            if count > self._expected[number]:
                self.problems.append(f"the index {number} has {count - self._expected[number]} entries too many")


def mend(connection: Connection, indexes: Iterable[Index]) -> DeclaredIndexes:
    """Count the documents again, and build all indexes again."""
    with connection.transaction():
        connection.execute(LOCK)
        connection.execute(COUNT)
        connection.execute("DELETE FROM tinyscim.removed")
        connection.execute(REMOVED)
        connection.execute("UPDATE tinyscim.indexes SET is_ready = false")
        connection.execute("UPDATE tinyscim.store SET indexes = ''")
    return declare(connection, indexes)
