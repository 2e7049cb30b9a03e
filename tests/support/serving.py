"""Runs the service with gunicorn, and replaces its configuration file."""

import itertools
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import tomlkit

from config.reload import MAX_AGE, SETTLED
from tests.support.preloaded import preloaded
from tests.support.scim_client import over_network

ROOT = Path(__file__).parents[2]


def rewrite(path: Path, text: str) -> None:
    """Replace a file, as most editors do, and wait until the service takes its new text for complete."""
    new = path.with_name("rewritten")
    new.write_text(text)
    new.replace(path)
    time.sleep(SETTLED + MAX_AGE)


# Below the ports that Linux gives to outgoing connections; each worker of pytest-xdist has some of its own.
_PORTS_EACH = 1_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.cycle(random.sample(range(20_000, 20_000 + _PORTS_EACH), _PORTS_EACH))


def free_port() -> int:
    """Return a port on which no process of this machine listens, a different one each time."""
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port + _WORKER % 12 * _PORTS_EACH))
            return probe.getsockname()[1]
    raise AssertionError


@contextmanager
def serving(folder: Path, *tokens: Any, **server: Any):
    """Run gunicorn in a folder while the context lasts; give a Send and the service's URL."""
    bind = f"127.0.0.1:{free_port()}"
    config = {
        "server": {"bind": bind, **server},
        "store": {"path": "data.json"},
        "connection": {"enabled": True},
        "tokens": list(tokens),
    }
    with (
        httpx.Client(base_url=f"http://{bind}", timeout=30) as client,
        gunicorn(folder, config, client),
    ):
        yield over_network(client), f"http://{bind}"


@contextmanager
def gunicorn(folder: Path, config: dict[str, Any], client: httpx.Client) -> Iterator[subprocess.Popen]:
    """Run gunicorn in a folder while the context lasts, once it answers the client."""
    (folder / "config.toml").write_text(tomlkit.dumps(config))
    (folder / "config.toml").chmod(0o600)
    with (
        (folder / "log").open("a") as log,
        subprocess.Popen(
            [*preloaded(), "gunicorn", "app:create_app()"],
            cwd=ROOT,
            env={**os.environ, "SCIM_CONFIG": str(folder / "config.toml")},
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_until_healthy(client, process, folder / "log")
            yield process
        finally:
            process.terminate()


def wait_until_healthy(client: httpx.Client, process: subprocess.Popen, log: Path) -> None:
    for _ in range(200):
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def workers(folder: Path) -> list[int]:
    """The workers whose output is in the folder."""
    parents = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (place / "fd" / "1").readlink() == folder / "log":
                parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
    return [pid for pid, parent in parents.items() if parent in parents]
