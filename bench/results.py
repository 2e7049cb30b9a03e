"""The results of the load benchmark: medians, ratios within a round, targets, tables, JSON and the picture."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.report import table
from bench.servers import Target
from bench.wrk import Run

NAMES = [
    "target",
    "load",
    "rate",
    "p50",
    "p99",
    "to the limit",
    "per CPU second",
    "to the limit's",
    "CPU of each worker",
]
WRITES = ("patch", "member", "post", "bare-post", "bare-append")
TO_LIMIT = {"get": 0.80, "match": 0.70, "page": 0.25, "patch": 0.45, "member": 0.55, "post": 0.45}
TITLES = {
    "get": "GET by id",
    "match": "match by userName",
    "page": "page of 100",
    "patch": "PATCH two attributes",
    "member": "add a member",
    "mix": "Entra's mix",
    "post": "POST",
    "bare-get": "GET of 700 bytes",
    "bare-post": "POST echo of 1 KB",
    "bare-append": "POST append and fsync of 1 KB",
}


@dataclass(frozen=True)
class Row:
    """One run, with the limit measured before it in the same round; `load_average` is the machine's."""

    round: int
    target: Target
    load: str
    run: Run
    limit: float | None
    load_average: float = 0.0


def limit_of(load: str, bare: dict[str, float]) -> float | None:
    """Return the rate of the bare application for a load; the mix has 60 GETs to 40 writes, which are fsynced."""
    get, append = bare.get("bare-get"), bare.get("bare-append")
    if not get or not append or load.startswith("bare"):
        return None
    return 1 / (0.6 / get + 0.4 / append) if load == "mix" else append if load in WRITES else get


def show(row: Row) -> None:
    """Print a run as soon as it ends."""
    run = row.run
    cpu = " ".join(f"{share:.0%}" for share in run.cpu)
    found = f"{run.rate:8,.0f}/s  p50 {run.p50:7.2f} ms  p99 {run.p99:7.2f} ms  cpu {cpu}"
    print(f"{row.round}  {row.target!s:30} {row.load:10}", run.void or found, flush=True)


class Found:
    """The runs, by target and load."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows: dict[tuple[Target, str], list[Row]] = {}
        for row in rows:
            self.rows.setdefault((row.target, row.load), []).append(row)

    def void(self, target: Target, load: str) -> str:
        """Return why the row is void, or an empty text. One void run is enough."""
        return next((row.run.void for row in self.rows.get((target, load), []) if row.run.void), "")

    def rate(self, target: Target, load: str) -> float | None:
        """Return the median rate."""
        runs = [row.run.rate for row in self.rows.get((target, load), [])]
        return median(runs) if runs and not self.void(target, load) else None

    def to_limit(self, target: Target, load: str) -> float | None:
        """Return the median ratio to the bare application within a round."""
        found = [row.run.rate / row.limit for row in self.rows.get((target, load), []) if row.limit]
        return median(found) if found and not self.void(target, load) else None

    def per_cpu(self, target: Target, load: str) -> float | None:
        """Return the median requests per CPU second of the workers, which other work on the machine does not affect."""
        rows = [row.run for row in self.rows.get((target, load), [])]
        found = [run.rate / sum(run.cpu) for run in rows if sum(run.cpu)]
        return median(found) if found and not self.void(target, load) else None

    def per_cpu_to_limit(self, target: Target, load: str) -> float | None:
        """Return the requests per CPU second as a ratio to the bare application's on as many workers."""
        bare = [key for key in self.rows if key[0].kind == "bare" and key[0].workers == target.workers]
        limit = limit_of(load, {one: self.per_cpu(which, one) or 0 for which, one in bare})
        mine = self.per_cpu(target, load)
        return mine / limit if mine and limit else None

    def to(self, target: Target, other: Target, load: str, other_load: str = "") -> float | None:
        """Return the median ratio to another target within a round."""
        mine, others = self._by_round(target, load), self._by_round(other, other_load or load)
        found = [mine[number] / others[number] for number in mine.keys() & others.keys()]
        return median(found) if found else None

    def _by_round(self, target: Target, load: str) -> dict[int, float]:
        """Return the rate in each round; the bare application runs several times in a round."""
        rounds: dict[int, list[float]] = {}
        if not self.void(target, load):
            for row in self.rows.get((target, load), []):
                rounds.setdefault(row.round, []).append(row.run.rate)
        return {number: median(rates) for number, rates in rounds.items()}


def report(rows: list[Row], path: Path, conditions: dict[str, Any]) -> None:
    """Print the tables, and write every run as JSON."""
    found = Found(rows)
    print("\nMedians, in requests per second and milliseconds\n")
    table(NAMES, _lines(found))
    print("\nTinyscim and peers with the same number of users\n")
    table(["load", "users", "peer", "Tinyscim's rate to the peer's"], _peer_lines(found))
    print("\nTargets\n")
    table(["target", "wanted", "measured", ""], _target_lines(found))
    runs = [asdict(row) for row in rows]
    everything = {"conditions": {**conditions, "load_average": os.getloadavg()}, "runs": runs}
    path.write_text(json.dumps(everything, indent=1, default=str) + "\n")


