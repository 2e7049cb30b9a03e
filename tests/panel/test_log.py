"""The pages of the provisioning log, a resource's history, and deprovisioning."""

import re
import socket

import pytest

from app import create_app
from provisioning_log import log
from storage.memory import MemoryStore
from tests.support.panel_browser import Browser

LOG, USERS = "/panel/log", "/panel/directory/Users"
CONTOSO = "urn:ietf:params:scim:schemas:extension:contoso:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def patch(browser, path, *operations):
    return browser.scim("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})


@pytest.fixture
def day(browser):
    """Ann is made, joins, is renamed, disabled; Bob's name is taken."""
    ann = browser.create_user(
        userName="ann@example.com", displayName="Ann", password="hush", **{CONTOSO: {"badge": "7"}}
    )
    group = browser.create_group(displayName="Cooks")
    patch(browser, f"/Groups/{group['id']}", {"op": "Add", "path": "members", "value": [{"value": ann["id"]}]})
    patch(browser, f"/Users/{ann['id']}", {"op": "Replace", "path": "displayName", "value": "Ann <b>Lee</b>"})
    patch(browser, f"/Users/{ann['id']}", {"op": "Replace", "path": "active", "value": "False"})
    browser.scim("POST", "/Users", {"userName": "ann@example.com", "displayName": "Bob", "password": "hush"})
    return {"ann": ann["id"], "group": group["id"]}


def rows(page):
    return [
        re.sub(r"<[^>]+>|\s+", " ", row)
        for row in re.findall(r"<tr(?: class=.failure.)?>(.*?)</tr>", page.html, re.DOTALL)[1:]
    ]


def test_the_log_requires_signing_in(anonymous):
    for path in (LOG, f"{LOG}/x", f"{LOG}/unknown", "/panel/deprovisioning"):
        assert anonymous.get(path).status == 302


def test_the_log_has_the_newest_first(browser, day):
    page = browser.get(LOG)
    failed, disabled, updated, joined, group, created = rows(page)
    assert "failed" in failed
    assert "Bob" in failed
    assert "Another User has the userName" in failed
    assert "Active: (empty) → false" in re.sub(r"\s+", " ", disabled)
    assert "Display name: Ann → Ann" in re.sub(r"\s+", " ", updated)
    assert "Joined: Ann" in joined
    assert "Cooks" in group
    assert "created" in created
    assert "<b>Lee" not in page.html


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("person=bob", 1),
        ("person=ANN@example", 5),
        ("action=joined", 1),
        ("result=failure", 1),
        ("result=success&person=cooks", 2),
        ("since=2099-01-01T00:00", 0),
        ("until=2020-01-01T00:00", 0),
        ("action=nonsense", 0),
    ],
)
def test_filters_choose_by_person_action_result_and_time(browser, day, query, count):
    page = browser.get(f"{LOG}?{query}")
    assert page.status == 200
    assert len(rows(page)) == count
    assert ("No entries match" in page.text) == (count == 0)


def test_an_invalid_date_is_explained(browser, day):
    assert "“yesterday” is not a date" in browser.get(f"{LOG}?since=yesterday").text


def test_dates_in_the_wrong_order_are_explained(browser, day):
    page = browser.get(f"{LOG}?since=2026-02-01&until=2026-01-31")
    assert "“From” is later than “To”, so no entry can match. Swap them." in page.text
    assert "No entries match" not in page.text


def test_pages_continue_where_the_last_one_ended(browser):
    for number in range(60):
        browser.create_user(userName=f"user-{number}")
    first = browser.get(f"{LOG}?action=created")
    older = re.search(r'rel="next" href="([^"]+)"', first.html)[1].replace("&amp;", "&")
    browser.create_user(userName="one-more")
    second = browser.get(older)
    assert (len(rows(first)), len(rows(second))) == (50, 10)
    assert "user-10 " in rows(first)[-1]
    assert "user-9 " in rows(second)[0]
    assert 'rel="next"' not in second.html


def test_a_failure_has_all_details_except_secrets(browser, day):
    page = browser.get(address(browser, "result=failure"))
    assert "A User with the userName" in page.text
    assert '"displayName": "Bob"' in page.text
    assert '"scimType": "uniqueness"' in page.text
    assert "Token “entra”" in page.text
    assert "hush" not in page.html


