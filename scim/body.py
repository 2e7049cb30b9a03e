"""Reads the JSON in a request's body, and refuses what two parsers could read differently."""

import json
import math
import re
from typing import Any

from scim.errors import InvalidSyntax, InvalidValue

_HALF_OR_NUL = re.compile("[\ud800-\udfff\0]")


def parse_json(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body; InvalidSyntax, InvalidValue.

    Refused are repeated names and numbers that JSON has no word for, where parsers differ about what they mean, and
    text that a later system could not keep: the NUL character and halves of surrogate pairs.
    """
    try:
        text = raw.decode("utf-8-sig")  # json.loads would guess, and let halves of surrogate pairs through
        body = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError:
        raise InvalidSyntax("The body is not UTF-8.") from None
    except RecursionError:
        raise InvalidSyntax("The body is nested too deeply.") from None
    except ValueError as error:
        raise InvalidSyntax(f"The body is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise InvalidSyntax("The body must be a JSON object.")
    if b"\\u" in raw:  # neither can be written in valid UTF-8 but as an escape
        _refuse_unkeepable(body)
    return body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is out of range")
    return number


def _refuse_unkeepable(body: dict[str, Any]) -> None:
    waiting: list[Any] = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and _HALF_OR_NUL.search(value):
            raise InvalidValue("A text has a NUL character or half a surrogate pair in it.")
