"""Run the cases against an endpoint, in each dialect in which they differ."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from entra.client import Endpoint
from entra.exchange import Exchange
from entra.validate import (
    connecting,
    creating,
    deprovisioning,
    discovering,
    matching,
    membership,
    signing_in,
    updating,
)
from entra.validate.cases import Case, Result, Status
from entra.validate.probe import CaseFailedError, CaseSkippedError, Probe

MODULES = (connecting, signing_in, discovering, matching, creating, updating, membership, deprovisioning)
CASES = tuple(case for module in MODULES for case in module.SECTION.cases)
FIRST = CASES[0]  # without an endpoint and a valid token, no other case says anything


@dataclass(slots=True)
class Run:
    """A validation of one endpoint; `results` runs the cases."""

    endpoint: Endpoint
    dialects: str = "LF"
    cases: tuple[Case, ...] = CASES
    finished: list[Result] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)

    def results(self) -> Iterator[Result]:
        """Run every case; stop at once if the address or the token is wrong."""
        for case in dict.fromkeys((FIRST, *self.cases)):
            for dialect in self.dialects if case.both else self.dialects[:1]:
                result = self.run_case(case, dialect)
                self.finished.append(result)
                yield result
                if case is FIRST and result.status is Status.FAILED:
                    return

    def count(self, status: Status) -> int:
        """Count the results with one status."""
        return sum(result.status is status for result in self.finished)

    def run_case(self, case: Case, dialect: str) -> Result:
        """Run one case in one dialect, and delete what it has created."""
        probe = Probe(self.endpoint, flag=dialect == "F")
        started = time.monotonic()
        status, message, failing = _check(case, probe)
        result = Result(case, dialect, status, message, probe.exchanges, failing, time.monotonic() - started)
        self.left_behind += probe.clean_up()
        return result


def choose(names: Iterable[str]) -> tuple[Case, ...]:
    """Return the cases with these names, or all cases. Raises ValueError if a name is unknown."""
    wanted = list(names)
    known = {case.name: case for case in CASES}
    for name in wanted:
        if name not in known:
            raise ValueError(f"unknown case {name!r}. Use --list to see the names.")
    return tuple(known[name] for name in wanted) or CASES


def _check(case: Case, probe: Probe) -> tuple[Status, str, Exchange | None]:
    """Run a check; return the status, the reason, and the exchange that made it fail."""
    try:
        case.check(probe)
    except CaseFailedError as error:
        status = Status.WARNED if case.only_warn else Status.FAILED
        return status, str(error), error.exchange or probe.last
    except CaseSkippedError as error:
        return Status.SKIPPED, str(error), None
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # the case did not expect such a response
        message = f"the response has an unexpected structure ({type(error).__name__}: {error})"
        return Status.FAILED, message, probe.last
    return Status.PASSED, "", None
