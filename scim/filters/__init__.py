"""Filters (RFC 7644 section 3.4.2.2): text -> tokens -> tree -> predicate."""

from scim.filters.ast import And, Compare, Filter, Literal, Not, Or, PathText, Present, Unquoted, ValuePath, unparse
from scim.filters.compiler import DerivedValues, FindDerived, compile_filter, read_values, remember_last
from scim.filters.parser import CACHED_LENGTH, cached_if_short, parse_filter, parse_path

__all__ = [
    "CACHED_LENGTH",
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
    "cached_if_short",
    "compile_filter",
    "parse_filter",
    "parse_path",
    "read_values",
    "remember_last",
    "unparse",
]
