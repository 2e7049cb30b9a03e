"""`flask store ...`: looking after the data file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import current_app

from commands.identity import refuse_to_be_led
from commands.output import STDOUT, Group, check_not_service_file, check_stdout_open, opened, to_file
from fileio.csv_writer import write_table
from storage.base import Index
from storage.maintenance.repair import Salvage
from storage.maintenance.repair import check as check_files
from storage.maintenance.repair import repair as repair_files
from storage.maintenance.transfer import backup as write_backup
from storage.maintenance.transfer import backup_pieces, export_lines, export_rows, import_lines
from storage.maintenance.transfer import restore as restore_files
from storage.tinydb_store import TinyDBStore

group = Group(
    "store", is_all=True, help="Look after the data file: check, repair, compact, back up, export and import."
)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def closed_store() -> TinyDBStore:
    """Return the store, which the service configured and nobody has opened."""
    store = current_app.extensions["tinyscim"].store
    if not isinstance(store, TinyDBStore):
        raise click.ClickException("there is no data file: the service keeps its data in memory")
    return store


def indexes() -> list[Index]:
    """Return the indexes that the service keeps."""
    return list(current_app.extensions["tinyscim"].indexes.all)


@contextmanager
def open_store() -> Iterator[TinyDBStore]:
    """Open the store for one command."""
    store = closed_store()
    store.open(indexes())
    try:
        yield store
    finally:
        store.close()


@group.command()
def check() -> None:
    """Read all files and say what is wrong with them, changing nothing.

    The service may be running. The status is 1 if anything is wrong.
    """
    salvage = check_files(closed_store().files, indexes())
    for note in [*salvage.notes, *salvage.shared_keys(indexes())]:
        click.echo(f"note: {note}")
    for problem in salvage.problems:
        click.echo(problem)
    if salvage.problems:
        raise click.ClickException("the store is damaged: stop the service and run `flask store repair`")
    click.echo(f"sound: {contents(salvage)}")


@group.command()
def repair() -> None:
    """Save what is sound of damaged files.

    The service must be stopped. The files as they were, and the lines that could not be read, are put in a
    folder beside them; what is left out is listed. Sound files are left as they are.
    """
    salvage, folder = repair_files(closed_store().files, indexes())
    if folder is None:
        click.echo(f"nothing to repair: {contents(salvage)}")
        return
    for outcome in salvage.outcomes():
        click.echo(outcome)
    click.echo(f"saved: {contents(salvage)}")
    click.echo(f"the files as they were are in {folder}")


@group.command()
def compact() -> None:
    """Bring the data file up to date with its journal, so that any TinyDB reads all of it.

    The service may be running, and does this by itself when the journal is long.
    """
    with open_store() as store:
        store.compact()


@group.command()
@click.argument("path", type=click.Path(dir_okay=False, allow_dash=True))
def backup(path: str) -> None:
    """Write all that is kept to the file PATH, or to stdout for -, as it is at one moment.

    The service may be running. The backup is a TinyDB file that stands alone.
    """
    with open_store() as store, store.reading() as reader:
        if path == STDOUT:
            check_stdout_open()
            with click.open_file(STDOUT, "wb") as stdout:
                stdout.writelines(backup_pieces(reader))
        else:
            file = Path(path)
            check_not_service_file(file)
            check_regular_file(file)
            refuse_to_be_led(file)
            click.echo(f"wrote {write_backup(reader, file)} documents to {path}")


@group.command()
@click.argument("path", type=FILE)
@click.confirmation_option(prompt="Replace all that the store holds?")
def restore(path: Path) -> None:
    """Put the contents of the backup PATH in the place of all that the store holds.

    The service must be stopped. PATH may also be a file that TinyDB wrote. What the store held before is put
    in a folder beside it.
    """
    number, folder = restore_files(closed_store().files, path, indexes())
    click.echo(f"restored {number} documents" + (f"; what was there before is in {folder}" if folder else ""))


@group.command()
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--type", "kind", help="Only this type of resource, such as User. CSV needs one.")
@to_file
def export(form: str, kind: str | None, output: str) -> None:
    """Write all documents as JSON lines, which `import` takes, or those of one type as a table.

    The service may be running. In a table each value has a column of its own, such as emails[0].value.
    """
    if form == "csv" and kind is None:
        raise click.UsageError("a table has one type of resource: add --type, such as --type User")
    with open_store() as store, store.reading() as reader:
        there = sorted(reader.version.tables())
        if kind and kind not in there:
            raise click.ClickException(f"there is no {kind}; there are {', '.join(there) or 'no documents'}")
        if output != STDOUT:
            check_regular_file(Path(output))
        with opened(output) as file:
            if kind and form == "csv":
                write_table(file, export_rows(reader, kind))
            else:
                file.writelines(f"{line}\n" for line in export_lines(reader, [kind] if kind else there))


def check_regular_file(path: Path) -> None:
    """Refuse to write over what is no file, such as a device."""
    if path.exists() and not path.is_file():
        raise click.ClickException(f"{path} is there and is no file")


@group.command("import")
@click.argument("file", type=FILE)
def import_(file: Path) -> None:
    """Bring in the JSON lines of `export` from FILE.

    The service may be running. What is there already is replaced, so that an import can be repeated.
    """
    bar = click.progressbar(length=file.stat().st_size, label="importing")
    check = current_app.extensions["tinyscim"].check_document
    with open_store() as store, file.open("rb") as lines, bar:
        counts = import_lines(store, lines, bar.update, check)
    click.echo(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))


def contents(salvage: Salvage) -> str:
    """Say how many documents of each kind there are."""
    return ", ".join(f"{len(table)} {kind}" for kind, table in sorted(salvage.tables.items())) or "no documents"
