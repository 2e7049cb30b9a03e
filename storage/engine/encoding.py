"""Documents as JSON bytes, in memory and in the journal.

orjson encodes and decodes them. It cannot represent integers of more than 64 bits and lone surrogates: JSON with those
is left to the standard library and begins with a space (`ODD`).
"""

import json
from typing import Any

import orjson


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


ODD = b" "
_DECODER = json.JSONDecoder(parse_constant=_no_json)
_NOT_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def dump(value: object) -> bytes:
    """Return the value as JSON, in ASCII. Raises ValueError, TypeError."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def parse(data: bytes) -> Any:
    """Return the value of JSON that has no space around it, faster than `json.loads`. Raises ValueError."""
    text = data.decode()
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("there is more after it")
    return value


def encode(value: object) -> bytes:
    """Return the value as JSON. Raises ValueError, TypeError."""
    try:
        data = orjson.dumps(value, option=_NOT_PLAIN)
    except TypeError:  # not for orjson, or not JSON at all
        return ODD + dump(value)
    if b"null" in data:  # orjson writes NaN as null
        dump(value)
    return bytes(memoryview(data))  # a copy, since orjson's own buffer has 8 KB or more to spare


def decode(data: bytes) -> Any:
    """Return the value of JSON from `encode` or from a journal. Raises ValueError."""
    if data.startswith(ODD):
        return parse(data[1:])
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:  # a lone surrogate in a kind's name, or in a line of an older version
        return parse(data)