def test_a_change_has_old_and_new_values_and_a_link(browser, day):
    page = browser.get(address(browser, "action=updated"))
    assert "Display name Ann Ann <b>Lee</b>" in page.text
    assert f'href="{USERS}/{day["ann"]}"' in page.html
    joined = browser.get(address(browser, "action=joined"))
    assert f'href="{USERS}/{day["ann"]}"' in joined.html


def address(browser, query):
    return re.search(r'href="(/panel/log/[0-9a-f]{16})"', browser.get(f"{LOG}?{query}").html)[1]


def test_a_missing_entry_is_a_404_page(browser, day):
    page = browser.get(f"{LOG}/nothing")
    assert page.status == 404
    assert "The log has no entry with this ID" in page.text


def test_unknown_attributes_are_a_warning_with_what_to_do(browser, day):
    assert "Entra sends 1 unknown attribute" in browser.get(LOG).text
    page = browser.get(f"{LOG}/unknown")
    assert f'Remove the mapping whose target is "{CONTOSO}:badge"' in page.text
    assert f'[[schemas]] id = "{CONTOSO}"' in page.text


def test_a_users_page_has_the_history_and_since_when_it_is_disabled(browser, day):
    patch(browser, f"/Users/{day['ann']}", {"op": "Add", "path": "title", "value": "Former cook"})
    page = browser.get(f"{USERS}/{day['ann']}")
    history = page.text.partition("History")[2].partition("Show in the provisioning log")[0]
    assert [word for word in history.split() if word in ("created", "joined", "updated", "disabled")] == [
        *["updated", "disabled", "updated", "joined", "created"]
    ]
    assert "Group Cooks" in history
    assert "Disabled since" in page.text


def test_remove_now_is_in_the_log(browser, day):
    browser.post(f"{USERS}/{day['ann']}/remove")
    page = browser.get(address(browser, "action=deleted"))
    assert "Initiated by The panel" in page.text


def test_deprovisioning_is_explained_with_the_configured_purge(make_browser):
    for days, said in ((0, "Off: no users are purged"), (30, "after they have been disabled for 30 days")):
        browser = make_browser(directory={"purge_disabled_after_days": days})
        browser.sign_in()
        page = browser.get("/panel/deprovisioning")
        assert said in page.text
        assert "PATCH /Users/{id}: active to false" in page.text
        assert "DELETE /Groups/{id}" in page.text
        assert "earlier entries keep theirs until they expire" in page.text


def test_a_log_that_is_off_says_how_to_turn_it_on(make_browser):
    browser = make_browser(log={"path": ""})
    browser.sign_in()
    user = browser.create_user(userName="ann")
    assert "The provisioning log is off" in browser.get(LOG).text
    assert browser.get(f"{LOG}/unknown").status == 404
    assert "The log has no entries for this resource" in browser.get(f"{USERS}/{user['id']}").text


def test_of_a_large_membership_the_pages_say_how_many_joined(browser):
    members = [{"value": f"User {number}"} for number in range(3_000)]
    browser.create_group(displayName="All", members=members)
    assert "Joined: User 0, User 1, User 2 and 2,997 more." in browser.get(LOG).text
    assert "And 2,800 more (the log does not list all of them)." in browser.get(address(browser, "action=joined")).text


def test_warnings_are_read_again_only_when_the_log_has_changed(browser, day, monkeypatch):
    read, find = [], log.unknown_attributes
    monkeypatch.setattr(log, "unknown_attributes", lambda *given: read.append(1) or find(*given))
    for _ in range(3):
        assert "Entra sends 1 unknown attribute" in browser.get(LOG).text
    assert len(read) == 1
    browser.create_user(userName="bob", shoeSize=43)
    assert "Entra sends 2 unknown attributes" in browser.get(LOG).text
    assert len(read) == 2


def test_the_log_says_of_which_host_it_is(browser):
    assert "Each host has its own log" not in browser.get(LOG).html
    browser.path.write_text(browser.path.read_text() + '\n[store]\nurl = "postgresql://db.example.com/tinyscim"\n')
    several = Browser(create_app(browser.path, store=MemoryStore()), browser.path, browser.token)
    several.sign_in()
    assert f"This is the log of {socket.gethostname()}." in several.get(LOG).text
