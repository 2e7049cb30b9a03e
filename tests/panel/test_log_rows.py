"""The rows of the log: cycles, collapsed memberships, tabs and ranges; and what an entry shows."""

import re
from uuid import uuid4

import pytest

from tests.support.urns import GROUP, PATCH_OP, USER

LOG = "/panel/log"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def send(browser, method, path, body=None, token=None):
    """Send a request as Entra does, without a User-Agent."""
    headers = {"Authorization": f"Bearer {token or browser.token}", "User-Agent": ""}
    return browser.app.test_client().open(f"/api/scim/v2{path}", method=method, json=body, headers=headers)


def patch(browser, path, op, attribute, value):
    operation = {"op": op, "path": attribute, "value": value}
    return send(browser, "PATCH", path, {"schemas": [PATCH_OP], "Operations": [operation]})


@pytest.fixture
def cycle(browser):
    """A cycle of Entra: two users, one the manager of the other, join a group one by one; a third name is taken."""
    send(browser, "GET", f'/Users?filter=userName+eq+"{uuid4()}"')
    ids = []
    for name in ("ann", "bob"):
        user = {"schemas": [USER], "userName": name, "displayName": name.title()}
        ids.append(send(browser, "POST", "/Users", user).get_json(force=True)["id"])
    group = send(browser, "POST", "/Groups", {"schemas": [GROUP], "displayName": "Cooks"}).get_json(force=True)["id"]
    for id in ids:
        assert patch(browser, f"/Groups/{group}", "Add", "members", [{"value": id}]).status_code == 204
        patch(browser, f"/Users/{id}", "Replace", "title", "Cook")
    patch(browser, f"/Users/{ids[1]}", "Add", f"{ENTERPRISE}:manager", ids[0])
    send(browser, "POST", "/Users", {"schemas": [USER], "userName": "ann", "displayName": "Ann Two"})
    return {"ann": ids[0], "bob": ids[1], "group": group}


def tabs(page):
    return re.findall(r"(All|Changes|Failures) (\d+)", page.text)


def entry(browser, query):
    return browser.get(re.search(r'href="(/panel/log/[0-9a-f]{16})"', browser.get(f"{LOG}?{query}").html)[1])


def test_a_cycle_has_its_counts_as_heading(browser, cycle):
    page = browser.get(LOG)
    assert "Provisioning cycle: 10 requests, 3 created, 5 updated, 1 failed" in page.text
    assert page.html.count('class="section"') == 1


def test_other_clients_and_the_panel_have_headings_of_their_own(browser, cycle):
    browser.create_user(userName="carl", active=False)  # by a tool, with Entra's token, during the cycle
    id = browser.scim("GET", '/Users?filter=userName eq "carl"').get_json(force=True)["Resources"][0]["id"]
    browser.post(f"/panel/directory/Users/{id}/remove")
    page = browser.get(LOG)
    assert page.html.count('class="section"') == 2
    assert page.text.index("Outside provisioning cycles") < page.text.index("Provisioning cycle: 10 requests")


def test_members_that_join_one_by_one_are_one_row_that_opens(browser, cycle):
    html = browser.get(LOG).html
    assert html.count('class="badge joined"') == 1
    row = r'<summary><span class="http">20[04]</span> 2 members joined Cooks</summary>(.*?)</details>'
    details = re.search(row, html, re.DOTALL)[1]
    assert re.findall(r">(Ann|Bob)</a>", details) == ["Bob", "Ann"]


def test_the_history_of_a_group_has_one_row_for_its_members(browser, cycle):
    html = browser.get(f"/panel/directory/Groups/{cycle['group']}").html.partition('id="history"')[2]
    assert "<summary>2 members joined Cooks</summary>" in html
    assert re.findall(r'class="badge (\w+)"', html) == ["joined", "created"]
    assert re.findall(r">(Ann|Bob)</a>", html) == ["Bob", "Ann"]


def test_a_page_counts_rows_instead_of_members(browser, cycle):
    for number in range(60):
        id = browser.create_user(userName=f"user-{number}")["id"]
        for op, path, value in (("Add", "members", [{"value": id}]), ("Remove", f'members[value eq "{id}"]', None)):
            patch(browser, f"/Groups/{cycle['group']}", op, path, value)
    page = browser.get(f"{LOG}?person=cooks")
    assert "62 members joined Cooks" in page.text
    assert "60 members left Cooks" in page.text
    assert 'rel="next"' not in page.html


