"""Moves what the service has counted into the past."""

import json
from pathlib import Path

from fileio.atomic import replace_atomically
from fileio.locks import locked


def move_to_past(counts: Path, seconds: float) -> None:
    """Subtract so many seconds from each time in the file of counts."""
    with locked(counts.with_name(counts.name + ".lock")):
        body = json.loads(counts.read_text())
        for cycle in body["cycles"]:
            cycle[2:4] = (moment - seconds for moment in cycle[2:4])
        for rejection in body["rejections"]:
            rejection |= {name: rejection[name] - seconds for name in ("first", "last")}
        body["probed"] = [[*client, moment - seconds] for *client, moment in body["probed"]]
        replace_atomically(counts, [json.dumps(body).encode()])
