"""Filters (RFC 7644 section 3.4.2.2): text -> tokens -> tree -> predicate, and the plan that narrows a scan."""

from scim.filters.evaluate import DerivedValues, FindDerived, compile_filter, read_values, remember_last
from scim.filters.parser import REMEMBERED, parse_filter, parse_path, remembered
from scim.filters.plan import candidates, decided
from scim.filters.tree import (
    And,
    Compare,
    Filter,
    Literal,
    Not,
    Or,
    PathText,
    Present,
    Unquoted,
    ValuePath,
    unparse,
)

__all__ = [
    "REMEMBERED",
    "And",
    "Compare",
    "DerivedValues",
    "Filter",
    "FindDerived",
    "Literal",
    "Not",
    "Or",
    "PathText",
    "Present",
    "Unquoted",
    "ValuePath",
    "candidates",
    "compile_filter",
    "decided",
    "parse_filter",
    "parse_path",
    "read_values",
    "remember_last",
    "remembered",
    "unparse",
]
