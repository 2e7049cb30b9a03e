"""The tree that a filter is parsed into. Attributes are still text here: a tree belongs to no resource type yet."""

import json
from dataclasses import dataclass
from typing import NamedTuple


class Unquoted(str):
    """A literal that stood without quotes. No filter of RFC 7644 has one; whoever knows better may rewrite it."""

    __slots__ = ()


Literal = str | bool | int | float | None


@dataclass(frozen=True, slots=True)
class Compare:
    """An attribute compared with a literal; `text` is how a literal was written that stood without quotes."""

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
    """One element of an attribute fulfils a filter of its own: `emails[type eq "work"]`.

    `rest` is what stood behind the bracket, as in `emails[type eq "work"].value eq "x"`. No filter of RFC 7644 has
    that; whoever knows better may rewrite it.
    """

    path: str
    filter: "Filter"
    rest: Compare | Present | None = None


Filter = Compare | Present | And | Or | Not | ValuePath


class PathText(NamedTuple):
    """The path of a PATCH operation (RFC 7644 section 3.5.2), its names still text."""

    attribute: str
    filter: Filter | None = None
    sub: str | None = None

    def __str__(self) -> str:
        """Return the path as it is written."""
        selected = f"[{unparse(self.filter)}]" if self.filter else ""
        return f"{self.attribute}{selected}{'.' + self.sub if self.sub else ''}"


def unparse(tree: Filter) -> str:
    """Return a filter that `parse_filter` reads as this tree again."""
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
            return f"{path} {op} {value if isinstance(value, Unquoted) else json.dumps(value)}"
        case ValuePath(path, filter, None):
            return f"{path}[{unparse(filter)}]"
    return f"{tree.path}[{unparse(tree.filter)}].{unparse(tree.rest)}" if tree.rest else ""
