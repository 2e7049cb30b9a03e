"""The chart of activity: stacked bars as SVG, drawn here so that the page needs no script."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from provisioning_log.activity import CHANGES, Bucket

KINDS = (*CHANGES, "failed")
WIDTH, HEIGHT = 960, 176  # in the SVG's units
_GAP = 0.25  # of a bar's width
_LEAST = 3  # the height of the smallest part, so that one failure among thousands is seen


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: the kind of change, its count and its place from the top."""

    kind: str
    count: int
    y: float
    height: float


class Bar(NamedTuple):
    """One bar with its parts from the bottom up."""

    bucket: Bucket
    x: float
    width: float
    parts: list[Part]

    @property
    def summary(self) -> str:
        """The counts in words."""
        return ", ".join(f"{part.count:,} {part.kind}" for part in self.parts) or "no changes"


class Chart(NamedTuple):
    """The bars, the count at the top of the scale, and the totals of the kinds that occur."""

    bars: list[Bar]
    top: int
    totals: dict[str, int]


def draw(buckets: list[Bucket]) -> Chart:
    """Return the chart of these buckets."""
    top = max(1, *(sum(bucket.counts[kind] for kind in KINDS) for bucket in buckets))
    step = WIDTH / len(buckets)
    bars = [
        Bar(bucket, round((number + _GAP / 2) * step, 1), round((1 - _GAP) * step, 1), list(_parts(bucket, top)))
        for number, bucket in enumerate(buckets)
    ]
    totals = {kind: sum(bucket.counts[kind] for bucket in buckets) for kind in KINDS}
    return Chart(bars, top, totals)


def _parts(bucket: Bucket, top: int) -> Iterator[Part]:
    heights = {kind: max(_LEAST, bucket.counts[kind] * HEIGHT / top) for kind in KINDS if bucket.counts[kind]}
    scale = min(1.0, HEIGHT / sum(heights.values())) if heights else 1.0
    y = float(HEIGHT)
    for kind, height in heights.items():
        y -= height * scale
        yield Part(kind, bucket.counts[kind], round(y, 1), round(height * scale, 1))
