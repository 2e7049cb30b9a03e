"""Sends mutated requests to the service: `python -m tests.fuzz --requests 200000`, or `make fuzz`.

No request may be answered with a 5xx, log an error, or take more than half a second of CPU. Requests come in lots, each
with a service of its own, and follow from the seed and their numbers alone: `--seed S --only N` sends request N after
those of its lot that came before it.
"""

import argparse
import secrets
import sys
import time

from tests.fuzz.running import report, run, run_only, say


def main() -> int:
    """Send requests, and report the outcomes."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=None, help="what the requests follow from; printed if left out")
    parser.add_argument("--only", type=int, help="send this request alone, after those of its lot before it")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    if options.only is not None:
        return run_only(seed, options.only)
    say(f"seed {seed}, {options.requests:,} requests")
    started = time.monotonic()
    result = run(seed, options.requests, options.processes)
    say("\n".join(report(result, seed)))
    say(f"{options.requests:,} requests in {time.monotonic() - started:.0f} s: {len(result.failures)} failed")
    return int(bool(result.failures))


if __name__ == "__main__":
    sys.exit(main())
