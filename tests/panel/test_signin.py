"""Signing in and out, and what keeps others out."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import time

import pytest

from app import create_app
from config import ConfigError, parse
from panel import sessions
from panel.sessions import LONGEST as LONGEST_SESSION
from panel.throttle import FORGOTTEN_AFTER, FREE, LONGEST, Throttle
from storage.memory import MemoryStore
from tests.conftest import ROOT
from tests.panel.conftest import PASSWORD, Browser, Page

FORM = "application/x-www-form-urlencoded"
PAGES = ["/panel/", "/panel/integrations", "/panel/integrations/entra", "/panel/nothing-here"]


def test_the_root_leads_to_the_panel(stranger):
    assert stranger.get("/").location == "/panel/"


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_seen_without_signing_in(stranger, path):
    page = stranger.get(path)
    assert page.status == 302
    assert page.location.startswith("/panel/sign-in?next=")


def test_signing_in_leads_to_the_page_that_was_asked_for(stranger):
    asked = stranger.get("/panel/integrations/entra")
    assert stranger.post(asked.location, {"password": "correct horse battery"}).location.rstrip("?") == (
        "/panel/integrations/entra"
    )


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/panel/\\evil", "/panelx", "/healthz"]
)
def test_signing_in_leads_nowhere_else(stranger, elsewhere):
    page = stranger.post(f"/panel/sign-in?next={elsewhere}", {"password": "correct horse battery"})
    assert page.location == "/panel/integrations"


def test_a_wrong_password_is_refused_and_logged(stranger, caplog):
    with caplog.at_level(logging.WARNING):
        page = stranger.sign_in("wrong")
    assert page.status == 401
    assert "That is not the password." in page.text
    assert "sign-in from 127.0.0.1 failed" in caplog.text
    assert "wrong" not in caplog.text


def test_failures_slow_down(stranger):
    answers = [stranger.sign_in("wrong") for _ in range(FREE + 1)]
    assert [page.status for page in answers] == [401] * FREE + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert stranger.sign_in().status == 429  # also for who knows the password by then


class Body(io.BytesIO):
    """A form that counts what is read of it."""

    count = 0

    def read(self, size=-1):
        piece = super().read(size)
        self.count += len(piece)
        return piece


@pytest.mark.parametrize("tells_length", [True, False])
def test_before_sign_in_a_form_is_read_to_a_few_kilobytes(stranger, tells_length):
    body = Body(b"password=" + b"x" * 1_000_000)
    framing = {"CONTENT_LENGTH": "1000009"} if tells_length else {"wsgi.input_terminated": True}
    for path in ("/panel/sign-in", "/panel/attributes", "/panel/integrations/entra/guide/schema"):
        answer = stranger.client.post(path, input_stream=body, content_type=FORM, environ_overrides=framing)
        assert answer.status_code == (413 if path == "/panel/sign-in" else 302)
    assert body.count < 20_000


def test_a_form_is_not_read_while_its_address_has_to_wait(stranger):
    for _ in range(FREE):
        stranger.sign_in("wrong")
    body = Body(b"password=x")
    answer = stranger.client.post("/panel/sign-in", input_stream=body, content_type=FORM, content_length=10)
    assert (answer.status_code, body.count) == (429, 0)


def test_a_form_of_another_site_counts_as_no_failure(stranger):
    """Otherwise any web page could make its visitors' addresses wait."""
    for _ in range(FREE + 1):
        assert stranger.client.post("/panel/sign-in", data={"password": "x"}).status_code == 400
    assert stranger.sign_in().status == 302


def test_after_sign_in_only_the_schema_file_may_be_large(browser):
    fields = {"extraAttribute1": "x" * 100_000}
    page = browser.post("/panel/attributes", fields)
    assert page.status == 413
    assert "too large" in page.text
    file = (io.BytesIO(b" " * 100_000 + b"{}"), "schema.json")
    guide = "/panel/integrations/entra/guide"
    assert browser.post(f"{guide}/schema", {"schema": file}, form=guide).status != 413


def test_without_a_password_the_panel_is_off_and_says_how_to_turn_it_on(make_browser):
    browser = make_browser(panel={})
    for path in ("/panel/", "/panel/sign-in", "/panel/users"):
        page = browser.get(path)
        assert page.status == 503
        assert "flask panel password" in page.text
    assert browser.scim("GET", "/Users").status_code == 200


def test_the_endpoints_cannot_be_in_the_panels_place():
    with pytest.raises(ConfigError, match="must not be under /panel"):
        parse({"server": {"base_path": "/panel/scim"}})


def test_signing_out_ends_the_session(browser):
    assert browser.get("/panel/integrations").status == 200
    assert browser.post("/panel/sign-out", form="/panel/integrations").status == 302
    assert browser.get("/panel/integrations").status == 302


def test_a_new_password_signs_everybody_out(browser):
    assert browser.command("panel", "password", "--password-stdin", given="another password\n").exit_code == 0
    assert browser.get("/panel/integrations").status == 302
    assert browser.sign_in().status == 401
    assert browser.sign_in("another password").status == 302


