"""Scoping filters of an object mapping: groups of clauses, any group whose clauses all hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Test = Callable[[Any, list[str]], bool]


def _text(value: Any) -> str:
    return "" if value is None else str(value).casefold()


def _equals(value: Any, operands: list[str]) -> bool:
    return _text(value) in {operand.casefold() for operand in operands}


def _matches(value: Any, operands: list[str]) -> bool:
    return any(re.search(operand, "" if value is None else str(value)) for operand in operands)


def _includes(value: Any, operands: list[str]) -> bool:
    return any(operand.casefold() in _text(value) for operand in operands)


OPERATORS: dict[str, Test] = {
    "EQUALS": _equals,
    "NOTEQUALS": lambda value, operands: not _equals(value, operands),
    "ISTRUE": lambda value, _: _text(value) == "true",
    "ISFALSE": lambda value, _: _text(value) == "false",
    "ISNULL": lambda value, _: value in (None, ""),
    "ISNOTNULL": lambda value, _: value not in (None, ""),
    "REGEXMATCH": _matches,
    "NOTREGEXMATCH": lambda value, operands: not _matches(value, operands),
    "INCLUDES": _includes,
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on a source attribute."""

    attribute: str
    operator: str
    operands: tuple[str, ...] = ()

    def holds(self, source: Mapping[str, Any]) -> bool:
        """Say whether the source object meets the condition."""
        return OPERATORS[self.operator](source.get(self.attribute), list(self.operands))


@dataclass(frozen=True, slots=True)
class Scope:
    """The filter of one object mapping; without groups everything is in scope."""

    groups: tuple[tuple[Clause, ...], ...] = ()

    def holds(self, source: Mapping[str, Any]) -> bool:
        """Say whether the filter lets the source object through."""
        return not self.groups or any(all(clause.holds(source) for clause in group) for group in self.groups)


def from_graph(scope: Any) -> tuple[Scope, list[str]]:
    """Read a Graph `filter`; the second part names each clause that is not understood and so left out."""
    groups, unknown = [], []
    for group in (scope or {}).get("groups") or []:
        clauses = []
        for raw in group.get("clauses") or []:
            clause = _clause(raw)
            if clause.operator in OPERATORS and _compiles(clause):
                clauses.append(clause)
            else:
                unknown.append(f"scoping filter on {clause.attribute}: operator {raw.get('operatorName')}")
        groups.append(tuple(clauses))
    return Scope(tuple(groups)), unknown


def _compiles(clause: Clause) -> bool:
    try:
        return all(re.compile(o) for o in clause.operands) if "REGEX" in clause.operator else True
    except re.error:
        return False


def _clause(raw: dict[str, Any]) -> Clause:
    name = re.sub(r"[\s_]", "", str(raw.get("operatorName", ""))).upper()
    operands = (raw.get("targetOperand") or {}).get("values") or []
    return Clause(str(raw.get("sourceOperandName", "")), name, tuple(str(v) for v in operands))
