"""Running the cases against an endpoint, each in the dialects that it differs in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from entra.client import Endpoint
from entra.validate import connecting, creating, discovering, leaving, matching, membership, updating
from entra.validate.cases import Case, Result, Status
from entra.validate.probe import CaseFailedError, CaseSkippedError, Probe

SECTIONS = tuple(m.SECTION for m in (connecting, discovering, matching, creating, updating, membership, leaving))
CASES = tuple(case for section in SECTIONS for case in section.cases)


@dataclass(slots=True)
class Run:
    """A validation of one endpoint; iterate over `results` and look at the rest afterwards."""

    endpoint: Endpoint
    dialects: str = "LF"
    cases: tuple[Case, ...] = CASES
    finished: list[Result] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)

    def results(self) -> Iterator[Result]:
        """Run every case; a case that runs in one dialect only runs in the first."""
        for case in self.cases:
            for dialect in self.dialects if case.both else self.dialects[:1]:
                result = self._one(case, dialect)
                self.finished.append(result)
                yield result
                if _unreachable(self.finished):
                    return

    def count(self, status: Status) -> int:
        """Count the results of one status."""
        return sum(result.status is status for result in self.finished)

    def _one(self, case: Case, dialect: str) -> Result:
        probe = Probe(self.endpoint, flag=dialect == "F")
        started = time.monotonic()
        status, message = _verdict(case, probe)
        result = Result(case, dialect, status, message, probe.exchanges, time.monotonic() - started)
        self.left_behind += probe.clean_up()
        return result


def choose(names: Iterable[str]) -> tuple[Case, ...]:
    """Pick cases by name, or all of them. Raises ValueError, which names one that there is not."""
    wanted = list(names)
    known = {case.name: case for case in CASES}
    for name in wanted:
        if name not in known:
            raise ValueError(f"there is no case {name!r}; --list names them")
    return tuple(known[name] for name in wanted) or CASES


def _verdict(case: Case, probe: Probe) -> tuple[Status, str]:
    try:
        case.check(probe)
    except CaseFailedError as error:
        return Status.WARNED if case.only_warn else Status.FAILED, str(error)
    except CaseSkippedError as error:
        return Status.SKIPPED, str(error)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # An answer of a shape that no case reckons with is the endpoint's failure, not this program's.
        return Status.FAILED, f"the answer has an unexpected shape ({type(error).__name__}: {error})"
    return Status.PASSED, ""


def _unreachable(finished: list[Result]) -> bool:
    exchanges = [exchange for result in finished for exchange in result.exchanges]
    return len(finished) == 2 and bool(exchanges) and all(exchange.status is None for exchange in exchanges)
