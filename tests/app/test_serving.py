import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from config.tokens import new_token
from tests.support.serving import free_port, workers

ROOT = Path(__file__).parents[2]


def test_flask_run_serves_and_logs_no_filter(config_path, flask):
    token = flask("token", "new", "--name", "t").stdout.strip()
    port = free_port()
    log = config_path.with_name("log")
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", "flask", "run", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "SCIM_CONFIG": str(config_path)},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            assert answered(f"http://127.0.0.1:{port}", token) == 200
        finally:
            process.terminate()
    text = log.read_text()
    assert f"Running on http://127.0.0.1:{port}" in text
    assert "tinyscim.request" in text
    assert "lovelace" not in text
    assert token not in text


def answered(url, token):
    for _ in range(100):
        try:
            headers = {"Authorization": f"Bearer {token}"}
            query = {"filter": 'userName eq "lovelace"'}
            return httpx.get(f"{url}/api/scim/v2/Users", params=query, headers=headers).status_code
        except httpx.TransportError:
            time.sleep(0.1)
    return None


def test_the_log_has_every_line_and_no_failure_of_its_own(tmp_path, serve):
    """gunicorn's own lines go through logging as well: when it refuses a request, and when it stops."""
    token, table = new_token("t")
    with serve(tmp_path, table) as (send, url):
        for _ in range(20):
            assert send("GET", "/api/scim/v2/Users", {"Authorization": f"Bearer {token}"}, None).status == 200
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b'GET /?filter=userName eq "lovelace" HTTP/1.1\r\n\r\n')
            assert b" 400 " in connection.recv(100)
    log = (tmp_path / "log").read_text()
    assert log.count('path="/api/scim/v2/Users" status=200') == 20
    assert log.count('by="t"') == 20  # a token's name is not a secret
    assert "Invalid request from ip=127.0.0.1: Invalid HTTP" in log
    assert "lovelace" not in log
    assert "Worker exiting" in log
    assert "Logging error" not in log


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_a_service_that_is_stopped_while_it_boots_stops_at_once(tmp_path, stop):
    (tmp_path / "config.toml").write_text(f'[server]\nbind = "127.0.0.1:{free_port()}"\n')
    # gunicorn calls this in a worker, shortly before it takes up signals there.
    (tmp_path / "sitecustomize.py").write_text(
        "import time, gunicorn.util\ngunicorn.util.seed = lambda: time.sleep(2)\n"
    )
    environment = {**os.environ, "SCIM_CONFIG": str(tmp_path / "config.toml"), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "gunicorn", "app:create_app()"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert any("Booting worker" in line for line in process.stderr)
        time.sleep(0.5)
        process.send_signal(stop)
        _, log = process.communicate(timeout=10)
    assert (process.returncode, "Traceback" in log) == (0, False)


@pytest.mark.long
def test_clients_that_send_half_a_request_hold_nobody_up_for_long(tmp_path, serve):
    token, table = new_token("t")
    halves = [b"GET /he", b"GET /healthz HTTP/1.1\r\nHost: a\r\n"]
    halves += [
        f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode()
        for path, kind, length in [
            ("/api/scim/v2/Users", "application/scim+json", 100),
            ("/api/scim/v2/Users", "application/scim+json", 3_000_000),
            ("/panel/sign-in", "application/x-www-form-urlencoded", 100),
        ]
    ]
    with serve(tmp_path, table, workers=1, threads=2) as (_, url), ExitStack() as held:
        host, port = url.removeprefix("http://").split(":")
        for half in halves:
            connection = held.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(half)
        time.sleep(1)
        assert httpx.get(f"{url}/healthz", timeout=90).status_code == 200
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="processes are found in /proc")
def test_each_worker_keeps_to_a_cpu_which_the_next_in_its_place_takes_over(tmp_path, serve):
    with serve(tmp_path, new_token("t")[1], workers=2):
        before = pinned_workers(tmp_path)
        places = sorted(before.values(), key=min)
        assert len(set.union(*places)) == min(len(os.sched_getaffinity(0)), 2)
        gone = max(before)
        os.kill(gone, signal.SIGKILL)
        assert sorted(pinned_workers(tmp_path, without=gone).values(), key=min) == places


def pinned_workers(folder, *, without=None):
    """The CPU of each of two workers; the first may answer before the second is there."""
    until = time.monotonic() + 30
    while True:
        found = {pid: os.sched_getaffinity(pid) for pid in workers(folder)}
        if without not in found and len(found) == 2 and all(len(cpus) == 1 for cpus in found.values()):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.1)
