"""Measures what the provisioning log costs: requests to gunicorn with it and without it, in turns.

    python -m bench.log [--turns 40] [--seconds 0.5] [--workers 1] [--clients 4] [--durability fsync]

Two services run, one with the log and one without, and are loaded in turns, so that other work on the machine affects
both. Clients act like Entra: they search for a user, create, change and disable it. The result is the median ratio
of adjacent turns.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import tomlkit

from config.tokens import new_token

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
    with _serving(options, logged=False) as plain, _serving(options, logged=True) as logged:
        _turn(plain, options)
        _turn(logged, options)
        pairs = [_pair(plain, logged, options, first=number % 2 == 0) for number in range(options.turns)]
    for place, unit in enumerate(("requests a second", "ms of CPU per request")):
        off, on = (statistics.median(pair[which][place] for pair in pairs) for which in (0, 1))
        low, middle, high = statistics.quantiles((pair[1][place] / pair[0][place] - 1) * 100 for pair in pairs)
        _say(f"{unit}: {off:.2f} without the log, {on:.2f} with it; by pairs {middle:+.1f} %")
        _say(f"  (half of the pairs between {low:+.1f} % and {high:+.1f} %)")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--durability", choices=("fsync", "os"), default="fsync")
    return parser.parse_args()


def _pair(
    plain: Server, logged: Server, options: argparse.Namespace, *, first: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Load both, and return the results without and with the log."""
    if first:
        one = _turn(plain, options)
        return one, _turn(logged, options)
    other = _turn(logged, options)
    return _turn(plain, options), other


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
    time.sleep(0.3)  # the log writes the queued entries
    return sum(counts) / took, 1000 * (_processor_time(server) - used) / sum(counts)


def _processor_time(server: Server) -> float:
    """Return the CPU seconds that the workers have used."""
    workers = Path(f"/proc/{server.process}/task/{server.process}/children").read_text().split()
    times = (Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[11:13] for worker in workers)
    return sum(int(ticks) for both in times for ticks in both) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _serving(options: argparse.Namespace, *, logged: bool) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder = Path(name)
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        token, table = new_token("bench")
        config = {
            "server": {"bind": address, "workers": options.workers},
            "store": {"path": "data.json", "durability": options.durability},
            "log": {"path": "log.jsonl" if logged else ""},
            "connection": {"enabled": True},
            "tokens": [table],
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
