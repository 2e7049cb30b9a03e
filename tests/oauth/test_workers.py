"""Access tokens and failed sign-ins across gunicorn's workers, and across a restart."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import pytest

from config import client_edit
from config.reload import MAX_AGE
from runtime.throttle import FREE
from tests.support.issuer import issuing
from tests.support.oauth_service import make_client
from tests.support.running_service import running

SECRET, CLIENT = make_client()
LEAVING_SECRET, LEAVING = make_client("leaving")
ENDING = make_client("ending")[1]
ENDING["secrets"][0]["expires"] = datetime.now(UTC) + timedelta(days=3)
FORM = {"grant_type": "client_credentials", "client_id": "entra-id", "client_secret": SECRET}
TEXT = urlencode(FORM)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("oauth")


@pytest.fixture(scope="module")
def token(folder):
    """An access token of a service that has been stopped since."""
    with running(folder, clients=[CLIENT, ENDING]) as service:
        token = httpx.post(f"{service.url}/oauth2/token", data=FORM).json()["access_token"]
    (folder / "log").rename(folder / "first.log")
    return token


@pytest.fixture(scope="module")
def service(folder, token):
    with running(folder, clients=[CLIENT, LEAVING], server={"workers": 2}) as service:
        yield service


def test_tokens_survive_a_restart_and_work_in_every_worker(service, token):
    # Each request opens a connection, so the workers take turns.
    assert {service.send("GET", "/Users", token=token).status_code for _ in range(12)} == {200}


def test_a_revocation_ends_tokens_in_every_worker(service, folder):
    form = {**FORM, "client_id": "leaving", "client_secret": LEAVING_SECRET}
    token = httpx.post(f"{service.url}/oauth2/token", data=form).json()["access_token"]
    assert {service.send("GET", "/Users", token=token).status_code for _ in range(12)} == {200}
    client_edit.remove_client(folder / "config.toml", "leaving")
    time.sleep(MAX_AGE)
    assert {service.send("GET", "/Users", token=token).status_code for _ in range(12)} == {401}


def test_the_workers_warn_once_of_a_secret_that_expires(token, folder):
    assert (folder / "first.log").read_text().count("of the client “name of ending” expires on ") == 1


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        ("Transfer-Encoding: chunked", f"{len(TEXT):x}\r\n{TEXT}\r\n4000\r\n&x={'x' * 0x3FFD}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", f"{len(TEXT):x}\r\n{TEXT}\r\nnonsense\r\n"),
        (f"Content-Length: {len(TEXT) + 1}", TEXT),
        (f"Content-Length: {len(TEXT) + 1}", f"{TEXT}\xff"),
    ],
    ids=["too long", "malformed chunk", "ended early", "not UTF-8"],
)
def test_a_damaged_body_is_an_invalid_request(service, framing, body):
    head = f"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n{framing}"
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"{head}\r\n\r\n{body}".encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert '"error":"invalid_request"' in answer.replace(" ", "")


def test_workers_count_failed_sign_ins_together(service):
    wrong = {**FORM, "client_id": "unknown"}
    answers = [httpx.post(f"{service.url}/oauth2/token", data=wrong).status_code for _ in range(FREE + 1)]
    assert answers == [401] * FREE + [429]


def test_a_slow_issuer_stops_nothing_else(tmp_path):
    with issuing() as issuer, running(tmp_path, clients=[issuer.client()]) as service, ThreadPoolExecutor(12) as pool:
        issuer.may_answer.clear()
        form = {"grant_type": "client_credentials", **issuer.form()}
        asked = [pool.submit(httpx.post, f"{service.url}/oauth2/token", data=form, timeout=30) for _ in range(12)]
        done = as_completed(asked)
        early = [next(done).result().status_code for _ in range(9)]  # one fetches, and one in each worker waits
        assert service.send("GET", "/Users").status_code == 200
        issuer.may_answer.set()
        late = [answer.result().status_code for answer in done]
        assert (early, sorted(late)[:2]) == ([503] * 9, [200, 200])


def test_no_secret_is_in_the_log_or_the_files(service, folder, token):
    httpx.post(f"{service.url}/oauth2/token", data={**FORM, "client_id": SECRET})
    kept = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".new"]  # renamed in a moment
    assert any(path.name == "tinyscim.clients.json" for path in kept)
    for path in kept:
        text = path.read_bytes()
        assert SECRET.encode() not in text, path
        assert token.encode() not in text, path
