"""Measures what a part of the service costs: requests to gunicorn with it and without it, in turns.

    python -m bench.cost events|log|webhook [--turns 40] [--seconds 0.5] [--workers 1] [--clients 4]
        [--durability fsync]

Two services run, one with the part and one without, and are loaded in turns, so that other work on the machine affects
both. Clients act like Entra: they search for a user, create, change and disable it. The result is the median ratio
of adjacent turns. The CPU time includes what the service does after the answers: `events` is
the event feed without a reader, `log` the provisioning log, and `webhook` posts each event to an endpoint on the same
machine, whose own CPU time is not counted.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Process
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit

from config.tokens import new_signing_secret, new_token

ROOT = Path(__file__).resolve().parent.parent

BASE = "/api/scim/v2"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Server(NamedTuple):
    """A running service."""

    address: str
    token: str
    process: int


def main() -> None:
    """Measure and print."""
    options = _options()
    with (
        _endpoint() as url,
        _serving(options, _TABLES[options.part][0](url)) as without,
        _serving(options, _TABLES[options.part][1](url)) as with_it,
    ):
        _turn(without, options)
        _turn(with_it, options)
        pairs = [_pair(without, with_it, options, first=number % 2 == 0) for number in range(options.turns)]
    for place, unit in enumerate(("requests a second", "ms of CPU per request")):
        off, on = (statistics.median(pair[which][place] for pair in pairs) for which in (0, 1))
        low, middle, high = statistics.quantiles((pair[1][place] / pair[0][place] - 1) * 100 for pair in pairs)
        _say(f"{unit}: {off:.2f} without the {options.part}, {on:.2f} with it; by pairs {middle:+.1f} %")
        _say(f"  (half of the pairs between {low:+.1f} % and {high:+.1f} %)")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=sorted(_TABLES))
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--durability", choices=("fsync", "os"), default="fsync")
    return parser.parse_args()


_FEED = {"events": {"enabled": True}}


def _webhook(url: str) -> dict[str, Any]:
    secret = new_signing_secret()[1]
    return {**_FEED, "webhooks": [{"name": "bench", "url": url, "types": [], "paused": False, "secrets": [secret]}]}


# For each part, the tables of a configuration without it and with it.
_TABLES: dict[str, tuple[Callable[[str], dict[str, Any]], Callable[[str], dict[str, Any]]]] = {
    "events": (lambda _: {}, lambda _: _FEED),
    "log": (lambda _: {"log": {"path": ""}}, lambda _: {}),
    "webhook": (lambda _: _FEED, _webhook),
}


@contextmanager
def _endpoint() -> Iterator[str]:
    """Accept events in a process of its own, and yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = Process(target=_accept, args=(server,), daemon=True)
        process.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        process.terminate()


def _accept(server: socket.socket) -> None:
    while True:
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as lines:
            while head := list(iter(lines.readline, b"\r\n"))[1:]:
                sizes = dict(line.lower().split(b": ", 1) for line in head)
                lines.read(int(sizes[b"content-length"]))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def _pair(
    without: Server, with_it: Server, options: argparse.Namespace, *, first: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Load both, and return the results without and with the part."""
    if first:
        one = _turn(without, options)
        return one, _turn(with_it, options)
    other = _turn(with_it, options)
    return _turn(without, options), other


def _turn(server: Server, options: argparse.Namespace) -> tuple[float, float]:
    """Load a server, and return requests per second and milliseconds of CPU per request."""
    counts = [0] * options.clients
    used, started = _processor_time(server), time.monotonic()
    threads = [
        threading.Thread(target=_provision, args=(server, number, started + options.seconds, counts))
        for number in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - started
    time.sleep(1)  # for what comes after the answers: entries of the log are written, and events posted
    return sum(counts) / took, 1000 * (_processor_time(server) - used) / sum(counts)


def _processor_time(server: Server) -> float:
    """Return the CPU seconds that the workers have used."""
    workers = Path(f"/proc/{server.process}/task/{server.process}/children").read_text().split()
    times = (Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[11:13] for worker in workers)
    return sum(int(ticks) for both in times for ticks in both) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _serving(options: argparse.Namespace, tables: dict[str, Any]) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder = Path(name)
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        token, table = new_token("bench")
        config = {
            "server": {"bind": address, "workers": options.workers},
            "store": {"path": "data.json", "durability": options.durability},
            "log": {"path": "log.jsonl"},
            "connection": {"enabled": True},
            "tokens": [table],
            **tables,
        }
        (folder / "config.toml").write_text(tomlkit.dumps(config))
        environment = {**os.environ, "SCIM_CONFIG": str(folder / "config.toml")}
        command = [sys.executable, "-m", "gunicorn", "app:create_app()"]
        with (
            (folder / "out").open("w") as out,
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out) as process,  # noqa: S603
        ):
            try:
                _wait(address)
                yield Server(address, token, process.pid)
            finally:
                process.terminate()


def _wait(address: str) -> None:
    for _ in range(100):
        try:
            socket.create_connection(tuple(address.split(":")), 1).close()  # type: ignore[arg-type]
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the service did not start")


def _provision(server: Server, client: int, until: float, counts: list[int]) -> None:
    connection = http.client.HTTPConnection(server.address, timeout=30)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/scim+json; charset=utf-8"}

    def send(method: str, path: str, body: Any = None) -> Any:
        connection.request(method, BASE + path, json.dumps(body).encode() if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        counts[client] += 1
        if answer.status >= 400:
            raise SystemExit(text.decode())
        return json.loads(text)

    while time.monotonic() < until:
        name = f"user{client}.{time.monotonic_ns()}@contoso.example"
        send("GET", f"/Users?filter=userName+eq+%22{name}%22")
        path = f"/Users/{send('POST', '/Users', _user(name))['id']}"
        send("PATCH", path, _patch(("displayName", "Another Name"), ("name.givenName", "Another")))
        send("PATCH", path, _patch(("active", "False")))


def _user(name: str) -> dict[str, Any]:
    return {
        "schemas": [USER, ENTERPRISE],
        "externalId": name,
        "userName": name,
        "active": True,
        "displayName": "Ann Example",
        "emails": [{"primary": True, "type": "work", "value": name}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Ann Example", "familyName": "Example", "givenName": "Ann"},
        "title": "Engineer",
        ENTERPRISE: {"department": "Research", "employeeNumber": name},
    }


def _patch(*replaced: tuple[str, str]) -> dict[str, Any]:
    operations = [{"op": "Replace", "path": path, "value": value} for path, value in replaced]
    return {"schemas": [PATCH_OP], "Operations": operations}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
