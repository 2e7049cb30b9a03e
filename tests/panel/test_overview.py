"""The overview: numbers, activity, what needs attention, and the checklist."""

import re
from datetime import UTC, datetime, timedelta

import pytest

OVERVIEW = "/panel/"
USER = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}


@pytest.fixture
def logged(make_browser, tmp_path):
    browser = make_browser(log={"path": str(tmp_path / "log.jsonl")}, server={"public_url": "https://scim.contoso.com"})
    browser.sign_in()
    return browser


def links(page):
    return re.findall(r'<a href="([^"]+)"><strong>([\d,]+)</strong> ([^<]+)</a>', page.html)


def test_the_numbers_lead_to_their_lists(logged):
    for number, active in enumerate((True, True, False)):
        logged.entra("POST", "/Users", {**USER, "userName": f"u{number}", "active": active})
    logged.entra("POST", "/Users", {**USER, "userName": "u0"})
    logged.create_group(displayName="G")
    page = logged.get(OVERVIEW)
    assert [(count, label) for _, count, label in links(page)] == [
        ("2", "Active users"),
        ("1", "Disabled users"),
        ("1", "Groups"),
        ("1", "Failures in 24 hours"),
    ]
    for address, count, _ in links(page):
        found = logged.get(address.replace("&amp;", "&"))
        assert found.status == 200
        assert f"of {count}" in found.text or "u0" in found.text


def test_the_numbers_follow_each_write(browser):
    user = browser.create_user(userName="ada")
    assert "1 Active users 0 Disabled users" in browser.get(OVERVIEW).text
    browser.scim("PATCH", f"/Users/{user['id']}", {"Operations": [{"op": "replace", "path": "active", "value": False}]})
    assert "0 Active users 1 Disabled users" in browser.get(OVERVIEW).text


def test_the_chart_has_a_bar_with_a_link_and_words(logged):
    logged.probe()
    for name in ("a", "b", "a"):
        logged.entra("POST", "/Users", {**USER, "userName": name})
    page = logged.get(OVERVIEW)
    bar = re.search(r'<a href="([^"]+)" aria-label="([^"]+)">\s*<title>', page.html)
    assert bar[2].endswith("UTC: 2 created, 1 failed")
    assert re.findall(r'<rect class="(\w+)"', page.html) == ["all", "created", "failed"]
    assert "style=" not in page.html  # the policy forbids it
    log = logged.get(bar[1].replace("&amp;", "&"))
    assert "failed" in log.text
    assert "created 2" in page.text


