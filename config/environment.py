"""Options from environment variables: TINYSCIM_SERVER__BIND sets `bind` under [server].

With _FILE at the end, as in TINYSCIM_PANEL__PASSWORD_HASH_FILE, the variable names a file that has the value.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marshmallow import fields

from config.fields import Text
from config.schema import ConfigSchema
from fileio.atomic import open_to_read

PREFIX, FILE = "TINYSCIM_", "_FILE"
MAX_BYTES = 65_536  # of a file with a value
_TABLES = {name: field.schema for name, field in ConfigSchema().fields.items() if isinstance(field, fields.Nested)}
_OPTIONS = {
    f"{PREFIX}{table}__{option}".upper(): (table, option, isinstance(field, Text))
    for table, schema in _TABLES.items()
    for option, field in schema.fields.items()
}


@dataclass(frozen=True, slots=True)
class Override:
    """An option that an environment variable sets."""

    variable: str
    table: str
    option: str
    value: Any

    def is_cause_of(self, line: str) -> bool:
        """Return whether an error of the configuration is about this option."""
        return line.startswith(f"[{self.table}] {self.option} ")


def overrides() -> dict[tuple[str, str], Override]:
    """Return the options that the environment sets, by table and option. Raises ValueError, which names the variable.

    Variables without two underscores are ignored: Kubernetes sets some for a service of this name.
    """
    found: dict[tuple[str, str], Override] = {}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and "__" in variable:
            one = _override(variable, os.environ[variable])
            if other := found.get((one.table, one.option)):
                raise ValueError(f"{other.variable} and {variable} set the same option: remove one of them")
            found[one.table, one.option] = one
    return found


def merged(tables: Mapping[str, Any], given: Iterable[Override]) -> dict[str, Any]:
    """Return the tables of the file with the options of the environment."""
    result = dict(tables)
    for one in given:
        table = result.get(one.table, {})
        if isinstance(table, Mapping):  # otherwise validation reports it
            result[one.table] = {**table, one.option: one.value}
    return result


def _override(variable: str, text: str) -> Override:
    name = variable.removesuffix(FILE)
    if name not in _OPTIONS:
        raise ValueError(f"{variable}: there is no such option. A correct name is, for example, {PREFIX}SERVER__BIND.")
    table, option, is_text = _OPTIONS[name]
    if name != variable:
        text = _content(variable, Path(text))
    return Override(variable, table, option, text if is_text else _parsed(variable, text))


def _content(variable: str, path: Path) -> str:
    try:
        with open_to_read(path) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"{variable}: {path} has more than {MAX_BYTES} bytes")
        return data.decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{variable}: {path}: {error.strerror}") from None
    except UnicodeError:
        raise ValueError(f"{variable}: {path} is not UTF-8") from None


def _parsed(variable: str, text: str) -> Any:
    """Return a value in TOML's notation, such as `true`, `8` or `["a", "b"]`."""
    try:
        tables = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        tables = {}
    if list(tables) != ["value"]:
        raise ValueError(f'{variable}: write the value as in the file: true, 8 or ["a", "b"]')
    return tables["value"]
