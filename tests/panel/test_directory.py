"""Lists of users and groups, their pages, exports, and removing disabled users."""

import csv
import io
import json
import re

import pytest

from panel.lists import PAGE_SIZE
from tests.support.urns import IDMELON

USERS, GROUPS = "/panel/directory/Users", "/panel/directory/Groups"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGE = f"{IDMELON}:extraAttribute1"


@pytest.fixture
def people(browser):
    """Ada, Grace (disabled) and Alan; Ada manages Grace, both are in the group Engineers."""
    ada = browser.create_user(
        userName="ada@example.com",
        displayName="Ada Lovelace",
        title="Countess",
        active=True,
        **{IDMELON: {"extraAttribute1": "B-1"}},
    )
    grace = browser.create_user(
        userName="grace@example.com",
        displayName="Grace Hopper",
        active=False,
        emails=[{"type": "work", "value": "grace@navy.example", "primary": True}],
        **{ENTERPRISE: {"department": "Navy", "manager": {"value": ada["id"]}}},
    )
    alan = browser.create_user(userName="alan@example.com", displayName="=Alan", active=True)
    members = [{"value": ada["id"]}, {"value": grace["id"]}]
    group = browser.create_group(displayName="Engineers", description="Who builds", members=members)
    return {"ada": ada["id"], "grace": grace["id"], "alan": alan["id"], "group": group["id"]}


def shown(page):
    """The names of people on a page, in its order."""
    found = [(page.text.find(name), name) for name in ("ada@", "grace@ex", "alan@")]
    return [name[:4].rstrip("@") for place, name in sorted(found) if place >= 0]


def test_empty_lists_explain_what_to_do(browser):
    for path, name in ((USERS, "No users"), (GROUPS, "No groups")):
        assert f"{name} yet. They appear here when Entra provisions them" in browser.get(path).text


def test_users_are_listed_by_name_with_their_state(browser, people):
    page = browser.get(USERS)
    assert shown(page) == ["ada", "alan", "grac"]
    assert "1 to 3 of 3" in page.text
    assert "Disabled since" in page.text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=lovelace", ["ada"]),
        ("q=NAVY.example", ["grac"]),
        ("q=nobody", []),
        ("q=%22%5C%28", []),
        ("state=disabled", ["grac"]),
        ("state=active", ["ada", "alan"]),
        ("state=active&q=example.com", ["ada", "alan"]),
        ("sort=userName&order=descending", ["grac", "alan", "ada"]),
        ("sort=displayName", ["alan", "ada", "grac"]),
        ("sort=nonsense&state=nonsense&page=x", ["ada", "alan", "grac"]),
        ("page=99999999", []),
    ],
)
def test_search_state_and_order(browser, people, query, names):
    assert shown(browser.get(f"{USERS}?{query}")) == names


def test_long_lists_have_pages(browser):
    for number in range(PAGE_SIZE + 2):
        browser.create_user(userName=f"user{number:03}")
    first, second = browser.get(USERS), browser.get(f"{USERS}?page=2")
    assert f"1 to {PAGE_SIZE} of {PAGE_SIZE + 2}" in first.text
    assert "Next" in first.text
    assert "Previous" not in first.text
    assert f"{PAGE_SIZE + 1} to {PAGE_SIZE + 2} of" in second.text
    assert "Next" not in second.text


def test_columns_are_chosen_for_the_session(browser, people):
    page = browser.get(f"{USERS}?choose=1&column=userName&column={ENTERPRISE}:department&column=nonsense")
    assert "Navy" in page.text
    assert "Ada Lovelace" not in page.text
    assert "Navy" in browser.get(USERS).text


def test_a_named_attribute_is_shown_by_its_name_everywhere(browser, people):
    browser.post("/panel/attributes", {"extraAttribute1": "Badge number"})
    assert browser.get("/panel/attributes").value("extraAttribute1") == "Badge number"
    assert "Badge number B-1" in browser.get(f"{USERS}/{people['ada']}").text
    page = browser.get(f"{USERS}?choose=1&column=userName&column={BADGE}&q=B-1")
    assert "Badge number" in page.text
    assert shown(page) == ["ada"]
    assert browser.config["attribute_names"]["extraAttribute1"] == "Badge number"


