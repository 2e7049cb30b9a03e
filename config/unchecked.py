"""Tables of the configuration that have not been validated yet: their values may have any type."""

from collections.abc import Mapping
from typing import Any

NO_NUL = "must have no NUL character"
SECRETS = ("sha256", "password_hash", "secret")


def table_of(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table, or an empty one if it is not a table."""
    table = tables.get(name, {})
    return table if isinstance(table, Mapping) else {}


def values_of(tables: Mapping[str, Any], name: str, key: str) -> list[str]:
    """Return the texts under a key of an array of tables, which may be invalid."""
    array = tables.get(name)
    found = (table.get(key) for table in array if isinstance(table, Mapping)) if isinstance(array, list | tuple) else ()
    return [value for value in found if isinstance(value, str)]


def nul_errors(value: Any) -> Any:
    """Return marshmallow's messages for each NUL in a value."""
    if isinstance(value, str):
        return [NO_NUL] if "\0" in value else []
    if isinstance(value, Mapping):
        found = ((key, [NO_NUL] if "\0" in key else nul_errors(inner)) for key, inner in value.items())
        return {key: [NO_NUL] if key in SECRETS else errors for key, errors in found if errors}
    if isinstance(value, list | tuple):
        return {index: errors for index, inner in enumerate(value) if (errors := nul_errors(inner))}
    return []
