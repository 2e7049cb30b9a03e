"""JSON, written and read by orjson wherever the standard library, which is slower, would decide alike.

A document rests in this form, stands so in the journal, and is read from it again.
"""

import json
import re
from contextlib import suppress
from typing import Any

import orjson

from storage.base import Document, Sealed


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_json)
_LONG = re.compile(rb"[0-9]{19}")
_NOT_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def dump(value: object) -> bytes:
    """Return the value as JSON, in ASCII; ValueError, TypeError."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def parse(data: bytes) -> Any:
    """Return the value of JSON; ValueError."""
    if not _LONG.search(data):  # of an integer of more than 64 bits orjson makes a float
        with suppress(ValueError):  # half a surrogate pair, or no JSON
            return orjson.loads(data)
    text = data.decode()
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("there is more after it")
    return value


def seal(document: Document) -> Sealed:
    """Return the document's JSON, after a space where orjson would read something else; ValueError, TypeError."""
    try:
        data = orjson.dumps(document, option=_NOT_PLAIN)
    except TypeError:  # half a surrogate pair, an integer of more than 64 bits, or no JSON at all
        return b" " + dump(document)
    if b"null" in data:  # as which it writes NaN
        dump(document)
    return bytes(memoryview(data))  # a copy: its own has room behind it, 8 KB at least


def unseal(sealed: Sealed) -> Document:
    """Return the document."""
    document: Document = json.loads(sealed) if sealed[0] == _SPACE else orjson.loads(sealed)
    return document


_SPACE = ord(" ")