def test_a_name_that_cannot_be_shown_is_refused(browser):
    page = browser.post("/panel/attributes", {"extraAttribute1": "x" * 61})
    assert page.status == 400
    assert "was not changed: [attribute_names] extraAttribute1 must be at most 60 printable characters" in page.text
    assert "attribute_names" not in browser.config


def test_a_users_page_has_every_attribute_the_groups_and_the_manager(browser, people):
    page = browser.get(f"{USERS}/{people['grace']}")
    for words in (
        "User name grace@example.com",
        "Email grace@navy.example (work, primary)",
        "Department Navy",
        "Manager Ada Lovelace",
        "Engineers",
        "Disabled since",
        f"SCIM ID {people['grace']}",
    ):
        assert words in page.text
    assert f'href="{USERS}/{people["ada"]}"' in page.html
    assert f'href="{GROUPS}/{people["group"]}"' in page.html


def test_a_groups_page_has_its_members(browser, people):
    page = browser.get(f"{GROUPS}/{people['group']}")
    assert "Members 2" in page.text
    assert f'href="{USERS}/{people["ada"]}"' in page.html
    found = browser.get(f"{GROUPS}/{people['group']}?q=hopper")
    assert f'href="{USERS}/{people["grace"]}"' in found.html
    assert f'href="{USERS}/{people["ada"]}"' not in found.html


def test_a_missing_resource_is_a_404_page(browser):
    page = browser.get(f"{USERS}/nobody")
    assert page.status == 404
    assert "There is no User with the id nobody." in page.text
    assert browser.get("/panel/directory/Nonsense").status == 404


def test_values_cannot_become_markup(browser):
    user = browser.create_user(userName="<script>alert(1)</script>", displayName="<b>x</b>")
    for path in (USERS, f"{USERS}/{user['id']}"):
        page = browser.get(path)
        assert "<script>alert" not in page.html
        assert "<b>x" not in page.html


def test_the_csv_has_what_the_list_shows(browser, people):
    answer = browser.get(f"{USERS}.csv?sort=userName&order=descending")
    rows = list(csv.reader(io.StringIO(answer.html.removeprefix("\ufeff"))))
    assert rows[0] == ["User name", "Display name", "Email", "State"]
    assert rows[1] == ["grace@example.com", "Grace Hopper", "grace@navy.example", "Disabled"]
    assert [row[0] for row in rows[1:]] == ["grace@example.com", "alan@example.com", "ada@example.com"]
    assert "attachment; filename=users.csv" in answer.headers["Content-Disposition"]


def test_the_csv_has_no_formulas(browser, people):
    assert "'=Alan" in browser.get(f"{USERS}.csv").html


def test_the_json_has_what_the_list_shows(browser, people):
    records = json.loads(browser.get(f"{USERS}.json?state=disabled").html)
    assert records == [
        {
            "id": people["grace"],
            "active": False,
            "userName": "grace@example.com",
            "displayName": "Grace Hopper",
            "emails.value": "grace@navy.example",
        }
    ]


def test_an_export_has_all_pages(browser):
    for number in range(PAGE_SIZE + 2):
        browser.create_group(displayName=f"Group {number}")
    assert len(json.loads(browser.get(f"{GROUPS}.json").html)) == PAGE_SIZE + 2
    assert browser.get(f"{GROUPS}.xml").status == 404


def test_removing_asks_first(browser, people):
    path = f"{USERS}/{people['grace']}/remove"
    assert "Remove now" in browser.get(f"{USERS}/{people['grace']}").text
    assert "Remove “Grace Hopper”?" in browser.get(path).text
    assert browser.scim("GET", f"/Users/{people['grace']}").status_code == 200
    assert "was removed" in browser.follow(browser.post(path)).text
    assert browser.scim("GET", f"/Users/{people['grace']}").status_code == 404
    assert "Members 1" in browser.get(f"{GROUPS}/{people['group']}").text


def test_an_active_user_cannot_be_removed(browser, people):
    path = f"{USERS}/{people['ada']}/remove"
    assert "Remove now" not in browser.get(f"{USERS}/{people['ada']}").text
    assert browser.get(path).status == 409
    assert browser.post(path, form=USERS).status == 409
    assert browser.post(f"{GROUPS}/{people['group']}/remove", form=USERS).status == 409
    assert browser.scim("GET", f"/Users/{people['ada']}").status_code == 200


