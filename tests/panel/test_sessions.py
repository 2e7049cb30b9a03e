"""Sessions and their cookies, and the networks that may reach the panel."""

import io
import itertools
import json
import logging
import time
from threading import Thread

import pytest

from app import create_app
from config import edit
from panel import sessions
from panel.sessions import MAX_LIFETIME
from runtime.shared_ids import SharedIds
from storage.state import FileState
from tests.support.panel_browser import PASSWORD, Browser, Page, fields
from tests.support.serving import rewrite

NEW_PASSWORD = "another password"
HTTPS = "https://scim.example.com"


class Slow:
    """A body, and what happens before it comes in."""

    def __init__(self, body, before):
        self.body, self.before = io.BytesIO(body), before

    def read(self, *size):
        before, self.before = self.before, lambda: None
        before()
        return self.body.read(*size)


def change_password(browser):
    """Set a new password elsewhere, and let another request meet it."""

    def change():
        edit.set_password(browser.path, NEW_PASSWORD)
        assert browser.app.test_client().get("/panel/sign-in").status_code == 200

    elsewhere = Thread(target=change)
    elsewhere.start()
    elsewhere.join()


def send_slowly(browser, path, form, given, before):
    body = "&".join(f"{name}={value}" for name, value in {**fields(browser.get(form)), **given}.items()).encode()
    environ = {"wsgi.input": Slow(body, before), "CONTENT_LENGTH": str(len(body))}
    content_type = "application/x-www-form-urlencoded"
    return Page(browser.client.post(path, content_type=content_type, environ_overrides=environ))


def is_signed_in(browser):
    return browser.get("/panel/").status == 200


def test_a_slow_form_neither_acts_nor_keeps_its_session_after_a_new_password(browser):
    path = "/panel/integrations/entra/tokens/new"
    given = {"name": "late", "replaces": "", "overlap": "none"}
    page = send_slowly(browser, path, path, given, lambda: change_password(browser))
    assert page.location.startswith("/panel/sign-in")
    assert "Set-Cookie" not in page.headers
    assert [one["name"] for one in browser.config["tokens"]] == ["entra"]
    assert not is_signed_in(browser)


@pytest.mark.parametrize("path", ["/panel/directory/Users?choose=1&column=userName", "/panel/"])
def test_a_slow_page_does_not_carry_its_session_over_to_a_new_password(browser, path):
    endpoint = "panel.listing" if "Users" in path else "panel.home"
    view = browser.app.view_functions[endpoint]

    def slow(**arguments):
        change_password(browser)
        return view(**arguments)

    browser.app.view_functions[endpoint] = slow
    assert "Set-Cookie" not in browser.get(path).headers
    browser.app.view_functions[endpoint] = view
    assert not is_signed_in(browser)


def test_a_slow_sign_in_with_the_old_password_opens_nothing(anonymous):
    page = send_slowly(
        anonymous,
        "/panel/sign-in",
        "/panel/sign-in",
        {"password": PASSWORD.replace(" ", "+")},
        lambda: change_password(anonymous),
    )
    assert "Set-Cookie" not in page.headers
    assert not is_signed_in(anonymous)


def test_a_form_of_before_the_new_password_is_refused(browser):
    hidden = fields(browser.get("/panel/integrations/entra"))
    edit.set_password(browser.path, NEW_PASSWORD)
    answer = browser.client.post("/panel/integrations/entra/switch", data={**hidden, "enabled": "no"})
    assert answer.location.startswith("/panel/sign-in")
    assert browser.config["connection"]["enabled"] is True


def cookies(page):
    return page.headers.getlist("Set-Cookie")