@pytest.mark.parametrize(
    ("span", "words"), [("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), ("x", "24 hours")]
)
def test_the_chart_covers_the_chosen_period(logged, span, words):
    logged.entra("POST", "/Users", {**USER, "userName": "ada"})
    page = logged.get(f"{OVERVIEW}?span={span}")
    assert f'aria-label="Changes and failures of the last {words}"' in page.html
    assert page.html.count('class="created" x=') == 1


def test_failures_are_grouped_by_cause_with_the_fix_and_an_example(logged):
    for name in ("ada", "grace"):
        for _ in range(2):
            logged.entra("POST", "/Users", {**USER, "userName": name})
    page = logged.get(OVERVIEW)
    assert 'Another User has the userName "…". 2 times, last just now' in page.text
    assert "make userName a matching attribute" in page.text
    example = re.search(r'<a href="(/panel/log/[0-9a-f]+)">Example', page.html)[1]
    assert logged.get(example).status == 200


def test_rejections_of_a_revoked_token_count_as_failures(logged):
    logged.probe()
    logged.post("/panel/integrations/entra/tokens/revoke?name=entra")
    assert [logged.probe(), logged.probe()] == [401, 401]
    logged.scim("GET", "/Users", token="guess")
    page = logged.get(OVERVIEW)
    assert "2 Failures in 24 hours" in page.text
    assert "failed 2" in page.text
    assert "or <code>flask token new --name NAME</code>)" in page.html
    assert 'The token "entra" was revoked. 2 times, last just now' in page.text


def test_unknown_attributes_need_attention(logged):
    logged.entra("POST", "/Users", {**USER, "userName": "ada", "shoeSize": 36})
    assert "1 unknown attribute" in logged.get(OVERVIEW).text


def test_tokens_that_expire_soon_need_attention(logged):
    logged.post("/panel/integrations/entra/tokens/new", {"name": "b", "replaces": "entra", "overlap": "day"})
    end = datetime.now(UTC) + timedelta(days=1)
    assert f"The token “entra” expires on {end.day} {end:%B %Y}" in logged.get(OVERVIEW).text
    assert "The token “b”" not in logged.get(OVERVIEW).text


@pytest.mark.parametrize(
    ("url", "problems"),
    [
        ("https://scim.contoso.com", set()),
        ("http://scim.contoso.com", {"not HTTPS"}),
        ("https://10.1.2.3", {"not public"}),
        ("https://[fd00::1]:8443", {"not public"}),
        ("https://scim.contoso.local", {"not public"}),
        ("https://scim", {"not public"}),
        ("http://localhost:8000", {"not public", "not HTTPS"}),
    ],
)
def test_a_public_url_that_entra_cannot_reach_is_said_beside_it_and_on_the_overview(make_browser, url, problems):
    browser = make_browser(server={"public_url": url})
    browser.sign_in()
    for path in (OVERVIEW, "/panel/integrations/entra"):
        text = browser.get(path).text
        assert {problem for problem in ("not public", "not HTTPS") if f"is {problem}" in text} == problems


def ticked(page):
    return re.findall(r'<li class="done"><strong>(.*?)<', page.html)


def test_the_checklist_ticks_itself_until_the_first_user(browser, logged):
    page = browser.get(OVERVIEW)
    assert ticked(page) == ["Token created"]
    assert "Open the setup guide" in page.text
    assert ticked(logged.get(OVERVIEW)) == ["Public URL set", "Token created"]
    logged.probe()
    assert ticked(logged.get(OVERVIEW)) == ["Public URL set", "Token created", "First request from Entra received"]
    logged.entra("POST", "/Users", {**USER, "userName": "ada"})
    assert "Set up provisioning" not in logged.get(OVERVIEW).text


def test_the_page_refreshes_itself_with_and_without_scripts(browser):
    page = browser.get(OVERVIEW)
    assert '<noscript><meta http-equiv="refresh" content="60"></noscript>' in page.html
    assert 'data-refresh="60"' in page.html
    assert "http-equiv" not in browser.get("/panel/directory/Users").html


def test_strangers_do_not_count_as_failures_on_the_overview_or_in_its_list(logged):
    logged.entra("POST", "/Users", {**USER})
    for _ in range(2):
        logged.scim("GET", "/Users", token="guess")
    page = logged.get(OVERVIEW)
    ((address, count),) = [(address, count) for address, count, label in links(page) if label.startswith("Failures")]
    listed = logged.get(address.replace("&amp;", "&"))
    assert count == "1"
    assert listed.html.count('<tr class="failure"') == 1
    assert "Failures 1 Rejected 2" in listed.text
    rejected = logged.get("/panel/log?result=rejected")
    assert rejected.html.count('<tr class="failure"') == 2


def test_a_failure_that_is_solved_needs_no_attention(logged):
    logged.entra("POST", "/Users", {**USER, "userName": "ada", "active": "perhaps"})
    assert "Needs attention" in logged.get(OVERVIEW).text
    logged.entra("POST", "/Users", {**USER, "userName": "ada"})
    page = logged.get(OVERVIEW)
    assert "Needs attention" not in page.text
    assert "1 Failures in 24 hours" in page.text


def test_a_new_token_solves_the_rejections_of_the_old_one(logged):
    logged.probe()
    page = logged.post("/panel/integrations/entra/tokens/new", {"name": "next", "replaces": "", "overlap": "day"})
    logged.post("/panel/integrations/entra/tokens/revoke?name=entra")
    logged.probe()
    assert "was revoked. last just now" in logged.get(OVERVIEW).text
    token = re.search(r"tscim_[\w-]+", page.html)[0]
    assert logged.probe(token) == 200
    assert "Needs attention" not in logged.get(OVERVIEW).text
