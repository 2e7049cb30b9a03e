"""The snapshot: a TinyDB JSON file, written with one document to a line, which stock TinyDB opens.

Its last table has the layout, the generation and sequence number that the journal continues, the last position of each
kind, and a checksum for every block of lines. A file that TinyDB itself wrote has all tables on one line, possibly
without that one: this is the oldest layout.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from itertools import chain, groupby, islice, zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

from fileio.atomic import open_to_read, replace_atomically
from storage.base import Document, StoreCorrupted
from storage.engine.corruption import CheckDocument, OnProblem, Problem, accept, refuse
from storage.engine.encoding import decode, dump
from storage.engine.versions import META

LAYOUT = 1
FIRST_LINE = b"{ \n"  # TinyDB never writes the space, which identifies our files
META_LINE = b'"_tinyscim":{\n'
END = b"\n}\n}\n"
TABLE, TABLE_END = b":{\n", b"},\n"  # the end of a table's first line, and its last line
MAX_POSITION = 10**9  # the memory for pages grows with the highest position
MAX_META = 1 << 20  # bytes of the meta table
BLOCK = 1024  # lines to a checksum, and to an fsync; part of the layout


@dataclass(slots=True)
class Meta:
    """The metadata of a snapshot. Without a generation the file is standalone, as a backup is."""

    generation: int = 0
    sequence: int = 0
    last: dict[str, int] = field(default_factory=dict)
    sums: list[int] = field(default_factory=list)
    layout: int = LAYOUT
    checksum: int = 0

    def sum(self) -> int:
        """Return the checksum of all other fields."""
        return crc32(dump({**asdict(self), "checksum": 0}))


class Row(NamedTuple):
    """A document in the file: its kind, position, JSON and line number."""

    kind: str
    position: int
    data: bytes
    line: int


UNSURE = "is kept, but not to be trusted"


def render(tables: Iterable[tuple[str, Iterable[tuple[int, bytes]]]], meta: Meta) -> Iterator[bytes]:
    """Yield a snapshot block by block; `meta.last` may still grow while the tables are read."""
    lines = chain([FIRST_LINE], chain.from_iterable(_table(kind, rows) for kind, rows in tables))
    while block := b"".join(islice(lines, BLOCK)):
        meta.sums.append(crc32(block))
        yield block
    meta.checksum = meta.sum()
    yield b"".join(_table(META, [(1, dump(asdict(meta)))])).removesuffix(b",\n") + b"\n}\n"


def _table(kind: str, rows: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    yield dump(kind) + b":{\n"
    before = b""
    for position, data in rows:
        if before:
            yield before + b",\n"
        before = b'"%d":%s' % (position, data)
    if before:
        yield before + b"\n"
    yield b"},\n"


def save(path: Path, rows: Iterable[Row], meta: Meta) -> None:
    """Replace the snapshot by one of these rows, which are grouped by kind and in order."""
    replace_atomically(path, pieces(rows, meta))


def pieces(rows: Iterable[Row], meta: Meta) -> Iterator[bytes]:
    """Yield a snapshot of these rows, which are grouped by kind and in order, block by block."""
    return render(_tables(rows, meta.last), meta)


def _tables(rows: Iterable[Row], last: dict[str, int]) -> Iterator[tuple[str, Iterator[tuple[int, bytes]]]]:
    for kind, group in groupby(rows, key=lambda row: row.kind):
        yield kind, _counted(group, last)


def _counted(rows: Iterable[Row], last: dict[str, int]) -> Iterator[tuple[int, bytes]]:
    for row in rows:
        last[row.kind] = max(last.get(row.kind, 0), row.position)
        yield row.position, row.data


class Snapshot:
    """A snapshot file; `meta` is set once all rows have been read."""

    def __init__(self, path: Path, problem: OnProblem = refuse, check: CheckDocument = accept) -> None:
        self.path = path
        self.meta: Meta | None = None
        self._problem, self._check = problem, check

    def rows(self) -> Iterator[Row]:
        """Yield every document, by kind and in order of creation. Raises StoreCorrupted."""
        ours = is_ours(self.path)
        with open_to_read(self.path) as file:
            yield from self._lines(file) if ours else self._foreign(file.read())

    def documents(self) -> Iterator[tuple[Row, Document]]:
        """Yield every document with its row, checked if another program wrote the file. Raises StoreCorrupted."""
        check = accept if is_ours(self.path) else self._check
        for row in self.rows():
            try:
                document = decode(row.data)
            except (ValueError, RecursionError) as error:
                self.report(row.line, f"this is not a document: {error}", row.data)
                continue
            if not (isinstance(document, dict) and isinstance(document.get("id"), str)):
                self.report(row.line, f'{row.kind} {row.position} has no "id" that is a string', row.data)
                continue
            try:
                check(row.kind, document)
            except (ValueError, RecursionError) as error:
                self.report(row.line, f"{row.kind} {row.position} cannot be served: {error}", row.data)
                continue
            yield row, document

    def report(self, line: int, what: str, rest: bytes = b"") -> None:
        """Report a problem."""
        self._problem(Problem(self.path, line, what, rest))

    def _lines(self, file: BinaryIO) -> Iterator[Row]:
        meta = read_meta(self.path)
        kinds = {f"{dump(kind).decode()}:{{\n": kind for kind in meta.last} if meta else {}
        kind, number, sums, checksum, in_table = "", 0, list[int](), 0, False
        for number, line in enumerate(file, 1):
            if line == META_LINE:
                break
            checksum = crc32(line, checksum)
            if number % BLOCK == 0:
                sums.append(checksum)
                checksum = 0
            if line.endswith(TABLE) or not (in_table or number == 1):
                kind, in_table = self._kind(line, number, kinds), True
            elif number == 1 or line == TABLE_END:
                in_table = False
            else:
                yield from self._row(kind, line, number)
        self._finish(file.read(), number, [*sums, checksum] if checksum else sums)

    def _kind(self, line: bytes, number: int, kinds: dict[str, str]) -> str:
        """Return the kind that a table's first line names; for a damaged name, the kind that is most like it."""
        text = line.decode("latin-1")
        if text in kinds:
            return kinds[text]
        with suppress(ValueError):
            if not kinds:
                return str(json.loads(line.removesuffix(TABLE)))
        self.report(number, "this is not the name of a table", line)
        longest = max(map(len, kinds), default=0)
        ends = text[:longest], text[-longest:]  # of a line that is joined to the next or the one before
        return next((kinds[name] for end in ends for name in get_close_matches(end, kinds, 1, cutoff=0.4)), "")

    def _row(self, kind: str, line: bytes, number: int) -> Iterator[Row]:
        position, _, data = line.rstrip(b",\n").partition(b":")
        if kind and _is_position(position[1:-1].decode("latin-1")) and data.endswith(b"}"):
            yield Row(kind, int(position[1:-1]), data, number)
        else:
            self.report(number, "this is not a complete document with its position", line)

    def _finish(self, rest: bytes, number: int, sums: list[int]) -> None:
        self.meta = parse_meta(self.path, rest)
        if self.meta is None:
            self.report(number, "the file is cut off, or its end is damaged")
            return
        for block, (kept, computed) in enumerate(zip_longest(self.meta.sums, sums)):
            if kept != computed:
                first, end = block * BLOCK, min((block + 1) * BLOCK, number - 1)
                what = f"lines {first + 1} to {end} do not match their checksum; what can be read of them {UNSURE}"
                with open_to_read(self.path) as file:
                    self.report(first + 1, what, b"".join(islice(file, first, end)) if first < end else b"")

    def _foreign(self, data: bytes) -> Iterator[Row]:
        try:
            tables = json.loads(data or b"{}")
        except ValueError as error:
            self.report(getattr(error, "lineno", 1), f"this is not JSON: {error}", data)
            return
        except RecursionError:
            self.report(1, "this is nested too deeply", data)
            return
        if not isinstance(tables, dict) or not all(isinstance(rows, dict) for rows in tables.values()):
            self.report(1, "this is not a TinyDB file, which is an object of tables", data)
            return
        own = tables.pop(META, {}).get("1")
        try:
            self.meta = _meta(self.path, own)
        except ValueError as error:
            self.report(1, f"the table {META} is damaged: {error}", json.dumps(own).encode())
        for kind, rows in tables.items():
            yield from self._foreign_rows(kind, rows)

    def _foreign_rows(self, kind: str, rows: dict[str, Any]) -> Iterator[Row]:
        positions = {text: int(text) for text in rows if _is_position(text) and int(text) > 0}
        for text, position in sorted(positions.items(), key=itemgetter(1)):
            try:
                data = dump(rows[text])
            except (ValueError, RecursionError) as error:  # json.loads accepts NaN, which is not JSON
                self.report(1, f"{kind} {position} is not a document: {error}", _text_of(rows[text]))
                continue
            yield Row(kind, position, data, 1)
        for text in rows:
            if text not in positions:
                what = f"{kind} {text[:20]!r} has no position from 1 to {MAX_POSITION}"
                self.report(1, what, _text_of(rows[text]))


