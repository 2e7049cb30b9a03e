"""Clients that send or read slowly, against gunicorn: they hold up nobody else, and a request has a deadline."""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from config.tokens import new_token
from tests.support.serving import ROOT
from tests.support.urns import USER

HOST = b"Host: a.example\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
POST = b"POST /panel/sign-in HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
MANY = 100
USERS = 1_000
# What a client sends at once, and what it goes on to send byte by byte, without end.
KINDS = {
    "headers": (GET, b"X-A: b\r\n"),
    "a request line": (b"GET /", b"a"),
    "a body": (POST + b"Content-Length: 100000\r\n\r\n", b"a"),
    "a large body": (POST + b"Content-Length: 1000000\r\n\r\n" + b"a" * 500_000, b"a"),
    "a body that is too large": (POST + b"Content-Length: 3000000\r\n\r\n", b"a"),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "a chunk's extension": (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "a trailer": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n"),
    "a second request": (GET + b"\r\n" + GET, b"X-A: b\r\n"),
    "nothing": (b"", b""),
    "half a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""),
    "an answer that ends the connection": (GET + b"Connection: close\r\n\r\n", b""),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory, serve):
    """A service with its usual settings and a page of users that no socket's buffer holds."""
    token, table = new_token("slow")
    with serve(tmp_path_factory.mktemp("slow"), table) as (send, url):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": str(n), "data": {"schemas": [USER], **large_user(n)}}
            for n in range(USERS)
        ]
        schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]
        body = json.dumps({"schemas": schemas, "Operations": operations}).encode()
        assert send("POST", "/api/scim/v2/Bulk", headers, body).status == 200
        yield url, token


def large_user(number):
    return {"userName": f"u{number}", "emails": [{"value": f"{n}-{'x' * 150}@a.example"} for n in range(8)]}


@contextmanager
def connected(url, greeting=b"", *, receive_buffer=0):
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(30)
        connection.connect((host, int(port)))
        connection.sendall(greeting)
        yield connection


@contextmanager
def many(url, first, more, *, number=MANY, read=0, receive_buffer=0):
    """Connect as often; while the context lasts, each connection goes on byte by byte."""
    stop = threading.Event()
    with ExitStack() as held:
        connections = [held.enter_context(connected(url, first, receive_buffer=receive_buffer)) for _ in range(number)]

        def drip():
            for byte in itertools.cycle(more or [0]):
                if stop.wait(0.25):
                    return
                for connection in connections:
                    with suppress(OSError):
                        if more:
                            connection.send(bytes([byte]))
                        if read:
                            connection.recv(read)

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield connections
        finally:
            stop.set()
            thread.join()


def is_served(url, times=8):
    """Whether others get their answers meanwhile, over connections of their own."""
    return all(httpx.get(f"{url}/healthz", timeout=20).status_code == 200 for _ in range(times))


def read_all(connection):
    """Return what comes until the server closes the connection."""
    received = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65_536):
            received += piece
    return received


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_slow_clients_hold_nobody_up(served, kind):
    url, _ = served
    first, more = KINDS[kind]
    with many(url, first, more):
        assert is_served(url)


def test_a_hundred_clients_that_read_slowly_hold_nobody_up(served):
    url, token = served
    first = f"GET /api/scim/v2/Users?count={USERS} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
    with many(url, first.encode(), b"", read=1, receive_buffer=4_096):
        assert is_served(url)


def test_a_client_that_reads_in_small_pieces_gets_all_of_its_answer(served):
    url, token = served
    page = f"/api/scim/v2/Users?count={USERS}"
    asked = f"GET {page} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    with connected(url, asked.encode(), receive_buffer=4_096) as connection:
        received = read_all(connection)
    assert len(json.loads(received.partition(b"\r\n\r\n")[2])["Resources"]) == USERS


@pytest.mark.long
@pytest.mark.parametrize("kind", ["headers", "a body", "chunks", "a second request", "nothing", "half a TLS hello"])
def test_a_request_has_a_deadline_as_a_whole(tmp_path, serve, kind):
    first, more = KINDS[kind]
    with serve(tmp_path, request_timeout=1) as (_, url), many(url, first, more, number=5) as connections:
        answers = [read_all(connection) for connection in connections]  # the server ends every one of them
        assert is_served(url)
    assert all(b" 200 OK" not in answer or kind == "a second request" for answer in answers)
    assert "took longer than request_timeout (1 s)" in (tmp_path / "log").read_text()


