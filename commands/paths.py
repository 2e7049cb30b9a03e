"""The configuration file that commands change."""

from pathlib import Path

import click
from flask import current_app


def config_path() -> Path:
    """Return the path of the configuration file."""
    path: Path | None = current_app.extensions["tinyscim"].live_config.current.path
    if path is None:
        raise click.ClickException("This application has no configuration file.")
    return path
