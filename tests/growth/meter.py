"""Whether counted work grows at most with n log n: three sizes of a request, whose steps another process counts."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLACK = 1.2  # between n log n, where it is 1, and n to the power of one and a half, where it is 1.3
FIXED = 3_000  # steps by which two requests may differ for other reasons: a cache, a buffer
BUDGET = 4_000_000  # steps of the largest request that the service takes
CEILING = 20_000_000  # steps at which a request is stopped


class Meter:
    """The process that counts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def measure(self, request, before=(), ceiling=CEILING):
        """Return the status and the steps of a request after others."""
        line = json.dumps({"request": request, "before": list(before), "ceiling": ceiling})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["status"], answer["steps"]

    def grows_at_most_n_log_n(self, make, n):
        """Measure what `make(size)` gives, a request and those before it, in three sizes.

        Where something begins at a size, such as the shortening of long texts, the steps leap once. So three sizes that
        grow too fast are followed by another one, and it is enough that the last three do not.
        """
        self.measure(*make(n // 2 or 1))  # what is worked out once is worked out
        sizes = [n, 2 * n, 4 * n]
        found = [self._steps(make, size) for size in sizes]
        if not is_n_log_n(sizes, found):
            sizes, found = [*sizes, 8 * n], [*found, self._steps(make, 8 * n)]
            assert is_n_log_n(sizes[1:], found[1:]), dict(zip(sizes, found, strict=True))

    def _steps(self, make, size):
        status, steps = self.measure(*make(size))
        assert status, f"stopped after {steps} steps at the size {size}"
        assert status < 500
        return steps


def is_n_log_n(sizes, steps):
    first, second, third = steps
    n_log_n = 2 * math.log(sizes[2]) / math.log(sizes[1])
    return third - second <= SLACK * n_log_n * max(second - first, 0) + FIXED


@contextmanager
def counting() -> Iterator[Meter]:
    """Run the process that counts while the context lasts."""
    command = [sys.executable, "-m", "tests.growth.measure"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, **pipes) as process:
        yield Meter(process)
        process.stdin.close()
