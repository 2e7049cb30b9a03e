"""Convert the files to the current layout before they are used."""

from pathlib import Path

from fileio.atomic import close_folder, copy_private, make_folder, sync_folder
from fileio.locks import locked
from storage.base import NOTHING, StoreCorrupted
from storage.engine.corruption import CheckDocument, accept
from storage.engine.journal import Journal, create, has_more_than_header
from storage.engine.log import prune
from storage.engine.paths import Files
from storage.engine.shared_state import read_end
from storage.engine.snapshot import Meta, Row, Snapshot, is_ours, read_meta, save


def migrate(files: Files, check: CheckDocument = accept) -> None:
    """Create the first files, or convert a standalone or older file to the current layout. Raises StoreCorrupted.

    `check` is called with each document of a file that another program wrote.
    """
    make_folder(files.lock("open").parent)
    close_folder(files.lock("open").parent)
    if _is_current(files):
        return
    with locked(files.lock("compact")), locked(files.lock("write")):
        if not _is_current(files):
            _convert(files, check)


def _is_current(files: Files) -> bool:
    if not files.snapshot.exists():
        return False
    meta = read_meta(files.snapshot)
    # A damaged file is not converted: reading it reports the damage.
    return meta.generation > 0 if meta else is_ours(files.snapshot)


def _convert(files: Files, check: CheckDocument) -> None:
    snapshot, rows = Snapshot(files.snapshot, check=check), list[Row]()
    if files.snapshot.exists():
        rows = [row for row, _ in snapshot.documents()]
        _keep_copy(files.snapshot, files.aside("backup"))
    meta = snapshot.meta or Meta()
    if not meta.generation:
        _check_no_journals(files)
        prune(files, NOTHING)
        create(files.journal(1), meta.sequence)
    save(files.snapshot, rows, Meta(meta.generation or 1, meta.sequence, meta.last))


def _keep_copy(path: Path, copy: Path) -> None:
    if not is_ours(path):
        copy_private(path, copy)
        sync_folder(path.parent)


def _check_no_journals(files: Files) -> None:
    for generation in files.generations():
        path = files.journal(generation)
        # The first may exist, empty and never opened, if creating the files was interrupted.
        if generation > 1 or has_more_than_header(path) or (_was_opened(files, path) and not files.snapshot.exists()):
            says = "does not say so" if files.snapshot.exists() else "is missing"
            raise StoreCorrupted(
                f"{path} continues {files.snapshot}, which {says}. Bring the right file back. If there is none, run"
                " `flask store restore` with a backup, or `flask store repair` to keep what the journal has."
            )


def _was_opened(files: Files, path: Path) -> bool:
    """Return whether a process has served the store with this journal."""
    end = read_end(files.lock("write"))
    return end is not None and end.journal == Journal(path).id
