"""Scoping filters: an object is in scope if it meets every clause of at least one group."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from entra.functions import as_text


def _equals(value: Any, operands: tuple[str, ...]) -> bool:
    return as_text(value).casefold() in {operand.casefold() for operand in operands}


def _matches(value: Any, operands: tuple[str, ...]) -> bool:
    return any(re.search(operand, as_text(value)) for operand in operands)


OPERATORS: dict[str, Callable[[Any, tuple[str, ...]], bool]] = {
    "EQUALS": _equals,
    "NOTEQUALS": lambda value, operands: not _equals(value, operands),
    "ISTRUE": lambda value, _: _equals(value, ("true",)),
    "ISFALSE": lambda value, _: _equals(value, ("false",)),
    "ISNULL": lambda value, _: value in (None, ""),
    "ISNOTNULL": lambda value, _: value not in (None, ""),
    "REGEXMATCH": _matches,
    "NOTREGEXMATCH": lambda value, operands: not _matches(value, operands),
    "INCLUDES": lambda value, operands: any(o.casefold() in as_text(value).casefold() for o in operands),
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on a source attribute."""

    attribute: str
    operator: str
    operands: tuple[str, ...] = ()

    def matches(self, source: Mapping[str, Any]) -> bool:
        """Return whether the source object meets the condition."""
        return OPERATORS[self.operator](source.get(self.attribute), self.operands)

    def is_supported(self) -> bool:
        """Return whether the operator is known and its regular expressions are valid."""
        try:
            return self.operator in OPERATORS and (
                "REGEX" not in self.operator or all(re.compile(o) for o in self.operands)
            )
        except re.error:
            return False


@dataclass(frozen=True, slots=True)
class ScopingFilter:
    """The filter of one object mapping; without groups every object is in scope."""

    groups: tuple[tuple[Clause, ...], ...] = ()

    def matches(self, source: Mapping[str, Any]) -> bool:
        """Return whether the source object is in scope."""
        return not self.groups or any(all(clause.matches(source) for clause in group) for group in self.groups)


def from_graph(scope: Any) -> tuple[ScopingFilter, list[str]]:
    """Read Graph's `filter` object; return the filter and a description of each unsupported clause."""
    groups, unsupported = [], []
    for group in (scope or {}).get("groups") or []:
        clauses = []
        for raw in group.get("clauses") or []:
            operator = re.sub(r"[\s_]", "", str(raw.get("operatorName", ""))).upper()
            operands = (raw.get("targetOperand") or {}).get("values") or []
            clause = Clause(str(raw.get("sourceOperandName", "")), operator, tuple(map(str, operands)))
            if clause.is_supported():
                clauses.append(clause)
            else:
                unsupported.append(f"scoping filter on {clause.attribute}: operator {raw.get('operatorName')}")
        groups.append(tuple(clauses))
    return ScopingFilter(tuple(groups)), unsupported
