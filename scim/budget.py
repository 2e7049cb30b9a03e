"""How much work one request may ask for: the steps are counted as they are taken, and the one too many is refused."""

import math

from scim.errors import TooMany


class Budget:
    """The steps that one request has taken, and how many it may; `advice` says what its client can narrow."""

    def __init__(self, limit: float = math.inf, advice: str = "") -> None:
        self.spent = 0
        self._limit, self._advice = limit, advice

    def check(self, count: int) -> None:
        """Raise TooMany if so many steps are beyond the limit, and take none."""
        try:
            self.spend(count)
        finally:
            self.spent -= count

    def spend(self, count: int = 1) -> None:
        """Count steps that are about to be taken. Raises TooMany if they are beyond the limit."""
        self.spent += count
        if self.spent > self._limit:
            raise TooMany(f"The request needs more than {self._limit} steps, which is the limit. {self._advice}")
