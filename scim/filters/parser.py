"""Parses filters and PATCH paths into trees (the grammar of RFC 7644 section 3.4.2.2, Figure 1)."""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any, TypeVar

from scim.errors import InvalidFilter, InvalidPath
from scim.filters.ast import And, Compare, Filter, Literal, Not, Or, PathText, Present, Unquoted, ValuePath, map_terms
from scim.filters.lexer import Token, cut_strings, tokens, unquote

_Read = TypeVar("_Read", bound=Callable[..., Any])

MAX_DEPTH = 50
MAX_TERMS = 1_000
CACHED_LENGTH = 300  # characters of the longest text whose tree is cached
OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")

_NAME = re.compile(r"\$?[A-Za-z][\w$:.-]*", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?([eE][+-]?\d{1,2})?", re.ASCII)
_KEYWORDS: dict[str, Literal] = {"true": True, "false": False, "null": None}


def cached_if_short(read: _Read) -> _Read:
    """Cache the results of a parser for short texts; requests contain any number of texts, so the cache is bounded."""
    known = lru_cache(maxsize=1024)(read)

    @wraps(read)
    def find(text: str, *context: Any) -> Any:
        return (known if len(text) <= CACHED_LENGTH else read)(text, *context)

    return find  # type: ignore[return-value]


def parse_filter(text: str) -> Filter:
    """Return the tree of a filter. Raises InvalidFilter.

    The filters of a client differ only in their strings, so the tree is cached without them.
    """
    form, strings = cut_strings(text)
    try:
        return _filled(_parse(form), iter(strings))
    except InvalidFilter:
        return _parse(text)  # to report the right position


@cached_if_short
def _parse(text: str) -> Filter:
    parser = _Parser(text)
    tree = parser.parse_or()
    parser.expect_end()
    return tree


def _filled(tree: Filter, strings: Iterator[str]) -> Filter:
    """Return the tree with its strings filled in, in the order of the text."""

    def fill(term: Compare | Present | ValuePath) -> Filter:
        match term:
            case Compare(path, op, str(), ""):
                return Compare(path, op, _string(next(strings)))
            case ValuePath(path, filter, rest):
                return ValuePath(path, _filled(filter, strings), rest and fill(rest))  # type: ignore[arg-type]
        return term

    return map_terms(tree, fill)


@cached_if_short
def parse_path(text: str) -> PathText:
    """Return the parts of a PATCH path. Raises InvalidPath."""
    try:
        return _Parser(text).path()
    except InvalidFilter as error:
        raise InvalidPath(f"The path cannot be read: {error.detail}") from None


class _Parser:
    """A recursive descent parser with one method per level of precedence; depth and number of terms are bounded."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._next = 0
        self._depth = 0
        self._terms = 0

    def parse_or(self) -> Filter:
        terms = [self.parse_and()]
        while self._take_word("or"):
            terms.append(self.parse_and())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def expect_end(self) -> None:
        token = self._peek()
        if token.kind != "end":
            raise InvalidFilter(f'"and", "or" or the end is expected before {_shown(token)}.')

    def path(self) -> PathText:
        attribute = self._name()
        if not self._take_mark("["):
            self.expect_end()
            return PathText(attribute)
        filter = self._bracketed("]")
        sub = None
        if self._peek().kind == "word" and self._peek().text.startswith("."):
            sub = self._name(self._take().text[1:])
        self.expect_end()
        return PathText(attribute, filter, sub)

    def parse_and(self) -> Filter:
        terms = [self.parse_term()]
        while self._take_word("and"):
            terms.append(self.parse_term())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def parse_term(self) -> Filter:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise InvalidFilter(f"The filter has more than {MAX_TERMS} terms.")
        if self._peek().is_word("not") and self._tokens[self._next + 1].text == "(":
            self._next += 2
            return Not(self._bracketed(")"))
        if self._take_mark("("):
            return self._bracketed(")")
        path = self._name()
        if self._take_mark("["):
            filter = self._bracketed("]")
            return ValuePath(path, filter, self._rest())
        return self._comparison(path)

    def _rest(self) -> Compare | Present | None:
        """Parse the rest after a bracket, if any: a sub-attribute, a comparison, or both."""
        token = self._peek()
        if token.kind == "word" and token.text.startswith("."):
            return self._comparison(self._name(self._take().text[1:]))
        if token.is_word("pr", *OPERATORS):
            return self._comparison("value")
        return None

    def _comparison(self, path: str) -> Compare | Present:
        token = self._take()
        if token.is_word("pr"):
            return Present(path)
        if token.is_word(*OPERATORS):
            literal = self._peek()
            return Compare(path, token.text.lower(), self._literal(), literal.text if literal.kind == "word" else "")
        if path.lower() == "not":
            raise InvalidFilter('"not" needs parentheses around what it negates: not (userName eq "x").')
        if token.kind == "word":
            raise InvalidFilter(f'There is no operator "{token.text[:50]}"; there are pr, {", ".join(OPERATORS)}.')
        raise InvalidFilter(f"An operator is expected before {_shown(token)}.")

    def _literal(self) -> Literal:
        token = self._take()
        if token.kind == "string":
            return _string(token.text, token.position)
        if token.kind != "word":
            raise InvalidFilter(f"A value is expected before {_shown(token)}.")
        if token.text.lower() in _KEYWORDS:
            return _KEYWORDS[token.text.lower()]
        if _NUMBER.fullmatch(token.text):
            number: int | float = json.loads(token.text)
            return number
        return Unquoted(token.text)

    def _bracketed(self, closing: str) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidFilter(f"The brackets are nested deeper than {MAX_DEPTH}.")
        tree = self.parse_or()
        if not self._take_mark(closing):
            raise InvalidFilter(f'"{closing}" is expected before {_shown(self._peek())}.')
        self._depth -= 1
        return tree

    def _name(self, text: str | None = None) -> str:
        token = self._peek()
        name = self._take().text if text is None else text
        if (text is None and token.kind != "word") or not _NAME.fullmatch(name):
            raise InvalidFilter(f"An attribute's name is expected at character {token.position}.")
        return name

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        """Return the next token and advance. The parser never takes the end."""
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _take_word(self, word: str) -> bool:
        taken = self._tokens[self._next].is_word(word)
        self._next += taken
        return taken

    def _take_mark(self, mark: str) -> bool:
        token = self._tokens[self._next]
        taken = token.kind == "mark" and token.text == mark
        self._next += taken
        return taken


def _string(text: str, position: int = 0) -> str:
    """Return the literal of a string token; RFC 7644 has no single quotes."""
    value = unquote(text, position)
    return Unquoted(value) if text[0] == "'" else value


def _shown(token: Token) -> str:
    return "the end" if token.kind == "end" else f"character {token.position}"
