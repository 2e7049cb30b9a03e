"""Signing in and out, CSRF and error pages."""

import io
import logging
import re

import pytest

from config import ConfigError, parse
from runtime.throttle import FREE
from tests.support.panel_browser import PASSWORD, Page

FORM = "application/x-www-form-urlencoded"
PAGES = ["/panel/", "/panel/integrations/entra", "/panel/nothing-here"]


def test_the_root_leads_to_the_panel(anonymous):
    assert anonymous.get("/").location == "/panel/"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_requires_signing_in(anonymous, path):
    page = anonymous.get(path)
    assert page.status == 302
    assert page.location.startswith("/panel/sign-in?next=")


def test_signing_in_redirects_to_the_requested_page(anonymous):
    asked = anonymous.get("/panel/integrations/entra")
    assert asked.location == "/panel/sign-in?next=/panel/integrations/entra"
    assert anonymous.post(asked.location, {"password": "correct horse battery"}).location == "/panel/integrations/entra"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/panel/\\evil", "/panelx", "/healthz"]
)
def test_signing_in_never_redirects_outside_the_panel(anonymous, elsewhere):
    page = anonymous.post(f"/panel/sign-in?next={elsewhere}", {"password": "correct horse battery"})
    assert page.location == "/panel/"


def test_a_wrong_password_is_refused_and_logged(anonymous, caplog):
    with caplog.at_level(logging.WARNING):
        page = anonymous.sign_in("wrong")
    assert page.status == 401
    assert "Wrong password." in page.text
    assert "sign-in from 127.0.0.1 failed" in caplog.text
    assert "wrong" not in caplog.text


def test_failures_slow_down(anonymous):
    answers = [anonymous.sign_in("wrong") for _ in range(FREE + 1)]
    assert [page.status for page in answers] == [401] * FREE + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert anonymous.sign_in().status == 429  # also for who knows the password by then


class Body(io.BytesIO):
    """A form that counts what is read of it."""

    count = 0

    def read(self, size=-1):
        piece = super().read(size)
        self.count += len(piece)
        return piece


@pytest.mark.parametrize("tells_length", [True, False])
def test_before_sign_in_a_form_is_read_to_a_few_kilobytes(anonymous, tells_length):
    body = Body(b"password=" + b"x" * 1_000_000)
    framing = {"CONTENT_LENGTH": "1000009"} if tells_length else {"wsgi.input_terminated": True}
    for path in ("/panel/sign-in", "/panel/attributes", "/panel/integrations/entra/guide/schema"):
        answer = anonymous.client.post(path, input_stream=body, content_type=FORM, environ_overrides=framing)
        assert answer.status_code == (413 if path == "/panel/sign-in" else 302)
    assert body.count < 20_000


def test_a_form_is_not_read_while_its_address_has_to_wait(anonymous):
    for _ in range(FREE):
        anonymous.sign_in("wrong")
    body = Body(b"password=x")
    answer = anonymous.client.post("/panel/sign-in", input_stream=body, content_type=FORM, content_length=10)
    assert (answer.status_code, body.count) == (429, 0)


def test_a_form_of_another_site_counts_as_no_failure(anonymous):
    """Otherwise any web page could make its visitors' addresses wait."""
    for _ in range(FREE + 1):
        assert anonymous.client.post("/panel/sign-in", data={"password": "x"}).status_code == 400
    assert anonymous.sign_in().status == 302


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
    assert browser.get("/panel/").status == 200
    assert browser.post("/panel/sign-out", form="/panel/").status == 302
    assert browser.get("/panel/").status == 302


def test_signing_in_works_behind_a_proxy_that_does_not_forward_host(anonymous):
    inside, outside = "https://10.0.0.5:8000", "https://scim.example.com/panel/sign-in"
    form = Page(anonymous.client.get("/panel/sign-in", base_url=inside))
    token = re.search(r'name="csrf_token" value="([^"]+)"', form.html)[1]
    given = {"csrf_token": token, "password": PASSWORD}
    answer = anonymous.client.post("/panel/sign-in", data=given, base_url=inside, headers={"Referer": outside})
    assert answer.status_code == 302


@pytest.mark.parametrize("written", ["192.0.2.{0}:5678", "[2001:db8:0:{0}::1]:5678", "[2001:db8:0:{0}::1]"])
def test_addresses_with_ports_are_throttled_separately(make_browser, written):
    browser = make_browser(server={"trusted_proxies": 1})
    guesser, other = ({"X-Forwarded-For": written.format(number)} for number in (1, 2))
    answers = [browser.post("/panel/sign-in", {"password": "wrong"}, headers=guesser) for _ in range(FREE + 1)]
    assert answers[-1].status == 429
    assert browser.post("/panel/sign-in", {"password": PASSWORD}, headers=other).status == 302


@pytest.mark.parametrize("path", ["/panel/sign-in", "/panel/sign-out", "/panel/integrations/entra/switch"])
def test_a_form_from_elsewhere_is_refused(browser, path):
    page = browser.get("/panel/")
    answer = browser.client.post(path, data={"enabled": "no", "password": "x"})
    assert answer.status_code == 400
    assert "expired" in answer.get_data(as_text=True)
    assert page.status == browser.get("/panel/").status == 200
    assert browser.scim("GET", "/Users").status_code == 200


def test_pages_run_only_their_own_scripts(browser):
    for path in ("/panel/sign-in", *PAGES[1:]):
        page = browser.get(path)
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        assert "<style" not in page.html
        assert " style=" not in page.html
        assert " on" + "click" not in page.html
        assert "http://" not in page.html.replace("http://localhost/api/scim/v2", "")


def test_an_unknown_page_is_a_404_page(browser):
    page = browser.get("/panel/nothing-here")
    assert page.status == 404
    assert "Page not found" in page.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/panel/", 405),
        ("DELETE", "/panel/directory/Users", 405),
        ("PUT", "/panel/nothing-here", 405),
        ("GET", "/panel/directory/Users/x/y", 404),
    ],
)
def test_unknown_paths_and_methods_get_the_panels_error_page(browser, method, path, status):
    page = Page(browser.client.open(path, method=method))
    assert page.status == status
    assert "Page not found" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    browser.post("/panel/sign-out", form="/panel/")
    assert browser.client.open(path, method=method).location.startswith("/panel/sign-in")


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
def test_head_does_not_submit_a_form(make_browser, path):
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


def test_head_redirects_to_sign_in_like_get(anonymous):
    path = "/panel/integrations/entra/tokens/new"
    assert anonymous.client.head(path).headers["Location"] == anonymous.get(path).location
