"""`flask config`: show the configuration."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import click
from flask import current_app

from commands.identity import Group
from commands.output import print_table
from commands.paths import config_path
from config import TABLES, overrides, read_text
from config.checks import without_password
from config.unchecked import SECRETS

config = Group("config", help="Show the configuration.")
ARRAYS = ("tokens", "revoked_tokens", "clients", "webhooks", "schemas", "roles")


@config.command("show")
def show() -> None:
    """Show every option, its value, and where the value comes from. Secrets are hidden."""
    path = config_path()
    current, given = current_app.extensions["tinyscim"].live_config.current, overrides()
    written = tomllib.loads(read_text(path))
    click.echo(f"{path}, and the environment:")
    print_table(("Option", "Source", "Value"), [*_options(current, written, given), *_arrays(current)])


def _options(current: Any, written: dict[str, Any], given: dict[Any, Any]) -> Iterator[tuple[str, str, str]]:
    for table, options in TABLES.items():
        for option in (field.name for field in fields(options)):
            value = getattr(getattr(current, table), option)
            source = "file" if option in written.get(table, {}) else "default"
            if override := given.get((table, option)):
                source = override.variable
            yield f"[{table}] {option}", source, _shown(option, value)


def _shown(option: str, value: Any) -> str:
    if option in SECRETS and value:
        return "(hidden)"
    return json.dumps(without_password(value, ":***") if option == "url" else value, ensure_ascii=False)


def _arrays(current: Any) -> Iterator[tuple[str, str, str]]:
    for name in ARRAYS:
        number = len(getattr(current, name))
        yield f"[[{name}]]", "file" if number else "default", str(number)
