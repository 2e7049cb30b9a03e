"""Filters (RFC 7644 section 3.4.2.2): text -> tokens -> tree -> predicate."""

from scim.filters.ast import And, Compare, Filter, Literal, Not, Or, PathText, Present, Unquoted, ValuePath, unparse
from scim.filters.compiler import DerivedValues, FindDerived, compile_filter, read_values, remember_last
from scim.filters.parser import REMEMBERED, parse_filter, parse_path, remembered

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
    "compile_filter",
    "parse_filter",
    "parse_path",
    "read_values",
    "remember_last",
    "remembered",
    "unparse",
]
