"""Expressions of attribute mappings: `Join(" ", [givenName], [surname])` and its kin."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from entra.functions import FUNCTIONS

Source = Mapping[str, Any]


class ExpressionError(ValueError):
    """An expression that cannot be read, or that calls a function which is not known here."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """The value of one source attribute."""

    name: str

    def evaluate(self, source: Source) -> Any:
        """Look the attribute up."""
        return source.get(self.name)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written into the mapping."""

    value: Any

    def evaluate(self, source: Source) -> Any:
        """Give the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Call:
    """A function of other expressions; an empty argument is None."""

    name: str
    arguments: tuple[Expression | None, ...]
    function: Callable[..., Any] = field(compare=False, repr=False)

    def evaluate(self, source: Source) -> Any:
        """Evaluate the arguments, then call."""
        return self.function(*(a.evaluate(source) if a else None for a in self.arguments))


Expression = Attribute | Constant | Call

_TOKEN = re.compile(r'\s*(?:(\[[^\]]+\])|("(?:[^"\\]|\\.)*")|(-?\d+)(?!\w)|([A-Za-z]\w*)|([(),]))')


def parse(text: str) -> Expression:
    """Read an expression. Raises ExpressionError, which says what stands in the way."""
    parser = _Parser(text)
    expression = parser.expression()
    parser.end()
    return expression


def call(name: str, arguments: tuple[Expression | None, ...]) -> Call:
    """Make a function call. Raises ExpressionError, which names a function that is not known."""
    function = FUNCTIONS.get(name.casefold())
    if function is None:
        raise ExpressionError(f"the function {name} is not known here")
    return Call(name, arguments, function)


def functions_in(expression: Expression | None) -> Iterator[str]:
    """Name every function that an expression calls."""
    if isinstance(expression, Call):
        yield expression.name
        for argument in expression.arguments:
            yield from functions_in(argument)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0

    def expression(self) -> Expression:
        token = self._next()
        if token.startswith("["):
            return Attribute(token[1:-1].strip())
        if token.startswith('"'):
            return Constant(re.sub(r"\\(.)", r"\1", token[1:-1]))
        if token.lstrip("-").isdigit():
            return Constant(int(token))
        if token.isidentifier():
            return self._call(token)
        raise self._error(f"{token!r} stands where a value should")

    def end(self) -> None:
        if self.position < len(self.tokens):
            raise self._error(f"{self.tokens[self.position]!r} follows its end")

    def _call(self, name: str) -> Expression:
        if self._peek() != "(":
            if name.casefold() in ("true", "false"):
                return Constant(name.casefold() == "true")
            raise self._error(f"{name!r} is neither an attribute in brackets nor a function")
        self._next()
        return call(name, tuple(self._arguments()))

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
                raise self._error(f"{separator!r} stands where a comma should")

    def _peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise self._error("it ends too early")
        self.position += 1
        return token

    def _error(self, what: str) -> ExpressionError:
        return ExpressionError(f"{self.text!r} cannot be read: {what}")


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"{text!r} cannot be read at {text[position:].strip()[:20]!r}")
        tokens.append(match[match.lastindex or 0])
        position = match.end()
    return tokens
