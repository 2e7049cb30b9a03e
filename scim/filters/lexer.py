"""Splits a filter or a path into tokens."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from scim.body import is_keepable
from scim.errors import InvalidFilter

MAX_LENGTH = 16_384

_TOKEN = re.compile(r"""(?P<mark>[()\[\]])|(?P<string>"(?:[^"\\]|\\.)*")|(?P<word>[^\s()\[\]"]+)|(?P<open>")""")

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
    """Yield the tokens and then the end; InvalidFilter."""
    if len(text) > MAX_LENGTH:
        raise InvalidFilter(f"The filter is longer than {MAX_LENGTH} characters.")
    for match in _TOKEN.finditer(text):
        kind, place = match.lastgroup or "", match.start() + 1
        if kind == "open":
            raise InvalidFilter(f"The quotation mark at character {place} is not closed.")
        yield Token(kind, match[0], place)
    yield Token("end", "", len(text.rstrip()) + 1)


def unquote(token: Token) -> str:
    """Return the text of a string token, which is a JSON string; InvalidFilter."""
    try:
        text: str = _DECODER.raw_decode(token.text)[0]
    except ValueError:
        raise InvalidFilter(f"The string at character {token.place} is not a JSON string.") from None
    if not is_keepable(text):
        raise InvalidFilter(f"The string at character {token.place} has a NUL character or half a surrogate pair.")
    return text
