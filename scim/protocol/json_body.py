"""Parses JSON from requests and rejects input that parsers interpret differently."""

import json
import math
from collections import Counter
from typing import Any

from scim.errors import InvalidSyntax, InvalidValue, TooLarge, shorten
from scim.schema.values import is_storable_text

MAX_DEPTH = 50
MAX_VALUES = 300_000  # a group of 25,000 members has half as many; an object takes up to 250 bytes of memory


def parse_json(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body. Raises InvalidSyntax, InvalidValue or TooLarge."""
    try:
        text = raw.decode("utf-8-sig")  # json.loads would guess the encoding and accept halves of surrogate pairs
    except UnicodeDecodeError:
        raise InvalidSyntax("The body is not UTF-8.") from None
    return parse_object(text)


def parse_object(text: str) -> dict[str, Any]:
    """Return the JSON object in a text. Raises InvalidSyntax, InvalidValue, TooLarge.

    Rejects too many values, repeated names, NaN and infinity, text that other systems cannot store (the NUL character,
    halves of surrogate pairs), and deep nesting.
    """
    containers = text.count("{") + text.count("[")
    if containers + text.count(",") > MAX_VALUES:
        raise TooLarge(f"The body has more than {MAX_VALUES} values. Send the change in several requests.")
    try:
        body = _DECODER.decode(text)
    except RecursionError:
        raise InvalidSyntax(_TOO_DEEP) from None
    except ValueError as error:
        raise InvalidSyntax(f"The body is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise InvalidSyntax("The body must be a JSON object.")
    if containers > MAX_DEPTH:
        _check_depth(body)
    if "\\u" in text:  # text that cannot be stored is always escaped
        _check_storable(body)
    return body


_TOO_DEEP = f"The body is nested deeper than {MAX_DEPTH}."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        (name, _), *_rest = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shorten(repr(name))} appears twice")
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is out of range")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)


def _check_depth(body: dict[str, Any]) -> None:
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise InvalidSyntax(_TOO_DEEP)


def _inside(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value
    return [part for part in inner if isinstance(part, dict | list)]


def _check_storable(body: dict[str, Any]) -> None:
    waiting: list[Any] = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and not is_storable_text(value):
            raise InvalidValue("A text has a NUL character or half a surrogate pair in it.")
