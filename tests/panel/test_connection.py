"""The credentials page: switch, URL, configuration errors."""

import pytest
from werkzeug.security import generate_password_hash

from app import create_app
from storage.memory import MemoryStore
from tests.support.panel_browser import Browser

ENTRA = "/panel/integrations/entra"
NEW = f"{ENTRA}/tokens/new"


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


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [("/switch", ENTRA), ("/guide/schema", f"{ENTRA}/guide")],
)
def test_the_url_of_a_form_redirects_to_its_page(browser, path, leads_to):
    assert browser.get(ENTRA + path).location == leads_to


@pytest.mark.parametrize("word", ["", "on", "YES"])
def test_the_switch_accepts_only_yes_and_no(browser, word):
    assert browser.post(f"{ENTRA}/switch", {"enabled": word}, form=ENTRA).status == 400
    assert browser.config["connection"]["enabled"] is True


def test_every_page_shows_a_configuration_error(browser):
    browser.path.write_text(browser.path.read_text() + "\n[nonsense]\n")
    for path in (ENTRA, "/panel/directory/Users", "/panel/attributes"):
        assert "there is no table [nonsense]" in browser.get(path).text
    browser.post("/panel/sign-out", form=ENTRA)
    assert "nonsense" not in browser.get("/panel/sign-in").text


def test_without_a_configuration_file_a_change_is_refused():
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
def test_forms_report_an_invalid_configuration_file(browser, edit):
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
