"""Back up, restore, export and import documents."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any

from fileio.atomic import replace_atomically
from storage.base import Document, Index, Reader, StoreCorrupted, StoreError, Writer
from storage.engine.compaction import rows_of
from storage.engine.corruption import CheckDocument, accept
from storage.engine.encoding import dump
from storage.engine.paths import Files, os_errors_as_unavailable
from storage.engine.snapshot import Meta
from storage.engine.snapshot import pieces as snapshot_pieces
from storage.engine.tinydb_adapter import View
from storage.maintenance.repair import Salvage, exclusive, keep_originals, replace_all

BATCH = 500  # lines for each transaction, and so for each fsync


class Refused(StoreError):
    """A line cannot be imported; the batches before its own have been."""


def backup(view: View, path: Path, indexes: Iterable[Index] = (), check: CheckDocument = accept) -> int:
    """Write one version as a standalone file, and read it again; return how many documents it has.

    Raises StoreCorrupted if the file is not what was to be written.
    """
    with os_errors_as_unavailable():
        replace_atomically(path, backup_pieces(view))
    found = Salvage(Files(path), indexes, check)
    for problem in found.problems:
        raise StoreCorrupted(f"{problem}; the backup is unusable. Check the disk, and write another.")
    if sorted(found.rows()) != sorted(rows_of(view.version)):
        raise StoreCorrupted(f"{path}: the backup differs from the store. Check the disk, and write another.")
    return sum(map(len, found.tables.values()))


def backup_pieces(view: View) -> Iterator[bytes]:
    """Yield the contents of a backup."""
    last = {kind: table.last for kind, table in view.version.tables().items()}
    return snapshot_pieces(rows_of(view.version), Meta(last=last))


def restore(
    files: Files, source: Path, indexes: Iterable[Index] = (), check: CheckDocument = accept
) -> tuple[int, Path | None]:
    """Replace all documents by those of a backup or a TinyDB file. Raises StoreCorrupted.

    Returns the number of documents, and the folder with the original files.
    """
    with exclusive(files):
        wanted, there = Salvage(Files(source), list(indexes), check), Salvage(files)
        for problem in wanted.problems:
            raise StoreCorrupted(f"{problem}; nothing was restored")
        folder = keep_originals(files, there.problems) if files.exist() else None
        last = {kind: max(wanted.last.get(kind, 0), there.last.get(kind, 0)) for kind in wanted.last | there.last}
        replace_all(files, wanted.rows(), last, there.sequence)
        return sum(map(len, wanted.tables.values())), folder


def export_lines(reader: Reader, kinds: Iterable[str]) -> Iterator[str]:
    """Yield a JSON line for each document, as `import_lines` reads it."""
    for kind in kinds:
        for stored in reader.scan(kind):
            yield json.dumps({"kind": kind, "document": stored.data}, separators=(",", ":"))


def import_lines(
    writing: Callable[[], AbstractContextManager[Writer]],
    lines: Iterable[bytes],
    done: Callable[[int], object] = lambda size: None,
    check: CheckDocument = accept,
) -> dict[str, int]:
    """Insert or replace a document for each line. Raises Refused.

    `writing` opens the writer of each batch, and `done` is called with its size in bytes. `check` raises ValueError for
    an invalid document.
    """
    counts = {"inserted": 0, "replaced": 0, "unchanged": 0}
    numbered = enumerate(lines, 1)
    while batch := list(islice(numbered, BATCH)):
        with writing() as tx:
            outcomes = [_import_line(tx, number, line, check) for number, line in batch if line.strip()]
        for outcome in outcomes:
            counts[outcome] += 1
        done(sum(len(line) for _, line in batch))
    return counts


def export_rows(reader: Reader, kind: str) -> Iterator[list[str]]:
    """Yield the names of all columns of a kind, then a row for each document."""
    names = list(dict.fromkeys(name for stored in reader.scan(kind) for name, _ in _cells(stored.data)))
    yield names
    for stored in reader.scan(kind):
        cells = dict(_cells(stored.data))
        yield [cells.get(name, "") for name in names]


def _import_line(tx: Writer, number: int, line: bytes, check: CheckDocument) -> str:
    try:
        entry = json.loads(line, parse_constant=_no_number)
        kind, document = entry["kind"], entry["document"]
        check(kind, document)
        return _put(tx, kind, document)
    except RecursionError:
        raise Refused(f"line {number}: it is nested too deeply") from None
    except (LookupError, TypeError, AttributeError):
        raise Refused(f'line {number}: it needs a "kind" and a "document", as export writes them') from None
    except (ValueError, StoreError) as error:
        raise Refused(f"line {number}: {error}") from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _put(tx: Writer, kind: str, document: Document) -> str:
    there = tx.get(kind, document["id"])
    if there is None:
        tx.insert(kind, document)
        return "inserted"
    if dump(there.data) == dump(document):
        return "unchanged"
    tx.replace(kind, document)
    return "replaced"


def _cells(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _cells(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _cells(inner, f"{name}[{number}]")
    elif value is not None:
        text = value if isinstance(value, str) else json.dumps(value)
        yield name, text.encode("utf-8", "backslashreplace").decode()
