"""Hosts of the service, each with a folder of its own, on one database."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.running_service import Running, running

WORKERS = 3


@contextmanager
def two_hosts(folder: Path, url: str, **tables: Any) -> Iterator[tuple[Running, Running]]:
    """Run two hosts. Both know the token of the first one, since the second one is new."""
    for name in ("one", "other"):
        (folder / name).mkdir()
    tables = {"store": {"url": url}, "server": {"workers": WORKERS}, **tables}
    with running(folder / "one", **tables) as one, running(folder / "other", **tables) as other:
        yield one, other


def started_workers(host: Running) -> int:
    """Return how many workers were started, with those that replaced others."""
    return len(_processes(host)) - 1


def kill(host: Running) -> None:
    """Kill all processes of a host, as the loss of its machine does."""
    for process in _processes(host):
        os.kill(process, signal.SIGKILL)


def _processes(host: Running) -> list[int]:
    """Return the process that starts the workers, and those that it has started."""
    found = re.findall(r"Listening at: .*\((\d+)\)|Booting worker with pid: (\d+)", (host.folder / "log").read_text())
    return [int(main or worker) for main, worker in found]


def user_names(host: Running, token: str) -> list[str]:
    """Return the names of all users, read page by page."""
    names: list[str] = []
    with httpx.Client(base_url=host.scim, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        parameters = {"attributes": "userName", "count": 500, "cursor": ""}
        while True:
            page = client.get("/Users", params=parameters).raise_for_status().json()
            names += [user["userName"] for user in page.get("Resources", ())]
            if "nextCursor" not in page:
                return sorted(names)
            parameters["cursor"] = page["nextCursor"]
