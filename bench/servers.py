"""Starts the targets of the load benchmark from the same files: the bare application, Tinyscim and its peers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import tomlkit

from bench import databases
from bench.directory import Directory
from config.tokens import new_token

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
PREFIXES = {"bare": "", "tinyscim": "/api/scim/v2", "postgres": "/api/scim/v2", "scim2-server": "/v2", "scimmy": "/v2"}
START = 120  # seconds within which a server must be ready
SETTLE = 20  # seconds within which it must finish earlier requests
PROBES = 24  # new connections that must all succeed, so that no worker is still loading


@dataclass(frozen=True)
class Target:
    """A target to measure: its kind, its number of users and its number of workers."""

    kind: str
    users: int
    workers: int = 2

    def __str__(self) -> str:
        size = f" {self.users:,}" if self.kind != "bare" else ""
        return f"{self.kind}{size}" + (", one worker" if self.workers == 1 and self.kind != "scimmy" else "")


@dataclass(frozen=True)
class Server:
    """A running target."""

    pid: int
    port: int
    token: str
    prefix: str
    workers: int

    def cpu(self) -> dict[int, float]:
        """Return the CPU seconds that each worker has used so far."""
        return {pid: _cpu_seconds(pid) for pid in _children(self.pid) or [self.pid]}

    def settle(self) -> None:
        """Wait until earlier requests are finished: abandoned ones use CPU as well."""
        for _ in range(SETTLE * 5):
            before = sum(self.cpu().values())
            time.sleep(0.2)
            if sum(self.cpu().values()) - before < 0.02:
                return

    def is_whole(self) -> bool:
        """Return whether every worker runs and each new connection gets a 2xx response."""
        path = f"{self.prefix}/Users?count=1" if self.prefix else "/"
        return len(self.cpu()) == self.workers and all(self.answers(path) for _ in range(PROBES))

    def answers(self, path: str) -> bool:
        """Return whether a new connection gets a 2xx response."""
        request = Request(f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {self.token}"})
        try:
            urlopen(request, timeout=START).close()  # noqa: S310
        except (URLError, OSError):
            return False
        return True


def missing(kind: str) -> str:
    """Return why a kind of target cannot be started here and the remedy, or an empty text if it can."""
    if kind == "scim2-server" and find_spec("scim2_server") is None:
        return "scim2-server is left out: pip install -r requirements-dev.txt"
    if kind == "scimmy" and shutil.which("node") is None:
        return "SCIMMY is left out because Node is missing: apt-get install nodejs npm"
    if kind == "scimmy" and not (PEERS / "node_modules" / "scimmy-routers").exists():
        return "SCIMMY is left out: npm install --prefix bench/peers"
    return ""


@contextmanager
def running(target: Target, directory: Directory, folder: Path) -> Iterator[Server]:
    """Start a target in an empty folder, wait until every worker responds, and always stop it."""
    token, entry = new_token("bench")
    port = _free_port()
    _configure(target, directory, folder, port, dict(entry))
    environment = {**os.environ, "SCIM_CONFIG": str(folder / "config.toml"), "BENCH_DATA": str(directory.json)}
    environment |= {"BENCH_TOKEN": token, "BENCH_PORT": str(port), "NODE_ENV": "production"}
    with (folder / "stderr").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            _command(target), cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            server = Server(process.pid, port, token, PREFIXES[target.kind], target.workers)
            _wait(server, process, folder / "stderr")
            yield server
        finally:
            _stop(process)


def _configure(target: Target, directory: Directory, folder: Path, port: int, token: dict[str, object]) -> None:
    """Write a default configuration with this number of workers, and a copy of the data beside it."""
    settings = {
        "server": {"bind": f"127.0.0.1:{port}", "workers": target.workers},
        "store": {"path": "data.json"} | ({"url": databases.fresh(directory)} if target.kind == "postgres" else {}),
        "log": {"path": "provisioning.jsonl"},
        "connection": {"enabled": True},
        "tokens": [token],
    }
    (folder / "config.toml").write_text(tomlkit.dumps(settings))
    if target.kind == "tinyscim":
        shutil.copyfile(directory.snapshot, folder / "data.json")
        os.sync()


def _command(target: Target) -> list[str]:
    gunicorn = [sys.executable, "-m", "gunicorn", "--reuse-port"]
    other = [*gunicorn, "--config", "python:bench.serving"]
    return {
        "bare": [*other, "bench.peers.bare:app"],
        "tinyscim": gunicorn,
        "postgres": gunicorn,
        "scim2-server": [*other, "bench.peers.scim2:create_app()"],
        "scimmy": ["node", str(PEERS / "scimmy.mjs")],
    }[target.kind]


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        if server.is_whole():
            return
        time.sleep(0.1)
    raise SystemExit(f"A server did not start:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
