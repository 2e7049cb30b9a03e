"""The status on the overview: what Entra's requests, and those of others, make of it."""

import re
from datetime import UTC, datetime

import pytest
import tomlkit

from provisioning_log import activity_of
from tests.support.past import move_to_past
from tests.support.serving import rewrite

OVERVIEW = "/panel/"
ENTRA = "/panel/integrations/entra"
NEW = f"{ENTRA}/tokens/new"


def status(browser):
    """Return the status's colour, label and text."""
    found = re.search(
        r'<section class="status (\w+)".*?<h2[^>]*>(.*?)</h2>\s*<p>(.*?)</p>', browser.get(OVERVIEW).html, re.DOTALL
    )
    return found.groups()


def label(browser):
    return status(browser)[1]


def revoke(browser, name="entra"):
    browser.post(f"{ENTRA}/tokens/revoke?name={name}")


@pytest.fixture
def later(browser, tmp_path):
    """Let so many seconds pass."""

    def pass_by(seconds):
        activity_of(browser.app).flush()
        move_to_past(tmp_path / "data" / "tinyscim.counts.json", seconds)

    return pass_by


def test_before_the_first_request_it_waits(browser):
    tone, name, detail = status(browser)
    assert (tone, name) == ("caution", "Waiting for the first request")
    assert "Follow the setup guide" in detail
    revoke(browser)
    assert "Create a SCIM token" in status(browser)[2]


def test_entras_requests_make_it_connected(browser):
    browser.probe()
    browser.entra("GET", "/Groups")
    assert status(browser) == ("good", "Connected", "All 2 requests of the last cycle succeeded.")
    assert "Last request from Entra: just now" in browser.get(OVERVIEW).text


def test_other_clients_do_not_make_it_connected(browser):
    assert browser.scim("GET", "/Users").status_code == 200  # with Entra's token, but with a User-Agent of a tool
    browser.create_user(userName="ada")
    browser.entra("GET", "/Users")  # without Entra's probe
    assert label(browser) == "Waiting for the first request"
    assert "Other clients have called" in status(browser)[2]


def test_guesses_of_strangers_never_turn_it_red(browser):
    for token in ("guess", "admin", "tscim_x"):
        browser.scim("GET", "/Users", token=token)
        browser.entra("GET", "/Users", token=token)
    assert label(browser) == "Waiting for the first request"
    browser.probe(token="guess")  # this looks like Entra with a wrong token
    assert status(browser)[:2] == ("caution", "Refused")
    browser.probe()
    browser.probe(token="guess")  # a stranger who imitates Entra
    assert label(browser) == "Connected"
    assert "Requests like Entra's are rejected (401): their token is unknown" in browser.get(OVERVIEW).text


def test_an_unknown_token_is_entras_once_entra_has_missed_a_cycle(browser, later):
    browser.probe()
    later(3700)
    assert browser.probe(token="guess") == 401
    tone, name, detail = status(browser)
    assert (tone, name) == ("bad", "Refused")
    assert "once so far: their token is unknown" in detail


def test_a_revoked_token_is_refused_with_its_name_and_the_dates(browser):
    browser.probe()
    revoke(browser)
    tone, name, detail = status(browser)
    assert (tone, name) == ("caution", "Waiting for the first request")  # with another token
    assert "the token “entra” was revoked on" in detail
    assert [browser.probe() for _ in range(3)] == [401, 401, 401]
    tone, name, detail = status(browser)
    assert (tone, name) == ("bad", "Refused")
    today = f"{datetime.now(UTC):%B %Y}"
    assert re.search(rf"rejected \(401\) since \d+ {today}, \d\d:\d\d UTC, 3 times so far", detail)
    assert re.search(rf"the token “entra” was revoked on \d+ {today}", detail)
    assert "New SCIM token" in browser.get(OVERVIEW).text


def test_a_new_token_of_the_same_name_does_not_hide_the_revoked_one(browser):
    browser.probe()
    made = browser.post(NEW, {"name": "entra", "replaces": "entra", "overlap": "none"})
    assert browser.probe() == 401
    assert "the token “entra” was revoked on" in status(browser)[2]
    assert browser.probe(token=made.value("token")) == 200
    assert label(browser) == "Connected"


def test_an_expired_token_is_refused_even_after_it_was_cleared_away(browser):
    browser.probe()
    past = datetime(2026, 1, 31, 12, tzinfo=UTC).isoformat()
    rewrite(browser.path, browser.path.read_text().replace('expires = "never"', f"expires = {past}"))
    browser.probe()
    assert "the token “entra” expired on 31 January 2026, 12:00 UTC" in status(browser)[2]
    browser.post(NEW, {"name": "second", "replaces": ""})
    assert [table["name"] for table in browser.config["tokens"]] == ["second"]
    browser.probe()
    assert "the token “entra” expired on 31 January 2026, 12:00 UTC" in status(browser)[2]


def test_a_token_that_never_existed_is_told_apart(browser):
    browser.probe()
    document = browser.config
    document["tokens"][0]["sha256"] = "0" * 64
    document["tokens"][0]["name"] = "another"
    rewrite(browser.path, tomlkit.dumps(document))
    assert browser.probe() == 401
    tone, name, detail = status(browser)
    assert (tone, name) == ("bad", "Refused")
    assert "their token is unknown" in detail


def test_failures_are_counted_in_the_last_cycle_alone(browser, later):
    browser.probe()
    user = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada"}
    assert browser.entra("POST", "/Users", user).status_code == 201
    assert browser.entra("POST", "/Users", user).status_code == 409
    tone, name, detail = status(browser)
    assert (tone, name) == ("caution", "Failing")
    assert "1 of 3 requests failed in the last cycle" in detail
    later(2400)
    browser.probe()
    assert label(browser) == "Connected"


def test_two_hours_without_a_request_are_silence(browser, later):
    browser.probe()
    later(7100)
    assert label(browser) == "Connected"
    later(200)
    tone, name, detail = status(browser)
    assert (tone, name) == ("bad", "Silent")
    assert "The last request came 2 hours ago." in detail
    browser.scim("GET", "/Users")  # another client does not end it
    assert label(browser) == "Silent"


def test_off_is_said_and_what_it_refuses_is_no_failure_afterwards(browser):
    browser.probe()
    browser.post(f"{ENTRA}/switch", {"enabled": "no"}, form=ENTRA)
    assert browser.probe() == 403
    assert status(browser)[:2] == ("neutral", "Off")
    browser.post(f"{ENTRA}/switch", {"enabled": "yes"}, form=ENTRA)
    assert label(browser) == "Connected"


def test_only_the_latest_revoked_tokens_are_kept(browser):
    for number in range(22):
        browser.post(NEW, {"name": f"t{number}", "replaces": ""})
        revoke(browser, f"t{number}")
    names = [table["name"] for table in browser.config["revoked_tokens"]]
    assert names == [f"t{number}" for number in range(2, 22)]
    assert browser.scim("GET", "/Users").status_code == 200
