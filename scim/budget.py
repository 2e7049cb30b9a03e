"""How much work one request may ask for: the steps are counted as they are taken, and the one too many is refused."""

from scim.errors import TooMany


class Budget:
    """The steps that are left to one request; `advice` tells its client what to narrow when there are none."""

    def __init__(self, limit: int, advice: str) -> None:
        self._limit = self._left = limit
        self._advice = advice

    def check(self, count: int) -> None:
        """Raise TooMany if so many steps are beyond the limit, and take none."""
        try:
            self.spend(count)
        finally:
            self._left += count

    def spend(self, count: int = 1) -> None:
        """Count steps that are about to be taken. Raises TooMany if they are beyond the limit."""
        self._left -= count
        if self._left < 0:
            raise TooMany(f"The request needs more than {self._limit} steps, which is the limit. {self._advice}")
