"""marshmallow's messages as lines that name the table and the option."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from marshmallow import Schema, fields

from config.fields import UNKNOWN

Messages = dict[Any, Any]


def error_lines(schema: Schema, messages: Messages) -> Iterator[str]:
    """Yield a line for each of marshmallow's messages, which names the table and the key."""
    for name, inner in messages.items():
        if _has_unknown(inner):
            yield f"there is no table [{name}]; there are {', '.join(sorted(schema.fields))}"
            inner = [message for message in inner if message != UNKNOWN]
        field = schema.fields.get(name)
        where = f"[[{name}]]" if isinstance(field, fields.List) else f"[{name}]"
        yield from _lines(inner, where, _schema(field))


def _schema(field: Any) -> Schema | None:
    """Return the schema of a field's table or tables, or None for a single value."""
    inner = field.inner if isinstance(field, fields.List) else field
    return inner.schema if isinstance(inner, fields.Nested) else None


def _has_unknown(messages: Any) -> bool:
    return isinstance(messages, list) and UNKNOWN in messages


def _lines(messages: Any, where: str, schema: Schema | None) -> Iterator[str]:
    if isinstance(messages, list):
        return (f"{where} {message}" for message in messages)
    return chain.from_iterable(_keyed_lines(key, inner, where, schema) for key, inner in messages.items())


def _keyed_lines(key: Any, inner: Any, where: str, schema: Schema | None) -> Iterator[str]:
    options = schema.fields if schema else {}
    if _has_unknown(inner):
        yield f"{where}: there is no option {key}; there are {', '.join(options)}"
        inner = [message for message in inner if message != UNKNOWN]
    name = {"_schema": ""}.get(key, f" number {key + 1}" if isinstance(key, int) else f" {key}")
    yield from _lines(inner, f"{where}{name}", schema if isinstance(key, int) else _schema(options.get(key)))