def test_a_short_password_is_refused(stranger):
    result = stranger.command("panel", "password", "--password-stdin", given="short\n")
    assert result.exit_code == 1
    assert "at least 12 characters" in result.output


def test_a_password_that_is_no_text_is_refused(stranger):
    result = stranger.command("panel", "password", "--password-stdin", given=b"\xff\xfe bad utf8 password\n")
    assert (result.exit_code, result.output) == (1, "Error: The password is not valid UTF-8.\n")


def test_a_hash_that_was_emptied_is_written_anew(make_browser):
    browser = make_browser(panel={"password_hash": "", "secret": "s" * 40})
    assert browser.command("panel", "password", "--password-stdin", given="another password\n").exit_code == 0
    assert (
        Browser(create_app(browser.path, store=MemoryStore()), browser.path, "").sign_in("another password").status
        == 302
    )


@pytest.mark.parametrize("option", ["", "--password-stdin"])
def test_a_password_from_a_closed_input_is_refused(stranger, option):
    run = subprocess.run(
        ["sh", "-c", f'"$0" -m flask panel password {option} <&-', sys.executable],
        cwd=ROOT,
        env={**os.environ, "SCIM_CONFIG": str(stranger.path)},
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,  # without a terminal that could be asked instead
    )
    assert (run.returncode, run.stderr) == (1, "Error: Standard input is closed.\n")


def test_the_password_is_kept_as_a_scrypt_hash(stranger):
    stranger.command("panel", "password", given="another password\nanother password\n")
    kept = stranger.config["panel"]
    assert kept["password_hash"].startswith("scrypt:32768:8:1$")
    assert "another" not in stranger.path.read_text()
    assert len(kept["secret"]) >= 32


def test_a_fresh_installation_gets_a_password_once_beside_the_token(make_browser):
    browser = make_browser(panel={}, tokens=[])
    first, second = browser.command("setup"), browser.command("setup")
    password = first.output.partition("Password:")[2].split()[0]
    assert "Secret Token:" in first.output
    assert second.output == ""
    assert browser.sign_in(password).status == 302


def test_the_cookie_is_out_of_reach(stranger):
    over_http = stranger.sign_in().headers["Set-Cookie"]
    assert "HttpOnly" in over_http
    assert "SameSite=Lax" in over_http
    assert "Path=/panel" in over_http
    assert "Secure" not in over_http


def test_the_cookie_is_kept_to_tls_behind_tls(stranger):
    page = stranger.get("/panel/sign-in", base_url="https://scim.example.com")
    assert "Secure" in page.headers["Set-Cookie"]


def test_a_session_ends_twelve_hours_after_signing_in_however_busy_it_is(browser, monkeypatch):
    began = time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: began + LONGEST_SESSION - 60)
    assert browser.get("/panel/directory/Users?choose=1&column=userName").status == 200  # writes the cookie anew
    monkeypatch.setattr(sessions.time, "time", lambda: began + LONGEST_SESSION + 60)
    assert browser.get("/panel/integrations").status == 302
    assert "Sign out" not in browser.get("/panel/sign-in").text


def test_signing_out_ends_copies_of_the_session_in_every_worker(browser):
    other = Browser(create_app(browser.path, store=MemoryStore()), browser.path, browser.token)
    cookie = browser.client.get_cookie("tinyscim_panel", path="/panel").value
    second = Browser(other.app, browser.path, browser.token)
    second.sign_in()
    other.client.set_cookie("tinyscim_panel", cookie, path="/panel")
    assert other.get("/panel/integrations").status == 200
    browser.post("/panel/sign-out", form="/panel/integrations")
    assert other.get("/panel/integrations").status == 302
    browser.client.set_cookie("tinyscim_panel", cookie, path="/panel")
    assert browser.get("/panel/integrations").status == 302
    assert second.get("/panel/integrations").status == 200  # who else uses the panel stays in


def test_what_was_signed_out_is_forgotten_when_it_would_have_ended(tmp_path):
    path = tmp_path / "ended.json"
    sessions.RevokedSessions(path).add("long ago", time.time() - LONGEST_SESSION - 1)
    sessions.RevokedSessions(path).add("just now", time.time())
    assert list(json.loads(path.read_text())) == ["just now"]
    path.write_text("{")
    assert "just now" not in sessions.RevokedSessions(path)


def test_signing_in_works_behind_a_proxy_that_does_not_forward_host(stranger):
    inside, outside = "https://10.0.0.5:8000", "https://scim.example.com/panel/sign-in"
    form = Page(stranger.client.get("/panel/sign-in", base_url=inside))
    token = re.search(r'name="csrf_token" value="([^"]+)"', form.html)[1]
    given = {"csrf_token": token, "password": PASSWORD}
    answer = stranger.client.post("/panel/sign-in", data=given, base_url=inside, headers={"Referer": outside})
    assert answer.status_code == 302


