"""Test connection: its requests, and its explanation of each failure."""

import os
import ssl
import subprocess
import sys
import time

import httpx
import pytest
import tomlkit

from config import parse
from config.tokens import new_token
from panel import probe
from tests.support.serving import ROOT

ENTRA = "/panel/integrations/entra"


@pytest.fixture
def over_wsgi(browser, monkeypatch):
    """The test's requests reach the app itself, as a proxy that passes everything on would bring them."""
    transport = httpx.WSGITransport(app=browser.app)
    monkeypatch.setattr(probe, "make_client", lambda: httpx.Client(transport=transport))
    return browser


def test_the_connection_test_passes_and_leaves_no_token(over_wsgi):
    page = over_wsgi.post(f"{ENTRA}/test", form=ENTRA)
    assert "The test passed" in page.text
    assert "Users: search works" in page.text
    assert "Groups: search works" in page.text
    assert [table["name"] for table in over_wsgi.config["tokens"]] == ["entra"]
    assert "Waiting for the first request" in over_wsgi.get("/panel/").text  # a test does not count as Entra's


def test_the_connection_test_says_that_the_connection_is_off(over_wsgi):
    over_wsgi.post(f"{ENTRA}/switch", {"enabled": "no"}, form=ENTRA)
    page = over_wsgi.post(f"{ENTRA}/test", form=ENTRA)
    assert "The test failed." in page.text
    assert "The connection is turned off" in page.text
    assert "0 Failures in 24 hours" in over_wsgi.get("/panel/").text
    assert "The log is empty" in over_wsgi.get("/panel/log").text  # the test's own failure is not the client's


def test_the_connection_test_says_that_the_public_url_is_empty(over_wsgi):
    assert "public_url is empty" in over_wsgi.post(f"{ENTRA}/test", form=ENTRA).text


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"bind": "0.0.0.0:8001"}, "http://127.0.0.1:8001"),
        ({"bind": "[::]:8002"}, "http://[::1]:8002"),
        ({"bind": "127.0.0.2:8003"}, "http://127.0.0.2:8003"),
        ({"public_url": "http://127.0.0.3/here"}, "http://127.0.0.3/here"),
    ],
)
def test_request_headers_do_not_decide_where_the_token_is_sent(make_browser, monkeypatch, server, address):
    asked = []

    def note(request):
        asked.append(
            (str(request.url.copy_with(query=None)), request.headers["Host"], request.headers["Authorization"])
        )
        return httpx.Response(404)

    monkeypatch.setattr(probe, "make_client", lambda: httpx.Client(transport=httpx.MockTransport(note)))
    browser = make_browser(server={**server, "trusted_proxies": 1})
    browser.sign_in()
    forged = {f"X-Forwarded-{name}": "evil.example" for name in ("Host", "Proto", "Prefix")}
    browser.post(f"{ENTRA}/test", form=ENTRA, headers={**forged, "Forwarded": "host=evil.example"})
    ((url, host, authorization),) = asked
    assert url == f"{address}/api/scim/v2/Users"
    assert host in address
    assert authorization.startswith("Bearer tscim_")


def test_a_service_on_a_socket_tests_itself_there(tmp_path):
    token, table = new_token("entra")
    server = {"bind": f"unix:{tmp_path}/s", "hosts": ["scim.example.com"]}
    tables = {"server": server, "connection": {"enabled": True}, "tokens": [table]}
    path = tmp_path / "config.toml"
    path.write_text(tomlkit.dumps(tables))
    command = [sys.executable, "-m", "gunicorn", "app:create_app()"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "SCIM_CONFIG": str(path)}) as process:
        try:
            while not (tmp_path / "s").exists():
                assert process.poll() is None
                time.sleep(0.1)
            time.sleep(0.1)  # from now on connections wait for the first worker
            result = probe.test_configured(parse(tables).server, token)
        finally:
            process.terminate()
    assert [(step.kind, step.title) for step in result.steps] == [
        ("note", "public_url is empty"),
        ("good", "Users: search works"),
        ("good", "Groups: search works"),
    ]


def test_a_service_with_one_thread_says_that_it_cannot_test_itself(make_browser):
    browser = make_browser(server={"workers": 1, "threads": 1})
    browser.sign_in()
    page = browser.post(f"{ENTRA}/test", form=ENTRA)
    assert "The test failed." in page.text
    assert "This service cannot test itself" in page.text
    assert [table["name"] for table in browser.config["tokens"]] == ["entra"]


def answers(status, text="<html>", **headers):
    return lambda request: httpx.Response(status, text=text, headers={"Content-Type": "text/html", **headers})


def fails(error):
    def handler(request):
        raise error

    return handler


OURS = {"Content-Type": "application/scim+json"}


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (answers(401, **OURS), "drops the Authorization header"),
        (answers(401), "The proxy requires a sign-in"),
        (answers(403), "firewall or bot protection"),
        (answers(404), "The response is from another service"),
        (answers(200), "The response is from another service"),
        (answers(404, **OURS), "The proxy changes the path"),
        (answers(301, Location="https://other.example/"), "redirects to https://other.example/"),
        (answers(502), "The proxy cannot reach this service"),
        (answers(500, **OURS), "This service failed"),
        (answers(200, "{}", **OURS), "changes the responses"),
        (fails(httpx.ReadTimeout("slow")), "The request timed out"),
        (fails(httpx.ConnectError("broken")), "Could not connect"),
    ],
)
def test_each_failure_is_explained(browser, monkeypatch, handler, words):
    monkeypatch.setattr(probe, "make_client", lambda: httpx.Client(transport=httpx.MockTransport(handler)))
    page = browser.post(f"{ENTRA}/test", form=ENTRA)
    assert "The test failed." in page.text
    assert words in page.text


def test_an_unknown_host_and_a_closed_port_are_distinguished():
    unknown = probe.run("http://unknown.invalid/scim", "t")
    assert unknown.steps[-1].title == "unknown.invalid does not resolve"
    closed = probe.run("http://127.0.0.1:9/scim", "t")
    assert closed.steps[-1].title == "Connection refused"
    assert [step.kind for step in closed.steps] == ["good", "note", "note", "bad"]


def test_an_untrusted_certificate_is_explained(browser, monkeypatch):
    def handler(request):
        refused = ssl.SSLCertVerificationError()
        refused.verify_message = "self-signed certificate"
        raise httpx.ConnectError("no") from refused

    monkeypatch.setattr(probe, "make_client", lambda: httpx.Client(transport=httpx.MockTransport(handler)))
    page = browser.post(f"{ENTRA}/test", form=ENTRA)
    assert "The certificate is not trusted Self-signed certificate." in page.text
