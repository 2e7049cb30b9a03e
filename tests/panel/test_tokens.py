"""Creating, listing and revoking SCIM tokens in the panel."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from provisioning_log import activity_of
from tests.support.past import move_to_past
from tests.support.serving import rewrite

ENTRA = "/panel/integrations/entra"


NEW = f"{ENTRA}/tokens/new"


def test_a_missing_token_cannot_be_replaced(browser):
    page = browser.post(NEW, {"name": "third", "replaces": "gone", "overlap": "none"})
    assert page.status == 409
    assert 'The token "gone" is gone' in page.text
    assert [table["name"] for table in browser.config["tokens"]] == ["entra"]


def test_a_new_token_of_an_old_name_was_never_used(browser):
    browser.scim("GET", "/Users")
    activity_of(browser.app).flush()
    move_to_past(browser.path.parent / "data" / "tinyscim.counts.json", 5)
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
def test_the_old_token_stays_valid_during_the_overlap(browser, overlap, hours):
    browser.post(NEW, {"name": "second", "replaces": "entra", "overlap": overlap})
    assert browser.scim("GET", "/Users").status_code == 200
    old = next(table for table in browser.config["tokens"] if table["name"] == "entra")
    assert abs(old["expires"] - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=1)


def test_all_tokens_are_kept_unless_one_is_chosen(browser):
    form = browser.get(NEW)
    assert '<option value="" selected>None, keep all tokens' in form.html
    made = browser.post(NEW, {"name": "second", "replaces": "", "overlap": "hour"})
    assert "All other tokens keep working." in made.text
    assert browser.scim("GET", "/Users").status_code == 200


def test_the_result_says_when_the_old_token_stops(browser):
    made = browser.post(NEW, {"name": "second", "replaces": "entra", "overlap": "hour"})
    assert f"“entra” stops working on {datetime.now(UTC) + timedelta(hours=1):%d}".replace(" 0", " ") in made.text
    made = browser.post(NEW, {"name": "third", "replaces": "second", "overlap": "none"})
    assert "The old token “second” no longer works." in made.text


def test_a_token_can_be_read_only(browser):
    made = browser.post(NEW, {"name": "reports", "replaces": "", "scope": "read-only"})
    token = made.value("token")
    assert browser.scim("GET", "/Users", token=token).status_code == 200
    assert browser.scim("DELETE", "/Users/x", token=token).status_code == 403
    assert browser.post(NEW, {"name": "more", "scope": "all"}).status == 400


def test_the_old_token_can_expire_immediately(browser):
    made = browser.post(NEW, {"name": "entra", "replaces": "entra", "overlap": "none"})
    assert browser.scim("GET", "/Users").status_code == 401
    assert browser.scim("GET", "/Users", token=made.value("token")).status_code == 200


def test_an_expired_token_is_rejected_and_not_listed(make_browser):
    past = datetime.now(UTC) - timedelta(seconds=1)
    browser = make_browser()
    browser.sign_in()
    text = browser.path.read_text()
    rewrite(browser.path, text.replace('expires = "never"', f"expires = {past.isoformat()}"))
    assert browser.scim("GET", "/Users").status_code == 401
    assert "There are no tokens" in browser.get(ENTRA).text


def test_a_second_token_of_a_name_is_refused(browser):
    page = browser.post(NEW, {"name": "entra", "replaces": "", "overlap": "none"})
    assert page.status == 409
    assert 'There is a token "entra" already' in page.text
    assert page.value("name") == "entra"  # what was typed stays


def test_names_of_test_tokens_are_reserved(browser):
    page = browser.post(NEW, {"name": "connection-test-mine", "replaces": "", "overlap": "none"})
    assert page.status == 409
    assert "the panel's own tests" in page.text
    assert [table["name"] for table in browser.config["tokens"]] == ["entra"]


def test_the_form_suggests_an_unused_name(browser):
    assert browser.get(NEW).value("name") == "entra-2"


def test_revoking_asks_first(browser):
    path = f"{ENTRA}/tokens/revoke?name=entra"
    assert "Revoke “entra”?" in browser.get(path).text
    assert browser.scim("GET", "/Users").status_code == 200
    assert "no longer works" in browser.follow(browser.post(path)).text
    assert browser.scim("GET", "/Users").status_code == 401


def test_tokens_show_when_they_were_created_and_used(browser):
    assert "entra " in browser.get(ENTRA).text
    browser.scim("GET", "/Users")
    page = browser.get(ENTRA)
    assert f"{datetime.now(UTC):%B %Y}" in page.text
    assert "just now" in page.text


def test_each_value_of_a_token_has_a_label_on_narrow_screens(browser):
    page, style = browser.get(ENTRA), browser.get("/panel/static/panel.css", buffered=True)
    assert re.findall('data-label="([^"]+)"', page.html) == ["Created", "Last used", "Expires"]
    assert "td[data-label]::before" in style.html
