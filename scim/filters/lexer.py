"""Splits a filter or a path into tokens."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from scim.body import is_keepable
from scim.errors import InvalidFilter

MAX_LENGTH = 16_384

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_TOKEN = re.compile(rf"""(?P<mark>[()\[\]])|(?P<string>{_STRING.pattern})|(?P<word>[^\s()\[\]"]+)|(?P<open>")""")

_DECODER = json.JSONDecoder()


class Token(NamedTuple):
    """A piece of a filter: kind "mark", "string", "word" or "end", its text, and where it starts, from 1."""

    kind: str
    text: str
    place: int

    def is_word(self, *words: str) -> bool:
        """Tell whether this is one of the keywords, which are case-insensitive."""
        return self.kind == "word" and self.text.lower() in words


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens and then the end. Raises InvalidFilter."""
    if len(text) > MAX_LENGTH:
        raise _too_long()
    for match in _TOKEN.finditer(text):
        kind, place = match.lastgroup or "", match.start() + 1
        if kind == "open":
            raise InvalidFilter(f"The quotation mark at character {place} is not closed.")
        yield Token(kind, match[0], place)
    yield Token("end", "", len(text.rstrip()) + 1)


def _too_long() -> InvalidFilter:
    return InvalidFilter(f"The filter is longer than {MAX_LENGTH} characters.")


def cut_strings(text: str) -> tuple[str, list[str]]:
    """Return the text with its strings left empty, and the strings. Raises InvalidFilter."""
    if len(text) > MAX_LENGTH:
        raise _too_long()
    return _STRING.sub('""', text), _STRING.findall(text)


def unquote(text: str, place: int = 0) -> str:
    """Return the text of a string token, which is a JSON string. Raises InvalidFilter."""
    try:
        unquoted: str = _DECODER.raw_decode(text)[0]
    except ValueError:
        raise InvalidFilter(f"The string at character {place} is not a JSON string.") from None
    if not is_keepable(unquoted):
        raise InvalidFilter(f"The string at character {place} has a NUL character or half a surrogate pair.")
    return unquoted
