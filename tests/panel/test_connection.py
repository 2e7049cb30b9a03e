"""The connection page: state, switch, URL, tokens, test."""

import os
import re
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import tomlkit
from werkzeug.security import generate_password_hash

from app import create_app
from config import Token, parse
from config.tokens import new_token
from panel import probe
from scim.directory import token_usage
from storage.memory import MemoryStore
from tests.panel.conftest import Browser
from tests.support.serving import ROOT, rewrite

ENTRA = "/panel/integrations/entra"
NEW = f"{ENTRA}/tokens/new"


def test_the_providers_are_listed_with_state_and_last_call(browser):
    page = browser.get("/panel/integrations")
    assert "Microsoft Entra ID" in page.text
    assert "Waiting for the first call never" in page.text
    browser.scim("GET", "/Users")
    page = browser.get("/panel/integrations")
    assert "Connected just now" in page.text


def test_the_url_is_the_public_one(make_browser):
    browser = make_browser(server={"public_url": "https://scim.example.com", "base_path": "/scim"})
    browser.sign_in()
    assert browser.get(ENTRA).value("url") == "https://scim.example.com/scim"


def test_switched_off_every_request_is_403_and_says_so(browser):
    user = browser.create_user(userName="ada@example.com")
    page = browser.post(f"{ENTRA}/switch", {"enabled": "no"}, form=ENTRA)
    assert "The connection is off." in browser.follow(page).text
    for method, path in (("GET", "/Users"), ("DELETE", f"/Users/{user['id']}"), ("GET", "/Schemas"), ("POST", "/Bulk")):
        answer = browser.scim(method, path)
        assert answer.status_code == 403
        assert "turned off" in answer.get_json(force=True)["detail"]
    assert browser.scim("GET", "/Users", token="unknown").status_code == 401
    assert browser.config["connection"]["enabled"] is False
    browser.post(f"{ENTRA}/switch", {"enabled": "yes"}, form=ENTRA)
    assert browser.scim("GET", f"/Users/{user['id']}").status_code == 200


def test_refusals_while_off_do_not_make_it_look_failing_afterwards(browser):
    browser.scim("GET", "/Users")
    browser.post(f"{ENTRA}/switch", {"enabled": "no"}, form=ENTRA)
    assert "Off" in browser.get("/panel/integrations").text
    browser.scim("GET", "/Users")
    browser.post(f"{ENTRA}/switch", {"enabled": "yes"}, form=ENTRA)
    assert "Connected" in browser.get("/panel/integrations").text


def test_a_strangers_token_is_no_call_but_is_told(browser):
    browser.scim("GET", "/Users", token="wrong")
    page = browser.get(ENTRA)
    assert "Waiting for the first call" in page.text
    assert "Last call: never" in page.text
    assert "make a new token and paste it into Entra" in page.text


def test_a_strangers_wrong_token_is_not_failing_while_entra_calls(browser, monkeypatch):
    browser.scim("GET", "/Users")
    browser.scim("GET", "/Users", token="wrong")
    assert "Connected" in browser.get(ENTRA).text
    later = time.time() + 7200
    monkeypatch.setattr(token_usage.time, "time", lambda: later)
    browser.scim("GET", "/Users", token="wrong")
    page = browser.get(ENTRA)
    assert "Failing" in page.text
    assert "Make a new token and paste it into Entra" in page.text


def test_a_stranger_does_not_hide_that_entra_meets_errors(browser):
    seen = browser.app.extensions["tinyscim"].activity
    seen.note(Token("entra", "0" * 64), 500)
    browser.scim("GET", "/Users", token="wrong")
    page = browser.get(ENTRA)
    assert "Failing" in page.text
    assert "an error of this service (500)" in page.text


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [("/switch", ENTRA), ("/test", ENTRA), ("/guide/schema", f"{ENTRA}/guide")],
)
def test_an_address_of_a_form_leads_to_its_page(browser, path, leads_to):
    assert browser.get(ENTRA + path).location == leads_to


@pytest.mark.parametrize("word", ["", "on", "YES"])
def test_the_switch_knows_two_words(browser, word):
    assert browser.post(f"{ENTRA}/switch", {"enabled": word}, form=ENTRA).status == 400
    assert browser.config["connection"]["enabled"] is True


def test_a_mistake_in_the_configuration_is_said_on_every_page(browser):
    browser.path.write_text(browser.path.read_text() + "\n[nonsense]\n")
    for path in (ENTRA, "/panel/directory/Users", "/panel/attributes"):
        assert "there is no table [nonsense]" in browser.get(path).text
    browser.post("/panel/sign-out", form=ENTRA)
    assert "nonsense" not in browser.get("/panel/sign-in").text


def test_a_token_that_is_gone_cannot_be_replaced(browser):
    page = browser.post(NEW, {"name": "third", "replaces": "gone", "overlap": "none"})
    assert page.status == 409
    assert 'The token "gone" is gone' in page.text
    assert [table["name"] for table in browser.config["tokens"]] == ["entra"]


