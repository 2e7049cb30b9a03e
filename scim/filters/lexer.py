"""Splits a filter or a path into tokens."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from scim.errors import InvalidFilter
from scim.schema.values import is_storable_text

MAX_LENGTH = 16_384

# An unclosed string extends to the end of the text, so that no character is read twice. In single quotes, an
# apostrophe ends the string only before a space, a closing bracket or the end of the text.
_DOUBLE = r'"[^"\\]*(?:\\.[^"\\]*)*(?P<closed>"?)'
_SINGLE = r"""(?<![^\s()\[\]"])'(?:[^'\\]++|\\.|'(?=[^\s)\]]))*+(?P<ended>'?)"""
STRING = re.compile(f"{_DOUBLE}|{_SINGLE}", re.DOTALL)
_TOKEN = re.compile(rf"""(?P<mark>[()\[\]])|(?P<string>{STRING.pattern})|(?P<word>[^\s()\[\]"]+)""", re.DOTALL)
_QUOTES = re.compile(r"""(\\[^'])|\\'|''|(")""", re.DOTALL)  # in a string in single quotes

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
        if match["string"] is not None and not _is_closed(match):
            raise _not_closed(position)
        yield Token(match.lastgroup or "", match[0], position)
    yield Token("end", "", len(text.rstrip()) + 1)


def _is_closed(string: re.Match[str]) -> bool:
    return bool(string["closed"] or string["ended"])


def _too_long() -> InvalidFilter:
    return InvalidFilter(f"The filter is longer than {MAX_LENGTH} characters.")


def _not_closed(position: int) -> InvalidFilter:
    return InvalidFilter(f"The quotation mark at character {position} is not closed.")


def cut_strings(text: str) -> tuple[str, list[str]]:
    """Return the text with empty strings in place of its strings, and the strings. Raises InvalidFilter."""
    if len(text) > MAX_LENGTH:
        raise _too_long()
    strings = list(STRING.finditer(text))
    if strings and not _is_closed(strings[-1]):
        raise _not_closed(strings[-1].start() + 1)
    return STRING.sub(lambda string: string[0][0] * 2, text), [string[0] for string in strings]


def unquote(text: str, position: int = 0) -> str:
    """Return the text of a string token, a JSON string or the same in single quotes. Raises InvalidFilter."""
    if text[0] == "'":
        text = f'"{_QUOTES.sub(_as_json, text[1:-1])}"'
    try:
        unquoted: str = _DECODER.raw_decode(text)[0]
    except ValueError:
        raise InvalidFilter(
            f"The string at character {position} is not a JSON string: write a backslash as \\\\, a line break as \\n "
            "and a tab as \\t."
        ) from None
    if not is_storable_text(unquoted):
        raise InvalidFilter(f"The string at character {position} has a NUL character or half a surrogate pair.")
    return unquoted


def _as_json(found: re.Match[str]) -> str:
    return found[1] or ('\\"' if found[2] else "'")