def _lines(found: Found) -> Iterable[list[object]]:
    for (target, load), rows in found.rows.items():
        why = found.void(target, load)
        if why:
            yield [target, TITLES[load], f"void: {why}", *[""] * 6]
            continue
        middle = sorted(rows, key=lambda row: row.run.rate)[len(rows) // 2].run
        p50, p99 = median(row.run.p50 for row in rows), median(row.run.p99 for row in rows)
        ratios = [found.to_limit(target, load), found.per_cpu(target, load), found.per_cpu_to_limit(target, load)]
        cpu = " ".join(f"{share:.0%}" for share in middle.cpu)
        yield [target, TITLES[load], f"{found.rate(target, load):,.0f}", p50, p99, *map(_shown, ratios), cpu]


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}" if number > 10 else f"{number:.2f}"


def _peer_lines(found: Found) -> Iterable[list[object]]:
    for target, load in found.rows:
        if target.kind in ("bare", "tinyscim"):
            continue
        ratio = found.to(Target("tinyscim", target.users), target, load)
        yield [TITLES[load], f"{target.users:,}", target.kind, "void" if ratio is None else ratio]


def _target_lines(found: Found) -> Iterable[list[object]]:
    sizes = sorted({target.users for target, _ in found.rows if target.kind == "tinyscim" and target.workers > 1})
    for load, wanted in TO_LIMIT.items():
        for size in sizes:
            name = f"{TITLES[load]}, {size:,} users, to the bare app"
            yield from _judge(name, wanted, found.to_limit(Target("tinyscim", size), load))
        yield from _large(found, load)
        yield from _tail(found, load, sizes)
    for target, load in found.rows:
        if target.workers == 1 and target.kind in ("bare", "tinyscim"):
            ratio = found.to(Target(target.kind, target.users), target, load)
            yield from _judge(f"{target.kind}, {TITLES[load]}: two workers to one", 1.7, ratio)


def _large(found: Found, load: str) -> Iterable[list[object]]:
    ratio = found.to(Target("tinyscim", 100_000), Target("tinyscim", 1_000), load)
    yield from _judge(f"{TITLES[load]}: 100,000 users to 1,000", 0.9, ratio)


def _tail(found: Found, load: str, sizes: list[int]) -> Iterable[list[object]]:
    """Compare p99 with p50 by the worst of the sizes' medians."""
    most = 8 if load in WRITES else 4
    rows = [found.rows.get((Target("tinyscim", size), load), []) for size in sizes]
    ratios = [median(one.run.p99 / one.run.p50 for one in some) for some in rows if some and not some[0].run.void]
    if ratios:
        met = "met" if max(ratios) <= most else "not met"
        yield [f"{TITLES[load]}: p99 to p50, at most", most, max(ratios), met]


def _judge(name: str, wanted: float, measured: float | None) -> Iterable[list[object]]:
    if measured is not None:
        yield [name, wanted, f"{measured:.3f}", "met" if measured >= wanted else "not met"]


def draw(rows: list[Row], path: Path) -> None:
    """Plot the rates, with a panel for each load and the limit as a line."""
    from matplotlib.figure import Figure

    found = Found(rows)
    loads = [load for load in TITLES if any(row.load == load and row.target.kind == "tinyscim" for row in rows)]
    figure = Figure(figsize=(12, 6), layout="constrained")
    axes = figure.subplots(2, -(-len(loads) // 2), squeeze=False).flat
    for load, panel in zip(loads, axes, strict=False):
        _draw_load(panel, found, load)
    for panel in list(figure.axes)[len(loads) :]:
        panel.axis("off")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="lower right")
    figure.savefig(path, dpi=120)


def _draw_load(panel: Any, found: Found, load: str) -> None:
    targets = [target for target, one in found.rows if one == load and (target.workers == 2 or target.kind == "scimmy")]
    sizes = sorted({target.users for target in targets})
    for place, kind in enumerate(dict.fromkeys(target.kind for target in targets)):
        shown = [target for target in targets if target.kind == kind]
        heights = [found.rate(target, load) or 0 for target in shown]
        panel.bar([sizes.index(target.users) + 0.27 * place for target in shown], heights, 0.25, label=kind)
    limits = [row.limit for (target, one), some in found.rows.items() if one == load for row in some if row.limit]
    if limits:
        panel.axhline(median(limits), color="black", linestyle="--", linewidth=1, label="bare Flask")
    panel.set(title=TITLES[load], ylabel="requests per second", yscale="log", ylim=(1, 20_000))
    panel.yaxis.set_major_formatter(lambda rate, _: f"{rate:,.0f}")
    panel.set_xticks([place + 0.27 for place in range(len(sizes))], [f"{size:,}" for size in sizes])
