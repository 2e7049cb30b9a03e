"""What `flask store backup` writes: the documents, the configuration beside them, and as many copies as are kept."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from commands.identity import check_not_redirectable
from commands.output import check_not_service_file
from commands.service_files import ServiceFiles
from config import Config, ConfigError, read
from config.edit import without_secrets
from fileio.atomic import make_folder, replace_atomically
from storage.engine.paths import os_errors_as_unavailable

_COPY = re.compile(r"tinyscim-\d{8}T\d{6}Z\.json")


def configuration_of(file: Path) -> Path:
    """Return where the configuration of a backup is."""
    return file.with_name(f"{file.name}.toml")


def new_copy(folder: Path) -> Path:
    """Return the path of a new copy in a folder, which is created if it is missing."""
    with os_errors_as_unavailable():
        make_folder(folder)
    return folder / f"tinyscim-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"


def remove_copies(folder: Path, keep: int) -> list[Path]:
    """Remove all but the newest copies; other files are left alone."""
    copies = sorted(path for path in folder.iterdir() if _COPY.fullmatch(path.name))[:-keep]
    for path in copies:
        configuration_of(path).unlink(missing_ok=True)
        path.unlink()
    return copies


def check_writable(path: Path, *, overwrite: bool) -> None:
    """Refuse files of the service, special files, those that root could be led to, and existing ones."""
    check_not_service_file(path)
    check_regular_file(path)
    check_not_redirectable(path)
    if os.path.lexists(path) and not overwrite:
        raise click.ClickException(f"{path} exists. Choose another name, or replace it with --overwrite.")


def check_regular_file(path: Path) -> None:
    """Refuse to write to anything but a regular file."""
    if path.exists() and not path.is_file():
        raise click.ClickException(f"{path} exists and is not a regular file")


def write_configuration(source: Path, path: Path, *, with_secrets: bool) -> None:
    """Write the configuration to a path, and check that it can be read again."""
    with os_errors_as_unavailable():
        text = source.read_text(encoding="utf-8-sig")
        replace_atomically(path, [(text if with_secrets else without_secrets(text)).encode()])
    try:
        read(path)
    except ConfigError as error:
        raise click.ClickException(f"The configuration in the backup is unusable. {error}") from None


def note(settings: Config, where: str) -> None:
    """Record that a backup has been written, for the metrics."""
    if settings.path:
        with os_errors_as_unavailable():
            replace_atomically(ServiceFiles(settings).last_backup, [json.dumps({"path": where}).encode()])


def left_out(settings: Config, *, has_configuration: bool, with_secrets: bool) -> Iterator[str]:
    """Yield what a backup does not have."""
    if settings.path and not has_configuration:
        yield f"the configuration ({settings.path})"
    elif settings.path and not with_secrets:
        yield "the secrets of the configuration (include them with --with-secrets)"
    if log := ServiceFiles(settings).log:
        yield f"the provisioning log ({log.path})"