def test_the_cookie_is_kept_to_tls_where_the_public_url_says_so(make_browser):
    browser = make_browser(server={"public_url": "https://scim.example.com"})
    assert "Secure" in browser.sign_in().headers["Set-Cookie"]


@pytest.mark.parametrize("written", ["192.0.2.{0}:5678", "[2001:db8:0:{0}::1]:5678", "[2001:db8:0:{0}::1]"])
def test_guessers_are_told_apart_by_addresses_with_ports(make_browser, written):
    browser = make_browser(server={"trusted_proxies": 1})
    guesser, other = ({"X-Forwarded-For": written.format(number)} for number in (1, 2))
    answers = [browser.post("/panel/sign-in", {"password": "wrong"}, headers=guesser) for _ in range(FREE + 1)]
    assert answers[-1].status == 429
    assert browser.post("/panel/sign-in", {"password": PASSWORD}, headers=other).status == 302


@pytest.mark.parametrize("path", ["/panel/sign-in", "/panel/sign-out", "/panel/integrations/entra/switch"])
def test_a_form_from_elsewhere_is_refused(browser, path):
    page = browser.get("/panel/integrations")
    answer = browser.client.post(path, data={"enabled": "no", "password": "x"})
    assert answer.status_code == 400
    assert "out of date" in answer.get_data(as_text=True)
    assert page.status == browser.get("/panel/integrations").status == 200
    assert browser.scim("GET", "/Users").status_code == 200


def test_pages_run_nothing_that_is_not_their_own(browser):
    for path in ("/panel/sign-in", *PAGES[1:]):
        page = browser.get(path)
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        assert "<style" not in page.html
        assert " style=" not in page.html
        assert " on" + "click" not in page.html
        assert "http://" not in page.html.replace("http://localhost/api/scim/v2", "")


def test_an_unknown_page_is_said_in_words(browser):
    page = browser.get("/panel/nothing-here")
    assert page.status == 404
    assert "There is no such page" in page.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/panel/integrations", 405),
        ("DELETE", "/panel/directory/Users", 405),
        ("PUT", "/panel/nothing-here", 405),
        ("GET", "/panel/directory/Users/x/y", 404),
    ],
)
def test_what_leads_nowhere_under_the_panel_is_a_page_of_it(browser, method, path, status):
    page = Page(browser.client.open(path, method=method))
    assert page.status == status
    assert "There is no such page" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    browser.post("/panel/sign-out", form="/panel/integrations")
    assert browser.client.open(path, method=method).location.startswith("/panel/sign-in")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_waiting_doubles_up_to_a_limit_and_is_forgotten():
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE):
        assert throttle.attempt("192.0.2.1") == 0
    waits = []
    for _ in range(12):
        waits.append(throttle.attempt("192.0.2.1"))
        clock.now += waits[-1]
        assert throttle.attempt("192.0.2.1") == 0
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == LONGEST
    assert throttle.attempt("192.0.2.2") == 0
    clock.now += FORGOTTEN_AFTER + 1
    assert [throttle.attempt("192.0.2.1") for _ in range(FREE)] == [0] * FREE


def test_an_ipv6_guesser_has_one_network():
    throttle = Throttle(Clock())
    for number in range(FREE):
        assert throttle.attempt(f"2001:db8::{number + 1:x}") == 0
    assert throttle.attempt("2001:db8::ffff") > 0
    assert throttle.attempt("2001:db8:0:1::1") == 0


def test_many_addresses_take_bounded_memory():
    throttle = Throttle(Clock())
    for number in range(5000):
        throttle.attempt(f"10.0.{number // 250}.{number % 250}")
    assert len(throttle._failures) <= 2048


@pytest.mark.parametrize(
    "path",
    [
        "/panel/attributes",
        "/panel/integrations/entra/tokens/new",
        "/panel/integrations/entra/tokens/revoke?name=entra",
        "/panel/directory/Users/{id}/remove",
        "/panel/sign-in",
    ],
)
def test_head_asks_for_a_form_and_does_not_send_it(make_browser, path):
    browser = make_browser(attribute_names={"extraAttribute1": "Badge number"})
    user = browser.create_user(userName="ada", active=False)
    path = path.format(id=user["id"])
    browser.sign_in()
    before = browser.config.unwrap()
    heads = [browser.client.head(path) for _ in range(FREE + 2)]
    assert {head.status_code for head in heads} == {browser.get(path).status} == {200}
    assert {head.get_data() for head in heads} == {b""}
    assert browser.config.unwrap() == before
    assert browser.scim("GET", f"/Users/{user['id']}").status_code == 200
    browser.client.delete_cookie("tinyscim_panel", path="/panel")
    assert browser.sign_in().status == 302


def test_head_leads_a_stranger_to_the_sign_in_as_get_does(stranger):
    path = "/panel/integrations/entra/tokens/new"
    assert stranger.client.head(path).headers["Location"] == stranger.get(path).location
