"""Splits a filter or a path into tokens."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from scim.errors import InvalidFilter
from scim.schema.values import is_storable_text

MAX_LENGTH = 16_384

# An unclosed string extends to the end of the text. The pattern matches at every quotation mark, so that no character
# is read twice.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?P<closed>"?)', re.DOTALL)
_TOKEN = re.compile(rf"""(?P<mark>[()\[\]])|(?P<word>[^\s()\[\]"]+)|(?P<string>{_STRING.pattern})""", re.DOTALL)

_DECODER = json.JSONDecoder()


class Token(NamedTuple):
    """A token: kind "mark", "string", "word" or "end", its text, and its position, which starts at 1."""

    kind: str
    text: str
    position: int

    def is_word(self, *words: str) -> bool:
        """Return whether this is one of the keywords, which are case-insensitive."""
        return self.kind == "word" and self.text.lower() in words


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens, then an "end" token. Raises InvalidFilter."""
    if len(text) > MAX_LENGTH:
        raise _too_long()
    for match in _TOKEN.finditer(text):
        position = match.start() + 1
        if match["string"] is not None and not match["closed"]:
            raise _not_closed(position)
        yield Token(match.lastgroup or "", match[0], position)
    yield Token("end", "", len(text.rstrip()) + 1)


def _too_long() -> InvalidFilter:
    return InvalidFilter(f"The filter is longer than {MAX_LENGTH} characters.")


def _not_closed(position: int) -> InvalidFilter:
    return InvalidFilter(f"The quotation mark at character {position} is not closed.")


def cut_strings(text: str) -> tuple[str, list[str]]:
    """Return the text with empty strings in place of its strings, and the strings. Raises InvalidFilter."""
    if len(text) > MAX_LENGTH:
        raise _too_long()
    strings = list(_STRING.finditer(text))
    if strings and not strings[-1]["closed"]:
        raise _not_closed(strings[-1].start() + 1)
    return _STRING.sub('""', text), [string[0] for string in strings]


def unquote(text: str, position: int = 0) -> str:
    """Return the text of a string token, which is a JSON string. Raises InvalidFilter."""
    try:
        unquoted: str = _DECODER.raw_decode(text)[0]
    except ValueError:
        raise InvalidFilter(f"The string at character {position} is not a JSON string.") from None
    if not is_storable_text(unquoted):
        raise InvalidFilter(f"The string at character {position} has a NUL character or half a surrogate pair.")
    return unquoted
