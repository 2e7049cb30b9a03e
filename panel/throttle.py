"""Slows down whoever guesses passwords: each failure from an address makes the next try wait longer."""

import ipaddress
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

FREE = 4  # failures that cost no waiting: people mistype
LONGEST = 300.0  # seconds
FORGOTTEN_AFTER = 3600.0
_ADDRESSES = 2048


class Throttle:
    """Counts failures by address, in this process and for a bounded number of addresses."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = Lock()

    def attempt(self, address: str) -> float:
        """Return for how many seconds the address must wait yet; if for none, count this try as a failure.

        Counting comes before checking the password, so that tries at the same time are not free.
        """
        key = _network(address)
        with self._lock:
            count, last = self._failures.pop(key, (0, 0.0))
            passed = self._clock() - last
            left = _wait(count) - passed
            if left <= 0:
                count, last = (0 if passed > FORGOTTEN_AFTER else count) + 1, self._clock()
            self._failures[key] = (count, last)
            while len(self._failures) > _ADDRESSES:
                self._failures.popitem(last=False)
        return max(left, 0.0)

    def forgive(self, address: str) -> None:
        """Forget the failures of an address that knew the password."""
        with self._lock:
            self._failures.pop(_network(address), None)


def _wait(failures: int) -> float:
    return min(2.0 ** (failures - FREE), LONGEST) if failures >= FREE else 0.0


def _network(address: str) -> str:
    """Return what one guesser has: an IPv4 address, or the /64 of an IPv6 one. Some proxies add the port."""
    with_port = re.fullmatch(r"\[(.+)\](?::\d+)?|([\d.]+):\d+", address)
    try:
        parsed = ipaddress.ip_address((with_port[1] or with_port[2]) if with_port else address)
    except ValueError:
        return "unknown"
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
