"""The tree of a filter. Attributes are names here: a tree does not depend on a resource type."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Unquoted(str):
    """A literal without quotes, or in single ones. RFC 7644 has no such literal; a dialect may rewrite it."""

    __slots__ = ()


Literal = str | bool | int | float | None


@dataclass(frozen=True, slots=True)
class Compare:
    """An attribute compared with a literal; `text` is the source of a literal without quotes."""

    path: str
    op: str
    value: Literal
    text: str = ""


@dataclass(frozen=True, slots=True)
class Present:
    """An attribute that has a value."""

    path: str


@dataclass(frozen=True, slots=True)
class And:
    """Every term holds."""

    terms: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one term holds."""

    terms: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The term does not hold."""

    term: "Filter"


@dataclass(frozen=True, slots=True)
class ValuePath:
    """One element of an attribute matches an inner filter: `emails[type eq "work"]`.

    `rest` is the comparison after the bracket in `emails[type eq "work"].value eq "x"`. RFC 7644 has no such filter;
    a dialect may rewrite it.
    """

    path: str
    filter: "Filter"
    rest: Compare | Present | None = None


Filter = Compare | Present | And | Or | Not | ValuePath


def map_terms(tree: Filter, change: Callable[[Compare | Present | ValuePath], Filter]) -> Filter:
    """Return the tree with each term changed, from left to right."""
    match tree:
        case And(terms) | Or(terms):
            return type(tree)(tuple(map_terms(term, change) for term in terms))
        case Not(term):
            return Not(map_terms(term, change))
    return change(tree)


class PathText(NamedTuple):
    """The path of a PATCH operation (RFC 7644 section 3.5.2), its names not resolved yet."""

    attribute: str
    filter: Filter | None = None
    sub: str | None = None

    def __str__(self) -> str:
        """Return the path as text."""
        selected = f"[{unparse(self.filter)}]" if self.filter else ""
        return f"{self.attribute}{selected}{'.' + self.sub if self.sub else ''}"


def unparse(tree: Filter) -> str:
    """Return the text that `parse_filter` parses into this tree."""
    match tree:
        case And(terms):
            return " and ".join(f"({unparse(term)})" for term in terms)
        case Or(terms):
            return " or ".join(f"({unparse(term)})" for term in terms)
        case Not(term):
            return f"not ({unparse(term)})"
        case Present(path):
            return f"{path} pr"
        case Compare(path, op, value):
            return f"{path} {op} {_unparse_literal(value)}"
        case ValuePath(path, filter, None):
            return f"{path}[{unparse(filter)}]"
    return f"{tree.path}[{unparse(tree.filter)}].{unparse(tree.rest)}" if tree.rest else ""


def _unparse_literal(value: Literal) -> str:
    if isinstance(value, Unquoted):
        return "'{}'".format(json.dumps(value)[1:-1].replace("'", r"\'"))
    return json.dumps(value)
