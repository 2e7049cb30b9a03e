"""Documents as JSON bytes: the form in which they are kept in memory, in the journal's lines and in most answers.

orjson writes and reads them, but for what it would not give back as it was: integers of more than 64 bits and halves of
surrogate pairs. Such JSON is left to the standard library, and begins with a space (`ODD`) to be known by.
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
    """Return the value of JSON from anywhere, with nothing around it, faster than `json.loads`. Raises ValueError."""
    text = data.decode()
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("there is more after it")
    return value


def encode(value: object) -> bytes:
    """Return the value as JSON. Raises ValueError, TypeError."""
    try:
        data = orjson.dumps(value, option=_NOT_PLAIN)
    except TypeError:  # it is odd, or no JSON at all
        return ODD + dump(value)
    if b"null" in data:  # as which it writes NaN
        dump(value)
    return bytes(memoryview(data))  # a copy: its own has room behind it, 8 KB at least


def decode(data: bytes) -> Any:
    """Return the value of JSON from `encode` or from a journal. Raises ValueError."""
    if data.startswith(ODD):
        return parse(data[1:])
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:  # half a surrogate pair in a kind's name, or in a line of an older version
        return parse(data)