def test_over_tls_no_other_host_can_set_the_cookie(anonymous):
    (cookie,) = cookies(anonymous.get("/panel/sign-in", base_url=HTTPS))
    assert cookie.startswith("__Host-tinyscim_panel=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_where_the_public_url_is_https_the_cookie_is_the_same(make_browser):
    (cookie,) = cookies(make_browser(server={"public_url": HTTPS}).get("/panel/sign-in"))
    assert cookie.startswith("__Host-tinyscim_panel=")


def test_below_a_proxys_prefix_the_cookie_keeps_to_it(make_browser):
    browser = make_browser(server={"public_url": f"{HTTPS}/here", "trusted_proxies": 1})
    (cookie,) = cookies(browser.get("/panel/sign-in", headers={"X-Forwarded-Prefix": "/here"}))
    assert cookie.startswith("__Secure-tinyscim_panel=")
    assert {"Secure", "Path=/here/panel"} <= set(cookie.split("; "))


def test_a_session_over_tls_works_and_ends(anonymous):
    def get(path):
        return Page(anonymous.client.get(path, base_url=HTTPS))

    given = {**fields(get("/panel/sign-in")), "password": PASSWORD}
    assert anonymous.client.post("/panel/sign-in", data=given, base_url=HTTPS).status_code == 302
    page = get("/panel/")
    assert page.status == 200
    assert anonymous.client.post("/panel/sign-out", data=fields(page), base_url=HTTPS).status_code == 302
    assert get("/panel/").status == 302


def test_a_plain_cookie_is_not_taken_over_tls(anonymous):
    """Another host of the domain, or one on the way, could have set it."""
    anonymous.sign_in()
    value = anonymous.client.get_cookie("tinyscim_panel", path="/panel").value
    other = Browser(anonymous.app, anonymous.path, anonymous.token)
    other.client.set_cookie("tinyscim_panel", value, domain="scim.example.com", path="/panel")
    assert other.get("/panel/", base_url=HTTPS).status == 302


def test_signing_out_and_a_new_password_are_logged_without_secrets(browser, caplog):
    with caplog.at_level(logging.INFO):
        browser.post("/panel/sign-out", form="/panel/")
        edit.set_password(browser.path, NEW_PASSWORD)
        browser.get("/panel/sign-in")
    assert caplog.text.count("signed out from 127.0.0.1") == 1
    assert caplog.text.count("the panel's password was changed") == 1
    assert NEW_PASSWORD not in caplog.text
    assert browser.config["panel"]["secret"] not in caplog.text
    assert browser.config["panel"]["password_hash"] not in caplog.text


PANEL = ["/panel", "/panel/", "/panel/sign-in", "/panel/static/panel.css", "/panel/", "/panel/none"]
INSIDE = ["10.1.2.3", "::ffff:10.1.2.3", "10.1.2.3:5678", "2001:db8::1", "[2001:db8::1]:5678"]
OUTSIDE = ["11.0.0.1", "127.0.0.1", "2001:db9::1", "::1", "", "unknown", "10.1.2.3, 11.0.0.1"]
ALLOW = ["10.0.0.0/8", "2001:db8::/32"]


@pytest.fixture
def limited(make_browser):
    """A panel that two networks may reach."""

    def make(**server):
        browser = make_browser(server=server)
        text = browser.path.read_text()
        rewrite(browser.path, text.replace("allow = []", f"allow = {ALLOW}"))
        return browser

    return make


@pytest.mark.parametrize("path", PANEL)
def test_other_networks_are_refused_everywhere_in_the_panel(limited, path):
    client = limited().app.test_client()
    for method, address in itertools.product(("GET", "HEAD", "POST", "DELETE", "OPTIONS"), OUTSIDE):
        answer = client.open(path, method=method, environ_base={"REMOTE_ADDR": address})
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("address", INSIDE)
def test_the_listed_networks_reach_the_panel(limited, address):
    browser = limited()
    for path in PANEL:
        answer = browser.client.get(path, environ_base={"REMOTE_ADDR": address}, buffered=True)
        assert answer.status_code != 403


def test_scim_is_reachable_from_every_network(limited):
    browser = limited()
    headers = {"Authorization": f"Bearer {browser.token}"}
    for path, status in (("/api/scim/v2/Users", 200), ("/healthz", 200), ("/panelx", 404)):
        assert browser.get(path, headers=headers, environ_base={"REMOTE_ADDR": "52.1.2.3"}).status == status


def test_a_session_is_of_no_use_from_another_network(limited):
    browser = limited()
    inside, outside = ({"REMOTE_ADDR": address} for address in ("10.1.2.3", "52.1.2.3"))
    hidden = fields(browser.get("/panel/sign-in", environ_base=inside))
    browser.client.post("/panel/sign-in", data={**hidden, "password": PASSWORD}, environ_base=inside)
    statuses = [browser.get("/panel/", environ_base=where).status for where in (inside, outside)]
    assert statuses == [200, 403]


def test_a_trusted_proxy_says_where_a_request_comes_from(limited):
    browser = limited(trusted_proxies=1)
    for address, status in (("10.1.2.3", 200), ("52.1.2.3", 403), ("10.1.2.3, 52.1.2.3", 403), ("nonsense", 403)):
        assert browser.get("/panel/sign-in", headers={"X-Forwarded-For": address}).status == status


def test_forwarded_requests_are_rejected_without_trusted_proxies(limited):
    """Each request would seem to come from the proxy, which is in the network."""
    given = {"headers": {"X-Forwarded-For": "52.1.2.3"}, "environ_base": {"REMOTE_ADDR": "10.0.0.1"}}
    page = limited().get("/panel/sign-in", **given)
    assert page.status == 403
    assert "Set trusted_proxies" in page.text


def test_the_cookie_is_restricted(anonymous):
    over_http = anonymous.sign_in().headers["Set-Cookie"]
    assert "HttpOnly" in over_http
    assert "SameSite=Lax" in over_http
    assert "Path=/panel" in over_http
    assert "Secure" not in over_http


def test_the_cookie_is_secure_over_tls(anonymous):
    page = anonymous.get("/panel/sign-in", base_url="https://scim.example.com")
    assert "Secure" in page.headers["Set-Cookie"]


def test_a_session_ends_twelve_hours_after_signing_in(browser, monkeypatch):
    began = time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: began + MAX_LIFETIME - 60)
    assert browser.get("/panel/directory/Users?choose=1&column=userName").status == 200  # rewrites the cookie
    monkeypatch.setattr(sessions.time, "time", lambda: began + MAX_LIFETIME + 60)
    assert browser.get("/panel/").status == 302
    assert "Sign out" not in browser.get("/panel/sign-in").text


