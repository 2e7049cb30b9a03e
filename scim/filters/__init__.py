"""Filters (RFC 7644 section 3.4.2.2): text -> tokens -> tree -> predicate."""

from scim.filters.ast import (
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
    map_terms,
    unparse,
)
from scim.filters.compiler import FindDerived, compile_filter, read_values, remember_last
from scim.filters.parser import CACHED_LENGTH, parse_filter, parse_path

__all__ = [
    "CACHED_LENGTH",
    "And",
    "Compare",
    "Filter",
    "FindDerived",
    "Literal",
    "Not",
    "Or",
    "PathText",
    "Present",
    "Unquoted",
    "ValuePath",
    "compile_filter",
    "map_terms",
    "parse_filter",
    "parse_path",
    "read_values",
    "remember_last",
    "unparse",
]
