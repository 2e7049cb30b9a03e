"""The registry of validation cases, and their results."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from entra import curl
from entra.exchange import Exchange
from entra.validate.probe import Probe
from entra.validate.sources import SOURCES, Source

Check = Callable[[Probe], None]
REPEATED = "Entra sends the same change in every cycle."


class Status(StrEnum):
    """The result of a case; a warning is a fault that Entra tolerates or may tolerate."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """One behaviour that Entra needs, the effect of a failure on Entra, and how to fix it."""

    name: str
    section: str
    title: str
    effect: str
    fix: str
    check: Check
    sources: tuple[Source, ...]
    only_warn: bool = False
    both: bool = True


@dataclass(slots=True)
class Result:
    """The result of a case in one dialect."""

    case: Case
    dialect: str
    status: Status
    message: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    failing: Exchange | None = None
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The case's name and dialect."""
        return f"{self.case.name}[{self.dialect}]"

    @property
    def explanation(self) -> list[str]:
        """What is wrong, its effect on Entra, and how to fix it, in a line each; empty if the case passed."""
        if not self.message:
            return []
        sources = ", ".join(source.name for source in self.case.sources)
        lines = [self.message, f"Effect: {self.case.effect}", f"Fix: {self.case.fix}", f"Source: {sources}"]
        return [*lines, f"Request: {curl.command(self.failing)}"] if self.failing else lines

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON document."""
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
            "sources": [asdict(source) for source in case.sources],
            "seconds": round(self.seconds, 3),
            "exchanges": [self._exchange(exchange) for exchange in self.exchanges],
        }

    def _exchange(self, exchange: Exchange) -> dict[str, Any]:
        marked = {"failing": True, "curl": curl.command(exchange)} if exchange is self.failing else {}
        return exchange.to_json() | marked


class Section:
    """A group of cases. Its decorators register a check; the function's docstring is the case's title."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.cases: list[Case] = []

    def case(self, effect: str, fix: str, *, only_warn: bool = False, both: bool = True) -> Callable[[Check], Check]:
        """Register a case that runs in both dialects."""

        def register(check: Check) -> Check:
            name, title = check.__name__.replace("_", "-"), (check.__doc__ or "").strip().rstrip(".")
            self.cases.append(Case(name, self.title, title, effect, fix, check, SOURCES[name], only_warn, both))
            return check

        return register

    def case_once(self, effect: str, fix: str, *, only_warn: bool = False) -> Callable[[Check], Check]:
        """Register a case that does not depend on the dialect."""
        return self.case(effect, fix, only_warn=only_warn, both=False)
