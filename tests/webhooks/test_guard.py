"""Which addresses a webhook may be at, and what an endpoint cannot do to the service."""

import socket
import ssl
import time
from contextlib import closing

import pytest

from runtime import outgoing
from runtime.outgoing import Endpoint, Failed, is_allowed
from tests.support import certificates
from tests.support.webhook_receiver import Reply, receiving


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def names(monkeypatch):
    """Let names lead to addresses; a list gives one after the other."""
    known, original = {}, socket.getaddrinfo

    def look_up(host, port, *rest, **options):
        if host in known:
            address = known[host].pop(0) if isinstance(known[host], list) else known[host]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        return original(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def post(url, networks=(), timeout=5.0, body=b"{}"):
    with closing(Endpoint(url, networks, timeout)) as endpoint:
        return endpoint.post(body, {"Content-Type": "application/json"})


@pytest.fixture
def endpoint(receiver):
    with closing(Endpoint(receiver.url)) as endpoint:
        yield endpoint


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.5.5", "192.168.1.1", "127.0.0.1", "127.8.8.8", "0.0.0.0", "255.255.255.255"),
        *("169.254.169.254", "168.63.129.16", "100.64.0.1", "100.100.100.200", "224.0.0.1", "240.0.0.1", "192.0.2.1"),
        *("198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
        *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::7f00:1"),
        *("64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "2002:0a00:0001::1", "2002:7f00:1::", "2001:db8::1"),
        "not an address",
    ],
)
def test_addresses_that_are_not_public_are_refused(address):
    assert not is_allowed(address, "hooks.example.com", ())


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_public_addresses_are_allowed(address):
    assert is_allowed(address, "hooks.example.com", ())


@pytest.mark.parametrize(
    ("address", "networks", "is_right"),
    [
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("::ffff:10.1.2.3", ("10.0.0.0/8",), True),
        ("64:ff9b::10.1.2.3", ("10.0.0.0/8",), True),
        ("fd00::1", ("10.0.0.0/8", "fd00::/8"), True),
        ("11.0.0.1", ("10.0.0.0/8",), True),
        ("192.168.0.1", ("10.0.0.0/8",), False),
        ("127.0.0.1", ("10.0.0.0/8",), False),
    ],
)
def test_the_option_allows_private_networks_and_no_others(address, networks, is_right):
    assert is_allowed(address, "hooks.example.com", networks) == is_right


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "LOCALHOST", "127.9.9.9"])
def test_this_machine_is_called_if_the_url_says_so(host):
    assert is_allowed("127.0.0.1", host, ())
    assert is_allowed("::1", host, ())
    assert not is_allowed("10.0.0.1", host, ())


def test_an_event_is_posted_to_path_and_query_with_the_host(receiver):
    answer = post(receiver.url, body=b'{"a": 1}')
    (request,) = receiver.requests
    assert (answer.status, answer.body) == (204, b"")
    assert (request.path, request.body) == ("/hook?key=1", b'{"a": 1}')
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_name_that_leads_to_a_private_address_is_not_called(receiver, names):
    names["hooks.example.com"] = "127.0.0.1"
    url = f"http://hooks.example.com:{receiver.port}/"
    with pytest.raises(Failed, match=r"its address 127\.0\.0\.1 is in a private network.*\[webhook_delivery\]"):
        post(url)
    assert receiver.requests == []
    assert post(url, ("127.0.0.0/8",)).status == 204
    assert receiver.requests[0].headers["host"] == f"hooks.example.com:{receiver.port}"


def test_the_address_that_was_checked_is_the_one_that_is_called(receiver, names):
    """A name may lead elsewhere at the next look-up (DNS rebinding), so there is only one."""
    names["hooks.example.com"] = ["127.0.0.2", "127.0.0.1"]
    with pytest.raises(Failed, match="could not connect"):  # nothing listens at 127.0.0.2
        post(f"http://hooks.example.com:{receiver.port}/", ("127.0.0.2/32",), timeout=1)
    assert receiver.requests == []
    assert names["hooks.example.com"] == ["127.0.0.1"]


def test_redirects_are_not_followed(receiver):
    with receiving() as other:
        receiver.reply = lambda _: Reply(307, {"Location": other.url})
        assert post(receiver.url).status == 307
        assert other.requests == []


def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(receiver.url).status == 204


def test_the_beginning_of_an_answer_is_read_and_the_connection_given_up(receiver, endpoint):
    receiver.reply = lambda _: Reply(500, body=b"x" * 100_000)
    assert [len(endpoint.post(b"{}", {}).body) for _ in range(2)] == [outgoing.MAX_ANSWER] * 2
    assert receiver.connections == 2


def test_the_connection_stays_open_for_the_next_event(receiver, endpoint):
    receiver.reply = lambda _: Reply(200, body=b"ok")
    assert [endpoint.post(b"{}", {}).status for _ in range(5)] == [200] * 5
    assert receiver.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_opened_again(receiver, endpoint):
    endpoint.post(b"{}", {})
    receiver.reply = lambda _: Reply(act=drop_once)

    def drop_once(handler):
        receiver.reply = lambda _: Reply(200)
        handler.connection.close()

    assert endpoint.post(b"{}", {}).status == 200
    assert receiver.connections == 2


def drip(handler):
    """Send a header that never ends, one byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def hang(handler):
    handler.connection.recv(1)


def drip_body(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("act", [drip, hang, drip_body])
def test_a_slow_answer_is_given_up_at_the_time_limit(receiver, act):
    receiver.reply = lambda _: Reply(act=act)
    with pytest.raises(Failed, match=r"no complete answer within 0\.3 seconds"):
        post(receiver.url, timeout=0.3)


@pytest.mark.parametrize("text", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200])
def test_an_answer_that_is_not_http_is_a_failure(receiver, text):
    receiver.reply = lambda _: Reply(act=lambda handler: handler.wfile.write(text))
    with pytest.raises(Failed, match=r"the answer is not HTTP|the connection was closed"):
        post(receiver.url)


def test_where_nothing_listens_the_reason_says_so():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(Failed, match="could not connect: Connection refused"):
        post(f"http://127.0.0.1:{port}/")


def test_an_unknown_name_is_reported(monkeypatch):
    def look_up(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(Failed, match="its name could not be found"):
        post("https://no-such-host.example/")


def test_tls_verifies_the_name_in_the_url_at_the_address_that_was_checked(tmp_path, monkeypatch, names):
    authority, certificate, key = certificates.create(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with receiving(context) as receiver:
        with pytest.raises(Failed, match="its certificate is not valid"):
            post(receiver.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert post(receiver.url).status == 204
        names["hooks.example.com"] = "127.0.0.1"
        with pytest.raises(Failed, match=r"its certificate is not valid.*hooks\.example\.com"):
            post(f"https://hooks.example.com:{receiver.port}/", ("127.0.0.0/8",))
    assert len(receiver.requests) == 1


def test_plain_http_behind_https_is_reported(receiver):
    with pytest.raises(Failed, match="no secure connection"):
        post(f"https://127.0.0.1:{receiver.port}/")