def test_tabs_count_changes_and_failures(browser, cycle):
    counts = [("All", "9"), ("Changes", "8"), ("Failures", "1")]
    assert tabs(browser.get(LOG)) == counts
    assert tabs(browser.get(f"{LOG}?result=failure")) == counts
    assert tabs(browser.get(f"{LOG}?person=bob")) == [("All", "4"), ("Changes", "4"), ("Failures", "0")]
    assert tabs(browser.get(f"{LOG}?since=2999-01-01")) == [("All", "0"), ("Changes", "0"), ("Failures", "0")]


def test_a_failure_that_is_older_than_a_long_cycle_is_two_clicks_away(browser):
    send(browser, "POST", "/Users", {"schemas": [USER], "displayName": "Jane"})
    for number in range(120):
        browser.create_user(userName=f"user-{number}")
    page = browser.get(LOG)
    assert "Jane" not in page.text
    failures = re.search(r'href="([^"]+)">Failures', page.html)[1].replace("&amp;", "&")
    page = browser.get(re.search(r'href="(/panel/log/[0-9a-f]{16})"', browser.get(failures).html)[1])
    assert "Jane failed" in page.text
    assert "userName is required" in page.text


@pytest.mark.parametrize("since", ["1h", "24h", "7d", "30d"])
def test_quick_ranges_keep_the_other_filters(browser, cycle, since):
    page = browser.get(f"{LOG}?person=bob&result=success")
    address = re.search(rf'href="([^"]*since={since}[^"]*)"', page.html)[1].replace("&amp;", "&")
    page = browser.get(address)
    assert 'name="person" value="bob"' in page.html
    assert tabs(page) == [("All", "4"), ("Changes", "4"), ("Failures", "0")]


def test_a_conflict_links_to_the_other_resource(browser, cycle):
    page = entry(browser, "result=failure")
    assert "Conflicts with Ann ann" in page.text
    assert f'href="/panel/directory/Users/{cycle["ann"]}"' in page.html


def test_managers_have_names_instead_of_ids(browser, cycle):
    assert re.search(r"Manager: \(empty\) → Ann \.", browser.get(LOG).text)
    page = entry(browser, "person=bob&action=updated")
    assert "Manager (empty) Ann" in page.text
    assert f"{cycle['ann']} is Ann" in page.text


def test_a_success_has_its_request_and_response(browser, cycle):
    page = entry(browser, "person=ann&action=created")
    request, response = page.text.split("Response Status 201")
    assert "POST /api/scim/v2/Users" in request
    assert '"displayName": "Ann"' in request
    assert '"displayName": "Ann"' in response
    assert f'"id": "{cycle["ann"]}"' in response


def test_the_request_can_be_copied_as_curl_without_the_token(browser, cycle):
    browser.create_user(userName="o'neill")
    page = entry(browser, "person=neill")
    command = page.text[page.text.index("curl -X POST") :]
    assert "http://localhost/api/scim/v2/Users" in command
    assert 'Authorization: Bearer $TOKEN"' in command
    assert """'{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "o'"'"'neill"}'""" in command
    assert browser.token not in page.html


def test_a_rejected_request_has_its_status_and_the_reason(browser):
    send(browser, "GET", "/Users", token="wrong")
    page = browser.get(LOG)
    assert "401 The token is unknown." in page.text
    assert "The token is unknown." in entry(browser, "result=rejected").text


def test_the_advice_on_a_rejected_token_works_on_a_new_installation(browser):
    send(browser, "GET", "/Users", token="wrong")
    command = re.search(r"<code>flask (token new [^<]+)</code>", entry(browser, "result=rejected").html)[1]
    run = browser.command(*command.replace("NAME", "entra-2").split())
    assert run.exit_code == 0, run.output
    assert send(browser, "GET", "/Users", token=run.output.strip()).status_code == 200


def test_times_are_in_utc_with_the_zone_named(browser, cycle):
    page = browser.get(LOG)
    assert "Times are in UTC." in page.text
    assert re.search(r'<time datetime="[^"]+Z" title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC" data-local="row">', page.html)