def _text_of(value: object) -> bytes:
    """Return the value as JSON for a report, empty if it is nested too deeply."""
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b""


def _is_position(text: str) -> bool:
    return text.isdecimal() and len(text) <= len(str(MAX_POSITION)) and int(text) <= MAX_POSITION


def is_ours(path: Path) -> bool:
    """Return whether Tinyscim wrote the file, not TinyDB itself: its first line or its end says so."""
    with open_to_read(path) as file:
        return file.read(len(FIRST_LINE)) == FIRST_LINE or read_meta(path) is not None


def read_meta(path: Path) -> Meta | None:
    """Return the metadata at the end of a snapshot, None if it is damaged or TinyDB wrote the file."""
    with open_to_read(path) as file:
        file.seek(max(path.stat().st_size - MAX_META, 0))
        return parse_meta(path, file.read().rpartition(META_LINE)[2])


def known_meta(path: Path) -> Meta:
    """Return the metadata of a snapshot. Raises StoreCorrupted."""
    if not is_ours(path):
        raise StoreCorrupted(
            f"{path}, line 1: another program, such as TinyDB, has rewritten the file while the service was running."
            " Restart the service, which then takes over what the file says."
        )
    meta = read_meta(path)
    if meta is None:
        refuse(Problem(path, 1, "the file is cut off, or its end is damaged"))
    return meta


def parse_meta(path: Path, data: bytes) -> Meta | None:
    """Return the meta table from the lines after its name, None if it is damaged.

    Raises StoreCorrupted if a newer Tinyscim wrote it.
    """
    if not data.startswith(b'"1":') or not data.endswith(END):
        return None
    try:
        return _meta(path, json.loads(data[4 : -len(END)]))
    except ValueError:
        return None


def _meta(path: Path, body: Any) -> Meta | None:
    if not body:
        return None
    if not isinstance(body, dict) or not isinstance(body.get("layout", 0), int):
        raise ValueError("it is not of the form that Tinyscim writes")
    if body.get("layout", 0) > LAYOUT:
        raise StoreCorrupted(f"{path} has layout {body['layout']}, this Tinyscim knows {LAYOUT}: use a newer Tinyscim")
    try:
        meta = Meta(**body)
    except TypeError as error:
        raise ValueError("it is not of the form that Tinyscim writes") from error
    return meta if meta.checksum == meta.sum() else None
