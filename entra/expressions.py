"""Expressions of attribute mappings, for example `Join(" ", [givenName], [surname])`."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from entra.functions import FUNCTIONS

Source = Mapping[str, Any]


class ExpressionError(ValueError):
    """The expression has a syntax error or calls an unknown function."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """The value of one source attribute."""

    name: str

    def evaluate(self, source: Source) -> Any:
        """Return the attribute's value."""
        return source.get(self.name)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written in the mapping."""

    value: Any

    def evaluate(self, source: Source) -> Any:
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; an empty argument is None."""

    name: str
    arguments: tuple["Expression | None", ...]
    function: Callable[..., Any] = field(compare=False, repr=False)

    def evaluate(self, source: Source) -> Any:
        """Call the function with the evaluated arguments."""
        return self.function(*(a.evaluate(source) if a else None for a in self.arguments))


Expression = Attribute | Constant | Call

_TOKEN = re.compile(r'\s*(?:(\[[^\]]+\])|("(?:[^"\\]|\\.)*")|(-?\d+)(?!\w)|([A-Za-z]\w*)|([(),]))')


def parse(text: str) -> Expression:
    """Parse an expression. Raises ExpressionError if it is invalid."""
    parser = _Parser(text)
    expression = parser.expression()
    if parser.tokens:
        raise parser.error(f"unexpected {parser.tokens[0]!r} after the end")
    return expression


def call(name: str, arguments: tuple[Expression | None, ...]) -> Call:
    """Build a function call. Raises ExpressionError if the function is unknown."""
    function = FUNCTIONS.get(name.casefold())
    if function is None:
        raise ExpressionError(f"unknown function {name}")
    return Call(name, arguments, function)


def names_in(expression: Expression | None, kind: type[Attribute | Call]) -> Iterator[str]:
    """Yield the name of every attribute, or of every function, in an expression."""
    if isinstance(expression, kind):
        yield expression.name
    if isinstance(expression, Call):
        for argument in expression.arguments:
            yield from names_in(argument, kind)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokenize()

    def expression(self) -> Expression:
        token = self._next()
        if token.startswith("["):
            return Attribute(token[1:-1].strip())
        if token.startswith('"'):
            return Constant(re.sub(r"\\(.)", r"\1", token[1:-1]))
        if token.lstrip("-").isdigit():
            return Constant(int(token))
        if token.isidentifier():
            return self._named(token)
        raise self.error(f"expected a value, found {token!r}")

    def error(self, reason: str) -> ExpressionError:
        return ExpressionError(f"cannot parse {self.text!r}: {reason}")

    def _named(self, name: str) -> Expression:
        if self._peek() == "(":
            self._next()
            return call(name, tuple(self._arguments()))
        if name.casefold() in ("true", "false"):
            return Constant(name.casefold() == "true")
        raise self.error(f"{name!r} is neither an attribute in brackets nor a function call")

    def _arguments(self) -> Iterator[Expression | None]:
        if self._peek() == ")":
            self._next()
            return
        while True:
            yield None if self._peek() in (",", ")") else self.expression()
            separator = self._next()
            if separator == ")":
                return
            if separator != ",":
                raise self.error(f"expected a comma, found {separator!r}")

    def _peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def _next(self) -> str:
        if not self.tokens:
            raise self.error("unexpected end")
        return self.tokens.pop(0)

    def _tokenize(self) -> list[str]:
        tokens, position = [], 0
        while self.text[position:].strip():
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise self.error(f"unexpected {self.text[position:].strip()[:20]!r}")
            tokens.append(match[match.lastindex or 0])
            position = match.end()
        return tokens
