"""The escrow: when each failed object is retried, and when the failures put the job into quarantine."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from entra.plan import Policy
from entra.responses import ExportError
from entra.state import Failure, State

DAY = 24 * 3600.0
DISABLED_AFTER = 28 * DAY


@dataclass(frozen=True, slots=True)
class Escrow:
    """The escrow list of a state, with the job's settings."""

    state: State
    policy: Policy
    clock: Callable[[], float]

    def is_due(self, source: str) -> bool:
        """Return whether an object is in escrow and its retry is due."""
        failure = self.state.escrow.get(source)
        return failure is not None and (self.policy.retry_now or self.clock() >= failure.next)

    def add(self, source: str, error: ExportError, *, reference: bool = False) -> None:
        """Add a failure; each one doubles the wait, and after 28 days there are no more retries."""
        now = self.clock()
        old = self.state.escrow.get(source)
        attempts, first = (old.attempts + 1, old.first) if old else (1, now)
        doubled = min(attempts - 1, 100)  # keeps the power of two within a float
        wait = 0.0 if error.transient else min(self.policy.interval * 2**doubled, DAY)
        if now - first > DISABLED_AFTER:
            wait = sys.float_info.max  # never; unlike infinity it is valid JSON
        self.state.escrow[source] = Failure(error.code, error.detail, attempts, first, now + wait, reference)

    def clear(self, source: str, *, reference: bool = False) -> None:
        """Remove an object after a successful export of its attributes, or of its references."""
        failure = self.state.escrow.get(source)
        if failure is not None and failure.reference == reference:
            del self.state.escrow[source]

    def quarantine_reason(self, events: int) -> str | None:
        """Return the quarantine threshold that the failures exceed, or None."""
        total = len(self.state.escrow)
        objects = sum(1 for failure in self.state.escrow.values() if not failure.reference)
        if objects >= 5000 and objects > 0.4 * events:
            return f"{objects:,} failures are more than 40 % of {events:,} events"
        if objects > 40_000:
            return f"{objects:,} failures are more than 40,000"
        if total > 60_000:
            return f"{total:,} failures, including references, are more than 60,000"
        return None