def test_a_new_token_of_an_old_name_was_never_used(browser):
    browser.scim("GET", "/Users")
    browser.app.extensions["tinyscim"].activity._seen.used["entra"] -= 5
    browser.post(NEW, {"name": "entra", "replaces": "entra", "overlap": "none"})
    assert re.search(r"entra \d+ \w+ \d+, \d\d:\d\d UTC never", browser.get(ENTRA).text)


def test_a_token_is_shown_once_and_works(browser):
    made = browser.post(NEW, {"name": "second", "replaces": "", "overlap": "none"})
    token = made.value("token")
    assert "will not be shown again" in made.text
    assert browser.scim("GET", "/Users", token=token).status_code == 200
    assert token not in browser.get(ENTRA).html
    assert token not in browser.path.read_text()
    assert "second" in browser.get(ENTRA).text


@pytest.mark.parametrize(("overlap", "hours"), [("hour", 1), ("day", 24)])
def test_the_old_token_goes_on_for_a_while(browser, overlap, hours):
    browser.post(NEW, {"name": "second", "replaces": "entra", "overlap": overlap})
    assert browser.scim("GET", "/Users").status_code == 200
    old = next(table for table in browser.config["tokens"] if table["name"] == "entra")
    assert abs(old["expires"] - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=1)


def test_the_old_token_ends_at_once(browser):
    made = browser.post(NEW, {"name": "entra", "replaces": "entra", "overlap": "none"})
    assert browser.scim("GET", "/Users").status_code == 401
    assert browser.scim("GET", "/Users", token=made.value("token")).status_code == 200


def test_a_token_whose_time_is_over_is_refused_and_not_listed(make_browser):
    past = datetime.now(UTC) - timedelta(seconds=1)
    browser = make_browser()
    browser.sign_in()
    text = browser.path.read_text()
    rewrite(browser.path, text.replace('expires = "never"', f"expires = {past.isoformat()}"))
    assert browser.scim("GET", "/Users").status_code == 401
    assert "There is no token yet" in browser.get(ENTRA).text


def test_without_a_configuration_file_a_change_is_refused_in_words():
    panel = {"password_hash": generate_password_hash("x", method="scrypt:1024:8:1"), "secret": "s" * 40}
    browser = Browser(create_app({"panel": panel}, store=MemoryStore()), None, "")
    browser.sign_in("x")
    page = browser.post(f"{ENTRA}/switch", {"enabled": "no"}, form=ENTRA)
    assert page.status == 409
    assert "runs without a configuration file" in page.text


def test_a_wrong_configuration_is_not_written(browser):
    browser.path.write_text(browser.path.read_text() + "\n[nonsense]\n")
    page = browser.post(f"{ENTRA}/switch", {"enabled": "no"}, form=ENTRA)
    assert page.status == 409
    assert "there is no table [nonsense]" in page.text
    assert browser.config["connection"]["enabled"] is True


@pytest.mark.parametrize(
    "edit",
    [
        b'[[tokens]]\nsha256 = "x"',
        b'[[tokens]]\nname = "x"\nsha256 = "%s"\nexpires = 2030-01-01T00:00:00' % (b"a" * 64),
        b'[[tokens]]\nname = "x"\nsha256 = "%s"\nexpires = "2030"' % (b"a" * 64),
        b'connection = "x"',
        b"attribute_names = 5",
        b"tokens = 5",
        b"# \xff",
    ],
)
def test_a_form_answers_in_words_after_a_bad_edit(browser, edit):
    panel = browser.path.read_bytes().split(b"[[tokens]]")[0]
    browser.path.write_bytes(panel + edit if edit.startswith(b"[") else edit + b"\n" + panel)
    before = browser.path.read_bytes()
    forms = {
        f"{ENTRA}/switch": (ENTRA, {"enabled": "no"}, 409),
        f"{ENTRA}/test": (ENTRA, {}, 409),
        NEW: (NEW, {"name": "second", "replaces": "entra", "overlap": "day"}, 409),
        f"{ENTRA}/tokens/revoke?name=entra": (None, {}, 409),
        "/panel/attributes": (None, {"extraAttribute1": "Badge"}, 400),
    }
    for path, (form, fields, status) in forms.items():
        page = browser.post(path, fields, form=form)
        assert (page.status, "was not changed" in page.text) == (status, True), path
    assert browser.path.read_bytes() == before


def test_a_second_token_of_a_name_is_refused(browser):
    page = browser.post(NEW, {"name": "entra", "replaces": "", "overlap": "none"})
    assert page.status == 409
    assert 'There is a token "entra" already' in page.text
    assert page.value("name") == "entra"  # what was typed stays


def test_a_token_has_no_name_that_is_kept_out_of_sight(browser):
    page = browser.post(NEW, {"name": "connection-test-mine", "replaces": "", "overlap": "none"})
    assert page.status == 409
    assert "the panel's own tests" in page.text
    assert [table["name"] for table in browser.config["tokens"]] == ["entra"]


