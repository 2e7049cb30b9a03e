"""Measures the requests per second of Tinyscim, its peers and a bare Flask application: `python -m bench.load`.

One server runs at a time. The bare application is the limit, and is measured again before each run of Tinyscim. Every
ratio is of two adjacent runs; comparisons with a peer are of the same round.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import results, wrk
from bench.directory import Directory
from bench.results import Row
from bench.servers import PREFIXES, Target, missing, running

LOADS = ("get", "match", "page", "patch", "member", "mix", "post")
BARE_LOADS = ("bare-get", "bare-post", "bare-append")
SIZES = (1_000, 10_000, 100_000)
PEER_SIZES = (1_000, 10_000)
SCALED = 10_000  # users with which Tinyscim also runs on one worker


def main() -> None:
    """Measure, print the tables, write the JSON and draw the picture."""
    options = _options()
    wrk.require()
    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda *_: sys.exit(1))
    absent = {kind: why for kind in PREFIXES if (why := missing(kind))}
    for why in absent.values():
        print(why)
    plan = [one for one in _plan() if one.kind not in absent and _is_wanted(one, options.only)]
    loads = [load for load in LOADS if load in options.only] or list(LOADS)
    print("load average at the start:", *os.getloadavg())
    with TemporaryDirectory(dir=options.folder) as folder:
        rows = _measure(plan, loads, options, Path(folder))
    results.report(rows, options.json, vars(options) | {"left_out": list(absent.values())})
    if options.picture:
        results.draw(rows, options.picture)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    words = [*PREFIXES, *LOADS]
    parser.add_argument("--seconds", type=int, default=5, help="length of a run in seconds")
    parser.add_argument("--runs", type=int, default=3, help="number of rounds; medians are printed")
    parser.add_argument("--only", nargs="+", choices=words, default=[], help="measure only these targets or loads")
    parser.add_argument("--json", type=Path, default=Path("bench/load.json"), help="where to write every run")
    parser.add_argument("--picture", type=Path, help="where to plot the rates")
    parser.add_argument("--folder", help="on the disk that will hold the data")
    return parser.parse_args()


def _plan() -> list[Target]:
    """Return the measurements of a round, in order."""
    tinyscims = [Target(kind, size) for size in SIZES for kind in ("tinyscim", "postgres")]
    peers = [Target("scim2-server", size) for size in PEER_SIZES] + [Target("scimmy", size, 1) for size in PEER_SIZES]
    one = [Target("bare", PEER_SIZES[0], 1), Target("tinyscim", SCALED, 1), Target("postgres", SCALED, 1)]
    return [*chain.from_iterable((Target("bare", PEER_SIZES[0]), tinyscim) for tinyscim in tinyscims), *one, *peers]


def _is_wanted(target: Target, only: Iterable[str]) -> bool:
    kinds = set(only) & set(PREFIXES)
    return not kinds or target.kind in kinds or (target.kind == "bare" and kinds & {"tinyscim", "postgres"} != set())


def _measure(plan: list[Target], loads: list[str], options: argparse.Namespace, folder: Path) -> list[Row]:
    rows: list[Row] = []
    for number in range(1, options.runs + 1):
        limits: dict[int, dict[str, float]] = {}
        for target in plan:
            directory = Directory(target.users, folder)
            directory.write()
            for load, run in _runs(target, directory, BARE_LOADS if target.kind == "bare" else loads, options.seconds):
                limit = limits.setdefault(target.workers, {})
                if target.kind == "bare":
                    limit[load] = run.rate
                row = Row(number, target, load, run, results.limit_of(load, limit), os.getloadavg()[0])
                rows.append(row)
                results.show(row)
    return rows


def _runs(target: Target, directory: Directory, loads: Iterable[str], seconds: int) -> Iterable[tuple[str, wrk.Run]]:
    with TemporaryDirectory(dir=directory.folder.parent) as place, running(target, directory, Path(place)) as server:
        for load in loads:
            yield load, wrk.measure(server, load, directory, seconds)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nstopped; so is every server")
