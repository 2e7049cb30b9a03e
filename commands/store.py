"""`flask store`: check, repair, compact, back up, restore, export and import the data file or the database."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import current_app

from commands import backup as backups
from commands.output import STDOUT, Group, check_stdout_open, opened, to_file
from config import Config
from config.checks import without_password
from fileio.csv_writer import write_table
from storage.base import Index, Store
from storage.maintenance.repair import Salvage
from storage.maintenance.repair import check as check_files
from storage.maintenance.repair import repair as repair_files
from storage.maintenance.transfer import backup as write_backup
from storage.maintenance.transfer import backup_pieces, export_lines, export_rows, import_lines
from storage.maintenance.transfer import restore as restore_files
from storage.tinydb_store import TinyDBStore

if TYPE_CHECKING:  # it needs packages that only a database needs
    from storage.postgres_store import PostgresStore

group = Group("store", is_all=True, help="Check, repair, back up, export and import the store.")
PG_DUMP = "Back it up with pg_dump, or with the database service's own backups; `flask store export` also works."
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def closed_store(instead: str = "") -> TinyDBStore:
    """Return the configured store, which is not open yet. For a database the error says what to do instead."""
    store = current_app.extensions["tinyscim"].store
    if isinstance(store, TinyDBStore):
        return store
    if database():
        raise click.ClickException(f"There is no data file: the service stores its data in {shown_url()}. {instead}")
    raise click.ClickException("There is no data file: the service stores its data in memory.")


def database() -> "PostgresStore | None":
    """Return the configured database, which is not open yet, or None if the store is another."""
    service = current_app.extensions["tinyscim"]
    return service.store if shown_url() and not isinstance(service.store, TinyDBStore) else None


def shown_url() -> str:
    """Return the URL of the configured database without its password."""
    return without_password(current_app.extensions["tinyscim"].live_config.current.store.url)


def indexes() -> list[Index]:
    """Return the service's indexes."""
    return list(current_app.extensions["tinyscim"].indexes.all)


@contextmanager
def open_file(instead: str = "") -> Iterator[TinyDBStore]:
    """Open the data file for one command. For a database the error says what to do instead."""
    with closing(closed_store(instead)) as store:
        store.open(indexes())
        yield store


@contextmanager
def open_store() -> Iterator[Store]:
    """Open the store for one command."""
    found = database()
    if found is None:
        with open_file() as store:
            yield store
    else:
        with closing(found):
            found.attach(indexes())
            yield found


@group.command()
def check() -> None:
    """Check all files, or a database's indexes, for damage.

    The service may be running, and nothing is changed. The exit status is 1 if there is damage.
    """
    if found := database():
        _check_database(found)
        return
    store = closed_store()
    salvage = check_files(store.files, indexes(), store.check)
    for note in [*salvage.notes, *salvage.shared_keys(indexes())]:
        click.echo(f"note: {note}")
    for problem in salvage.problems:
        click.echo(problem)
    if salvage.problems:
        raise click.ClickException("The store is damaged. Stop the service and run `flask store repair`.")
    click.echo(f"OK: {contents(_counts(salvage))}")


def _check_database(store: "PostgresStore") -> None:
    found = store.check(indexes())
    for problem in found.problems:
        click.echo(problem)
    if found.problems:
        raise click.ClickException(f"{shown_url()} is damaged. Stop the service and run `flask store repair`.")
    click.echo(f"OK: {contents(found.counts)} in {shown_url()}")


@group.command()
def repair() -> None:
    """Recover the intact records of damaged files.

    The service must be stopped. The damaged files and the unreadable lines are kept in a folder beside them, and
    every record that is lost is listed. Undamaged files are not changed. In a database the indexes are built again.
    """
    if found := database():
        found.repair(indexes())
        click.echo(f"Built the indexes of {shown_url()} again. Start the service, or restart it on every host.")
        return
    store = closed_store()
    salvage, folder = repair_files(store.files, indexes(), store.check)
    if folder is None:
        click.echo(f"Nothing to repair: {contents(_counts(salvage))}")
        return
    for outcome in salvage.outcomes():
        click.echo(outcome)
    click.echo(f"Recovered: {contents(_counts(salvage))}")
    click.echo(f"The damaged files are kept in {folder}")


@group.command()
def compact() -> None:
    """Merge the journal into the data file.

    TinyDB can then read all of it. The service may be running; it also does this by itself when the journal is long.
    """
    with open_file("PostgreSQL cleans up by itself (autovacuum).") as store:
        store.compact()


