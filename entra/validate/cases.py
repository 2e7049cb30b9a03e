"""The registry of named cases, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from entra.client import Exchange
from entra.validate.probe import Probe

Check = Callable[[Probe], None]


class Status(StrEnum):
    """What became of a case; a warning is a fault that Entra copes with, or may cope with."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that Entra does, and what its failing means."""

    name: str
    section: str
    title: str
    effect: str
    fix: str
    check: Check
    only_warn: bool = False
    both: bool = True


@dataclass(slots=True)
class Result:
    """What became of a case in one dialect."""

    case: Case
    dialect: str
    status: Status
    message: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The case's name with the dialect that it ran in."""
        return f"{self.case.name}[{self.dialect}]"

    def to_json(self) -> dict[str, Any]:
        """Give the result as a JSON document."""
        case = self.case
        return {
            "name": case.name,
            "dialect": self.dialect,
            "section": case.section,
            "title": case.title,
            "status": str(self.status),
            "message": self.message,
            "effect": case.effect if self.message else "",
            "fix": case.fix if self.message else "",
            "seconds": round(self.seconds, 3),
            "exchanges": [exchange.to_json() for exchange in self.exchanges],
        }


class Section:
    """A part of the catalogue; its `case` decorator registers a check."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.cases: list[Case] = []

    def case(
        self, title: str, *, effect: str, fix: str, only_warn: bool = False, both: bool = True
    ) -> Callable[[Check], Check]:
        """Register a check under its function's name; `both` runs it in each dialect."""

        def register(check: Check) -> Check:
            name = check.__name__.strip("_").replace("_", "-")
            self.cases.append(Case(name, self.title, title, effect, fix, check, only_warn, both))
            return check

        return register
