"""Bringing the files into today's layout before they are used."""

from pathlib import Path

from fileio.atomic import close_folder, copy_private, make_folder, sync_folder
from fileio.locks import locked
from storage.base import StoreCorrupted
from storage.engine.journal import create, has_more_than_header
from storage.engine.paths import Files
from storage.engine.snapshot import Meta, Row, Snapshot, is_ours, read_meta, save


def prepare(files: Files) -> None:
    """Make the first files, or bring a file that stands alone or is older into today's layout. Raises Damaged."""
    make_folder(files.lock("open").parent)
    close_folder(files.lock("open").parent)
    if _is_current(files):
        return
    with locked(files.lock("compact")), locked(files.lock("write")):
        if not _is_current(files):
            _bring_up(files)


def _is_current(files: Files) -> bool:
    if not files.snapshot.exists():
        return False
    meta = read_meta(files.snapshot)
    # A damaged one is not brought up: reading it says what is wrong.
    return meta.generation > 0 if meta else is_ours(files.snapshot)


def _bring_up(files: Files) -> None:
    snapshot, rows = Snapshot(files.snapshot), list[Row]()
    if files.snapshot.exists():
        rows = [row for row, _ in snapshot.documents()]
        _keep_copy(files.snapshot, files.aside("backup"))
    meta = snapshot.meta or Meta()
    if not meta.generation:
        _refuse_strangers(files)
        create(files.journal(1), meta.sequence)
    save(files.snapshot, rows, Meta(meta.generation or 1, meta.sequence, meta.last))


def _keep_copy(path: Path, copy: Path) -> None:
    if not is_ours(path):
        copy_private(path, copy)
        sync_folder(path.parent)


def _refuse_strangers(files: Files) -> None:
    for generation in files.generations():
        path = files.journal(generation)
        # The first may be there, empty, if making the files was cut short.
        if generation > 1 or has_more_than_header(path):
            says = "does not say so" if files.snapshot.exists() else "is missing"
            raise StoreCorrupted(
                f"{path} goes on from {files.snapshot}, which {says}: bring the right file back,"
                " or move the journal away if its changes are not wanted."
            )