@group.command()
@click.argument("path", type=click.Path(allow_dash=True))
@click.option("--overwrite", is_flag=True, help="Replace PATH if it exists.")
@click.option("--with-secrets", is_flag=True, help="Include the hashes of tokens and passwords.")
@click.option("--keep", type=click.IntRange(1, 10_000), help="Write to a new file in the folder PATH; keep this many.")
def backup(path: str, overwrite: bool, with_secrets: bool, keep: int | None) -> None:
    """Write a consistent backup to PATH, or to stdout for -.

    The service may be running. The backup is a complete TinyDB file with all users, groups and memberships, which is
    read again to verify it. The configuration is written beside it to PATH.toml, without secrets; it is not on stdout.
    The provisioning log is left out.
    """
    closed_store(PG_DUMP)
    settings = current_app.extensions["tinyscim"].live_config.current
    if path == STDOUT:
        if keep or with_secrets:
            raise click.UsageError("--keep and --with-secrets need a path")
        _back_up_to_stdout()
    else:
        file = backups.new_copy(Path(path)) if keep else Path(path)
        _back_up(settings, file, overwrite=overwrite, with_secrets=with_secrets)
    backups.note(settings, path)
    for old in backups.remove_copies(Path(path), keep) if keep else ():
        click.echo(f"Removed {old}")
    parts = backups.left_out(settings, has_configuration=path != STDOUT, with_secrets=with_secrets)
    if missing := list(parts):
        click.echo(f"Not in the backup: {' and '.join(missing)}. Copy separately what you need.", err=True)


def _back_up_to_stdout() -> None:
    check_stdout_open()
    with open_file() as store, store.reading() as reader, click.open_file(STDOUT, "wb") as stdout:
        stdout.writelines(backup_pieces(reader))


def _back_up(settings: Config, file: Path, *, overwrite: bool, with_secrets: bool) -> None:
    configuration = backups.configuration_of(file)
    for path in (file, configuration):
        backups.check_writable(path, overwrite=overwrite)
    with open_file() as store, store.reading() as reader:
        number = write_backup(reader, file, indexes(), store.check)
    click.echo(f"Wrote {_count(number, 'document')} to {file}")
    if settings.path:
        backups.write_configuration(settings.path, configuration, with_secrets=with_secrets)
        click.echo(f"Wrote the configuration to {configuration}")


@group.command()
@click.argument("path", type=FILE)
@click.confirmation_option(prompt="Replace the contents of the store?")
def restore(path: Path) -> None:
    """Replace the contents of the store with the backup PATH.

    The service must be stopped. PATH may also be a file that TinyDB wrote. The previous files are kept in a folder
    beside the store.
    """
    store = closed_store("Use pg_restore, or the database service's own backups.")
    number, folder = restore_files(store.files, path, indexes(), store.check)
    click.echo(f"Restored {_count(number, 'document')}" + (f"; the previous files are in {folder}" if folder else ""))


@group.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON lines can be imported again; CSV is for spreadsheets.",
)
@click.option("--type", "kind", help="Only export this resource type, such as User. CSV requires it.")
@to_file
def export(form: str, kind: str | None, output: str) -> None:
    """Write all documents as JSON lines, or one type as CSV.

    `flask store import` reads the JSON lines. The service may be running. In CSV each value has a column of its own,
    such as emails[0].value.
    """
    if form == "csv" and kind is None:
        raise click.UsageError("CSV contains one resource type: add, for example, --type User")
    with open_store() as store, store.reading() as reader:
        there = reader.kinds()
        if kind and kind not in there:
            raise click.ClickException(_no_documents(kind, there))
        if output != STDOUT:
            backups.check_regular_file(Path(output))
        with opened(output) as file:
            if kind and form == "csv":
                write_table(file, export_rows(reader, kind))
            else:
                file.writelines(f"{line}\n" for line in export_lines(reader, [kind] if kind else there))


@group.command("import")
@click.argument("file", type=FILE)
def import_(file: Path) -> None:
    """Import the JSON lines of `flask store export` from FILE.

    The service may be running. Existing documents are replaced, so an import can be repeated.
    """
    bar = click.progressbar(length=file.stat().st_size, label="Importing", file=sys.stderr)
    service = current_app.extensions["tinyscim"]
    with open_store(), file.open("rb") as lines, bar:
        counts = import_lines(service.feed.writing, _checked_lines(file, lines), bar.update, service.check_document)
    click.echo(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))


def _checked_lines(path: Path, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines, unless the first shows that the file is not an export."""
    for number, line in enumerate(lines):
        if number == 0 and not line.lstrip().startswith((b"{", b"[")) and line.strip():
            raise click.ClickException(f"{path} is not an export of `flask store export`")
        yield line


def _no_documents(kind: str, there: list[str]) -> str:
    if not there:
        return "The store is empty."
    alike = [name for name in there if name.lower() == kind.lower()]
    return f'Unknown resource type "{kind}" (try {", ".join(alike or there)})'


def _counts(salvage: Salvage) -> dict[str, int]:
    return {kind: len(table) for kind, table in salvage.tables.items()}


def contents(found: Mapping[str, int]) -> str:
    """Return how many documents of each kind there are, such as "2 users (1 disabled), 1 group"."""
    counts = dict(sorted(found.items()))
    disabled = counts.pop("Disabled", 0)
    named = [
        (counts.pop(kind, 0), noun)
        for kind, noun in (("User", "user"), ("Group", "group"), ("Membership", "membership"))
    ]
    texts = [_count(count, noun) for count, noun in named if count]
    if named[0][0] and disabled:
        texts[0] += f" ({disabled} disabled)"
    return ", ".join([*texts, *(f"{count} {kind}" for kind, count in counts.items())]) or "the store is empty"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