def test_resource_types_of_the_configuration_have_lists_too(make_browser):
    device = {
        "id": "urn:ietf:params:scim:schemas:contoso:2.0:Device",
        "name": "Device",
        "endpoint": "/Devices",
        "attributes": [{"name": "serialNumber", "type": "string", "required": True}],
    }
    browser = make_browser(schemas=[device])
    browser.sign_in()
    body = {"schemas": [device["id"]], "serialNumber": "S-17"}
    id = browser.scim("POST", "/Devices", body).get_json(force=True)["id"]
    assert "Devices" in browser.get(USERS).text
    assert "S-17" in browser.get("/panel/directory/Devices").text
    assert "Serial number S-17" in browser.get(f"/panel/directory/Devices/{id}").text


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("9999-12-31T23:59:59-10:00", "9999-12-31T23:59:59-10:00"),
        ("2026-01-31T12:00:00", "31 January 2026, 12:00 UTC"),
        ("2026-01-31T12:00:00+02:00", "31 January 2026, 10:00 UTC"),
    ],
)
def test_times_at_the_edge_of_the_calendar_and_without_a_zone_are_shown(make_browser, sent, shown):
    urn = "urn:ietf:params:scim:schemas:extension:contoso:2.0:User"
    hired = {"name": "hired", "type": "dateTime"}
    browser = make_browser(schemas=[{"id": urn, "name": "Contoso", "extends": "User", "attributes": [hired]}])
    browser.sign_in()
    user = browser.create_user(userName="ada@example.com", **{urn: {"hired": sent}})
    for path in (f"{USERS}?choose=1&column=userName&column={urn}:hired", f"{USERS}/{user['id']}", f"{USERS}.csv"):
        page = browser.get(path)
        assert page.status == 200
        assert shown in page.text


def test_columns_of_the_same_label_are_all_in_the_csv(browser, people):
    browser.post("/panel/attributes", {"extraAttribute1": "User name", "extraAttribute3": "=1"})
    chosen = ("userName", BADGE, f"{IDMELON}:extraAttribute3")
    answer = browser.get(f"{USERS}.csv?q=ada&choose=1&" + "&".join(f"column={name}" for name in chosen))
    rows = list(csv.reader(io.StringIO(answer.html.removeprefix("\ufeff"))))
    first, second = "User name (userName)", f"User name ({BADGE})"
    assert rows == [[first, second, "'=1", "State"], ["ada@example.com", "B-1", "", "Active"]]


def test_attributes_with_names_that_differ_only_in_case_are_refused(browser):
    page = browser.post("/panel/attributes", {"extraAttribute1": "Badge", "extraAttribute2": "badge"})
    assert page.status == 400
    assert 'extraAttribute2 must not be "badge": another attribute has this name' in page.text
    assert "attribute_names" not in browser.config


def test_only_stored_resources_are_linked(make_browser):
    owner = {
        "name": "owner",
        "type": "complex",
        "subAttributes": [
            {"name": "value", "type": "string"},
            {"name": "$ref", "type": "reference", "referenceTypes": ["User"]},
            {"name": "displayName", "type": "string", "mutability": "readOnly"},
        ],
    }
    urn = "urn:ietf:params:scim:schemas:contoso:2.0:Device"
    browser = make_browser(schemas=[{"id": urn, "name": "Device", "endpoint": "/Devices", "attributes": [owner]}])
    browser.sign_in()
    ada = browser.create_user(userName="ada", displayName="Ada", **{ENTERPRISE: {"manager": {"value": "x/../y?"}}})
    body = {"schemas": [urn], "owner": {"value": ada["id"]}}
    device = browser.scim("POST", "/Devices", body).get_json(force=True)["id"]
    group = browser.create_group(displayName="G", members=[{"value": "x/../y?", "type": "User"}])
    assert f'href="{USERS}/{ada["id"]}"' in browser.get(f"/panel/directory/Devices/{device}").html
    for page in (browser.get(f"{USERS}/{ada['id']}"), browser.get(f"{GROUPS}/{group['id']}")):
        assert "x/../y?" in page.text
        assert not re.search('href="[^"]*y(%3F|[?])', page.html)
