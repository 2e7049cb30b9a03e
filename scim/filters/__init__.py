"""Filters (RFC 7644 section 3.4.2.2): text -> tokens -> tree -> predicate, and the plan that narrows a scan."""

from scim.filters.evaluate import Derived, DerivedAttributes, compile_filter, read_values
from scim.filters.parser import REMEMBERED, parse_filter, parse_path, remembered
from scim.filters.plan import candidates, decided
from scim.filters.tree import (
    And,
    Bare,
    Compare,
    Element,
    Filter,
    Literal,
    Not,
    Or,
    PathText,
    Present,
    unparse,
)

__all__ = [
    "REMEMBERED",
    "And",
    "Bare",
    "Compare",
    "Derived",
    "DerivedAttributes",
    "Element",
    "Filter",
    "Literal",
    "Not",
    "Or",
    "PathText",
    "Present",
    "candidates",
    "compile_filter",
    "decided",
    "parse_filter",
    "parse_path",
    "read_values",
    "remembered",
    "unparse",
]