def test_signing_out_ends_copies_of_the_session_in_every_worker(browser):
    store = browser.app.extensions["tinyscim"].store
    other = Browser(create_app(browser.path, store=store), browser.path, browser.token)
    cookie = browser.client.get_cookie("tinyscim_panel", path="/panel").value
    second = Browser(other.app, browser.path, browser.token)
    second.sign_in()
    other.client.set_cookie("tinyscim_panel", cookie, path="/panel")
    assert other.get("/panel/").status == 200
    browser.post("/panel/sign-out", form="/panel/")
    assert other.get("/panel/").status == 302
    browser.client.set_cookie("tinyscim_panel", cookie, path="/panel")
    assert browser.get("/panel/").status == 302
    assert second.get("/panel/").status == 200  # who else uses the panel stays in


def test_a_revoked_session_is_forgotten_when_it_expires(tmp_path):
    path = tmp_path / "ended.json"
    SharedIds(lambda: FileState(path), MAX_LIFETIME).add("long ago", time.time() - MAX_LIFETIME - 1)
    SharedIds(lambda: FileState(path), MAX_LIFETIME).add("just now", time.time())
    assert list(json.loads(path.read_text())) == ["just now"]
    path.write_text("{")
    assert "just now" not in SharedIds(lambda: FileState(path), MAX_LIFETIME)


def test_the_cookie_is_secure_if_the_public_url_is_https(make_browser):
    browser = make_browser(server={"public_url": "https://scim.example.com"})
    assert "Secure" in browser.sign_in().headers["Set-Cookie"]
