"""Comparisons of an attribute's values with a literal, by the attribute's type (RFC 7644 section 3.4.2.2)."""

import operator
from collections.abc import Callable
from typing import Any

from scim.budget import Budget
from scim.errors import InvalidFilter, shorten
from scim.filters.ast import Literal, Unquoted
from scim.schema.attributes import NOT_A_DATE_TIME, Attribute, Key

Test = Callable[[list[Any]], bool]
"""Returns whether a comparison holds for the keys of all values at a target."""

CHARACTERS = 4_096  # comparisons of characters per step, when a text is searched
LONGEST_NEEDLE = 100  # a longer text is searched for in linear time (CPython's two-way algorithm)
SHORT = CHARACTERS // LONGEST_NEEDLE  # searching a text of this length takes less than a step


def comparison(attribute: Attribute, op: str, value: Literal, budget: Budget) -> tuple[Callable[[Any], Key], Test]:
    """Return the key by which values of the attribute are compared with a literal, and the test of their keys.

    Raises InvalidFilter if the types differ.
    """
    if isinstance(value, Unquoted):
        raise InvalidFilter(f'The value {shorten(value)} needs quotation marks: "{shorten(value)}".')
    fits = _LITERALS[attribute.type]
    if not isinstance(value, fits) or (isinstance(value, bool) and bool not in fits):
        raise InvalidFilter(
            f'{attribute.name} is of type {attribute.type}: "{shorten(str(value))}" cannot be compared with it.'
        )
    if op in _TEXT_TESTS:
        return _text_test(attribute, op, value, budget)
    if op in _ORDERS and attribute.type in ("boolean", "binary"):
        raise InvalidFilter(f'{attribute.name} is of type {attribute.type}, which has no order for "{op}".')
    key = attribute.key
    wanted: Any = key(value)
    if wanted is None:  # only a dateTime can be text without a key
        raise InvalidFilter(f'{attribute.name}: "{shorten(str(value))}" {NOT_A_DATE_TIME}.')
    if op in _ORDERS:
        return key, _any_key(_ORDERS[op], wanted)
    if op == "eq":
        return key, lambda keys: wanted in keys
    # An unassigned attribute differs from every literal (RFC 7643 section 2.5).
    return key, lambda keys: not keys or any(other != wanted for other in keys)


def _text_test(attribute: Attribute, op: str, value: Literal, budget: Budget) -> tuple[Callable[[Any], Key], Test]:
    """Return the key and the test of `co`, `sw` or `ew`; a dateTime is compared as text."""
    if not isinstance(value, str):
        raise InvalidFilter(f'{attribute.name} is of type {attribute.type}: "{op}" is for text.')
    key = _WRITTEN.key if attribute.type == "dateTime" else attribute.key
    wanted = key(value)
    return key, _contains(str(wanted), budget) if op == "co" else _any_key(_TEXT_TESTS[op], wanted)


def _contains(wanted: str, budget: Budget) -> Test:
    """Return the test of `co`, which costs more for long texts: a search in repetitive text is quadratic."""
    width = min(len(wanted), LONGEST_NEEDLE)

    def find(keys: list[Any]) -> bool:
        for key in keys:
            if key is not None:
                if len(key) > SHORT:
                    budget.spend(len(key) * width // CHARACTERS)
                if wanted in key:
                    return True
        return False

    return find


def _any_key(test: Callable[[Any, Any], bool], wanted: Any) -> Test:
    def find(keys: list[Any]) -> bool:
        for key in keys:  # noqa: SIM110 - a generator takes twice as long for one value
            if key is not None and test(key, wanted):
                return True
        return False

    return find


_ORDERS = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
_WRITTEN = Attribute("written", case_exact=True)
_TEXT_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
}
_LITERALS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "reference": (str,),
    "binary": (str,),
    "dateTime": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "decimal": (int, float),
}
