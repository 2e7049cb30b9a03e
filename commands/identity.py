"""The user that a command runs as."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup, ScriptInfo

from commands.service_files import ServiceFiles
from config import ConfigError
from config.ownership import Owner, of_others, owner_of, warning
from scim.directory.service import Service

_DENIED = os.strerror(errno.EACCES)


class Command(click.Command):
    """A command that only uses the configuration file. If root runs it, it becomes the file's owner."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _as_owner(ctx, is_all=False):
            return super().invoke(ctx)


class Group(AppGroup):
    """Commands that become the files' owner if root runs them; without `is_all` only the configuration counts."""

    def __init__(self, *arguments: Any, is_all: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_all = is_all

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _as_owner(ctx, is_all=self._is_all):
            return super().invoke(ctx)


@contextmanager
def _as_owner(ctx: click.Context, *, is_all: bool) -> Iterator[None]:
    """Become the files' owner permanently if root runs the command, and explain errors that this causes.

    Warns if other users may read the configuration.
    """
    service: Service = ctx.ensure_object(ScriptInfo).load_app().extensions["tinyscim"]
    settings = service.live_config.current
    _warn_of_mode(settings.path)
    owner = None
    if os.geteuid() == 0 and settings.path:
        owner = _owner(ServiceFiles(settings).paths() if is_all else [settings.path])
    if owner:
        owner.become()
    try:
        yield
    except Exception as error:
        if owner and (_DENIED in str(error) or isinstance(error, click.BadParameter)):
            click.echo(f"Run by root, this command acts as {owner.name}, who owns {owner.place}.", err=True)
        raise


def serve_as_owner(paths: list[Path]) -> None:
    """Before `flask run` serves: warn if others may read the configuration, and let root become the files' owner.

    The configuration is the first of the paths. gunicorn does both itself (gunicorn.conf.py). Raises ConfigError.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run" or not paths:
        return
    _warn_of_mode(paths[0])
    if os.geteuid() == 0 and (owner := owner_of(paths)):
        owner.become()


def check_not_redirectable(path: Path) -> None:
    """Refuse to let root write to a file that another user could have replaced."""
    if os.geteuid() == 0 and (place := of_others(path)):
        raise click.ClickException(
            f"other users may change {place} and could redirect root to another file: use a folder that only root may"
            " change, or redirect stdout"
        )


def _warn_of_mode(config_path: Path | None) -> None:
    if text := warning(config_path):
        click.echo(f"Warning: {text}", err=True)


def _owner(paths: list[Path]) -> Owner | None:
    try:
        return owner_of(paths)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