@pytest.mark.long
def test_an_answer_that_is_not_read_is_given_up(tmp_path, serve):
    token, table = new_token("t")
    with serve(tmp_path, table, request_timeout=1) as (send, url):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        photo = {"type": "photo", "value": f"data:image/png,{'x' * 100_000}"}
        for number in range(40):
            body = json.dumps({"schemas": [USER], "userName": f"u{number}", "photos": [photo]}).encode()
            assert send("POST", "/api/scim/v2/Users", headers, body).status == 201
        asked = f"GET /api/scim/v2/Users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        with connected(url, asked, receive_buffer=4_096) as connection:
            while "took longer" not in (tmp_path / "log").read_text():
                assert is_served(url, 1)
            assert len(read_all(connection)) < 4_000_000


def test_a_request_that_comes_byte_by_byte_is_answered(live):
    """So are one after the other in one piece, and chunks with extensions and a trailer."""
    user = json.dumps({"schemas": [USER], "userName": "byte-by-byte"}).encode()
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (user[:3], user[3:]))
    head = f"Host: a\r\nAuthorization: Bearer {live.token}\r\nContent-Type: application/scim+json\r\n".encode()
    asked = b"POST /api/scim/v2/Users HTTP/1.1\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    with connected(live.url) as connection:
        for byte in asked + b"0\r\nX-A: b\r\n\r\n":
            connection.send(bytes([byte]))
        connection.sendall((GET + b"\r\n") * 20 + GET + b"Connection: close\r\n\r\n")
        answer = read_all(connection)
    assert answer.count(b"HTTP/1.1 201 ") == 1
    assert answer.count(b"HTTP/1.1 200 ") == 21
    assert live.found("/Users", 'userName eq "byte-by-byte"')


def test_a_client_that_waits_for_100_continue_is_asked_for_its_body_once(live):
    user = json.dumps({"schemas": [USER], "userName": "continued"}).encode()
    head = f"Host: a\r\nAuthorization: Bearer {live.token}\r\nContent-Type: application/scim+json\r\n".encode()
    asked = b"POST /api/scim/v2/Users HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\n" + head
    with connected(live.url, asked + b"Content-Length: %d\r\n\r\n" % len(user)) as connection:
        assert connection.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(user)
        assert read_all(connection).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("line", [b"GET /healthz HTTP/1.1\n", b"GET /healthz HTTP/1.1\r\nHost: a\n\n", b"\r\n\r\n"])
def test_lines_that_gunicorn_refuses_are_refused_at_once(live, line):
    with connected(live.url, line) as connection:
        assert read_all(connection).startswith(b"HTTP/1.1 400 ")


def test_the_rest_of_a_refused_body_is_not_taken_for_a_request(live):
    """A body too large for the service is not read, and what follows on the connection may be part of it."""
    hidden = GET + b"\r\n"
    with connected(live.url, POST + b"Content-Length: 3000000\r\n\r\n" + hidden) as connection:
        connection.sendall(hidden * 10)
        assert read_all(connection).count(b"HTTP/1.1 ") == 1


def test_a_unix_socket_is_served_alike(tmp_path):
    place = tmp_path / "s"
    (tmp_path / "config.toml").write_text(f'[server]\nbind = "unix:{place}"\n')
    environment = {**os.environ, "SCIM_CONFIG": str(tmp_path / "config.toml")}
    command = [sys.executable, "-m", "gunicorn", "app:create_app()"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert any("Booting worker" in line for line in process.stderr)
            with ExitStack() as held:
                for _ in range(MANY):
                    slow = held.enter_context(socket.socket(socket.AF_UNIX))
                    slow.connect(str(place))
                    slow.sendall(GET)
                transport = httpx.HTTPTransport(uds=str(place))
                with httpx.Client(transport=transport, base_url="http://a.example", timeout=20) as client:
                    assert client.get("/healthz").status_code == 200
        finally:
            process.terminate()
