"""Measures how long a page of 1,000 events takes, anywhere in a feed of 100,000.

    python -m bench.events [--events 100000] [--pages 200]

The events are those of users that are created and changed; the feed is read at the WSGI interface, with its token and
its JSON, from a TinyDB store whose log has files of 16 MB.
"""

import argparse
import itertools
import json
import logging
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from app import create_app
from bench.people import user
from config.tokens import new_token
from scim.directory.service import Service
from storage.base import Retention
from storage.tinydb_store import TinyDBStore

PAGE = 1_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=200)
    options = parser.parse_args()
    logging.disable()  # of a line for each page
    with tempfile.TemporaryDirectory() as folder:
        store = TinyDBStore(Path(folder) / "data.json", durability="os", retention=Retention(7, 1 << 40))
        token, table = new_token("bench", scope="events")
        app = create_app({"tokens": [table], "events": {"enabled": True}}, store=store)
        service: Service = app.extensions["tinyscim"]
        service.open()
        _fill(service, store, options.events)
        client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
        cursors = list(_cursors(client, headers))
        chance = random.Random(1)
        times = sorted(_timed(client, headers, chance.choice(cursors)) for _ in range(options.pages))
        sys.stdout.write(
            f"a page of {PAGE} of {options.events} events: median {statistics.median(times):.1f} ms,"
            f" 95 of 100 within {times[len(times) * 95 // 100]:.1f} ms; {len(cursors)} places\n"
        )
        store.close()


def _fill(service: Service, store: TinyDBStore, events: int) -> None:
    """Create users, each in a transaction of its own, and change them; compact as the service does."""
    resources, type = service.resources("http://bench/scim"), service.registry.types["User"]
    for number in itertools.count():
        if number * 2 >= events:
            break
        id = resources.create(type, user(number)).id
        resources.replace(type, id, user(number) | {"title": f"Title {number}"})
        if number % 6_000 == 5_999:
            store.compact()


def _cursors(client: FlaskClient, headers: dict[str, str]) -> Any:
    """Yield the cursor before each page."""
    cursor = ""
    while (page := _page(client, headers, cursor))["events"]:
        if len(page["events"]) == PAGE:
            yield cursor
        cursor = page["cursor"]


def _page(client: FlaskClient, headers: dict[str, str], cursor: str) -> dict[str, Any]:
    answer = client.get(f"/api/events?limit={PAGE}&after={cursor}", headers=headers)
    if answer.status_code != 200:
        raise SystemExit(answer.text)
    body: dict[str, Any] = json.loads(answer.text)
    return body


def _timed(client: FlaskClient, headers: dict[str, str], cursor: str) -> float:
    """Return how many milliseconds a page takes."""
    began = time.perf_counter()
    client.get(f"/api/events?limit={PAGE}&after={cursor}", headers=headers).get_data()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