def test_the_form_suggests_a_free_name(browser):
    assert browser.get(NEW).value("name") == "entra-2"


def test_revoking_asks_first(browser):
    path = f"{ENTRA}/tokens/revoke?name=entra"
    assert "Revoke “entra”?" in browser.get(path).text
    assert browser.scim("GET", "/Users").status_code == 200
    assert "no longer works" in browser.follow(browser.post(path)).text
    assert browser.scim("GET", "/Users").status_code == 401


def test_tokens_show_when_they_were_made_and_used(browser):
    assert "entra " in browser.get(ENTRA).text
    browser.scim("GET", "/Users")
    page = browser.get(ENTRA)
    assert f"{datetime.now(UTC):%B %Y}" in page.text
    assert "just now" in page.text


def test_on_a_phone_each_of_a_tokens_values_has_its_label(browser):
    page, style = browser.get(ENTRA), browser.get("/panel/static/panel.css", buffered=True)
    assert re.findall('data-label="([^"]+)"', page.html) == ["Made", "Last used", "Works"]
    assert "td[data-label]::before" in style.html


@pytest.fixture
def over_wsgi(browser, monkeypatch):
    """The test's requests reach the app itself, as a proxy that passes everything on would bring them."""
    transport = httpx.WSGITransport(app=browser.app)
    monkeypatch.setattr(probe, "make_client", lambda: httpx.Client(transport=transport))
    return browser


def test_the_connection_test_passes_and_leaves_no_token(over_wsgi):
    page = over_wsgi.post(f"{ENTRA}/test", form=ENTRA)
    assert "The test passed" in page.text
    assert "Users are answered" in page.text
    assert "Groups are answered" in page.text
    assert [table["name"] for table in over_wsgi.config["tokens"]] == ["entra"]
    assert "Waiting for the first call" in page.text  # a test is no call of Entra's


def test_the_connection_test_says_that_the_connection_is_off(over_wsgi):
    over_wsgi.post(f"{ENTRA}/switch", {"enabled": "no"}, form=ENTRA)
    page = over_wsgi.post(f"{ENTRA}/test", form=ENTRA)
    assert "The test failed." in page.text
    assert "The connection is turned off" in page.text


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
def test_no_header_says_where_the_test_sends_its_token(make_browser, monkeypatch, server, address):
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
        ("good", "Users are answered"),
        ("good", "Groups are answered"),
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
        (answers(401), "Somebody else asks for a password"),
        (answers(403), "firewall or bot protection"),
        (answers(404), "Something else answers at this address"),
        (answers(200), "Something else answers at this address"),
        (answers(404, **OURS), "The path is cut short"),
        (answers(301, Location="https://other.example/"), "points to https://other.example/"),
        (answers(502), "The proxy does not reach this service"),
        (answers(500, **OURS), "This service could not answer"),
        (answers(200, "{}", **OURS), "changes answers"),
        (fails(httpx.ReadTimeout("slow")), "Nobody answered"),
        (fails(httpx.ConnectError("broken")), "The request did not arrive"),
    ],
)
def test_what_is_wrong_is_said_in_words(browser, monkeypatch, handler, words):
    monkeypatch.setattr(probe, "make_client", lambda: httpx.Client(transport=httpx.MockTransport(handler)))
    page = browser.post(f"{ENTRA}/test", form=ENTRA)
    assert "The test failed." in page.text
    assert words in page.text


def test_an_unknown_name_and_a_closed_port_are_told_apart():
    unknown = probe.run("http://nobody.invalid/scim", "t")
    assert unknown.steps[-1].title == "nobody.invalid is not found"
    closed = probe.run("http://127.0.0.1:9/scim", "t")
    assert closed.steps[-1].title == "The connection is refused"
    assert [step.kind for step in closed.steps] == ["good", "note", "note", "bad"]


def test_a_certificate_that_nobody_vouches_for(browser, monkeypatch):
    def handler(request):
        refused = ssl.SSLCertVerificationError()
        refused.verify_message = "self-signed certificate"
        raise httpx.ConnectError("no") from refused

    monkeypatch.setattr(probe, "make_client", lambda: httpx.Client(transport=httpx.MockTransport(handler)))
    page = browser.post(f"{ENTRA}/test", form=ENTRA)
    assert "The certificate is not accepted Self-signed certificate." in page.text


def test_what_one_worker_saw_others_read(tmp_path):
    path = tmp_path / "seen.json"
    first, second = token_usage.TokenUsageTracker(path), token_usage.TokenUsageTracker(path)
    first.note(None, 401)
    first.flush()
    second.note(None, 500)
    second.flush()
    assert token_usage.TokenUsageTracker(path).seen().failed.status == 500


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", '{"used": 1}', '{"used": {}, "succeeded": 0, "failed": {"x": 1}}']
)
def test_a_damaged_file_of_what_was_seen_says_nothing(tmp_path, text):
    (tmp_path / "seen.json").write_text(text)
    assert token_usage.TokenUsageTracker(tmp_path / "seen.json").seen() == token_usage.TokenUsage()
