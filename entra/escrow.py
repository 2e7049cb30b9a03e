"""Failed objects: when each is tried again, and when there are so many that the job goes into quarantine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from entra.answers import ExportError
from entra.plan import Policy
from entra.state import Failure, State

DAY = 24 * 3600.0
DROPPED_AFTER = 28 * DAY


@dataclass(frozen=True, slots=True)
class Escrow:
    """The escrow list of a state under a job's settings."""

    state: State
    policy: Policy
    clock: Callable[[], float]

    def is_due(self, source: str) -> bool:
        """Say whether an object waits here and its time has come."""
        failure = self.state.escrow.get(source)
        return failure is not None and (self.policy.retry_now or self.clock() >= failure.next)

    def fail(self, source: str, error: ExportError, *, reference: bool = False) -> None:
        """Put an object in, or back with a longer wait; after 28 days Entra stops trying."""
        now = self.clock()
        old = self.state.escrow.get(source)
        attempts = old.attempts + 1 if old else 1
        first = old.first if old else now
        doubled = min(attempts - 1, 100)  # a float goes no further than 2 to the 1,023
        wait = 0.0 if error.transient else min(self.policy.interval * 2**doubled, DAY)
        if now - first > DROPPED_AFTER:
            wait = sys.float_info.max  # for ever, and unlike infinity it can stand in the state file
        self.state.escrow[source] = Failure(error.code, error.detail, attempts, first, now + wait, reference)

    def clear(self, source: str, *, reference: bool = False) -> None:
        """Take an object out whose pass (of objects, or of references) went well."""
        failure = self.state.escrow.get(source)
        if failure is not None and failure.reference == reference:
            del self.state.escrow[source]

    def too_much(self, events: int) -> str | None:
        """Say which threshold of quarantine the failures pass, if they do."""
        total = len(self.state.escrow)
        own = sum(1 for failure in self.state.escrow.values() if not failure.reference)
        if own >= 5000 and own > 0.4 * events:
            return f"{own:,} failures are more than 40 % of {events:,} events"
        if own > 40_000:
            return f"{own:,} failures are more than 40,000"
        if total > 60_000:
            return f"{total:,} failures, those of references included, are more than 60,000"
        return None
