"""An administrator's first day, in a real browser."""

import re

import pytest

from tests.support.urns import IDMELON, USER

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def ada():
    return {
        "schemas": [USER, IDMELON],
        "userName": "ada@example.com",
        "displayName": "Ada Lovelace",
        "active": True,
        IDMELON: {"extraAttribute1": "B-1843"},
    }


def go(page, *links):
    for link in links:
        with page.expect_event("load"):  # boxes are measured with the stylesheet only after it
            page.get_by_role("link", name=link, exact=True).first.click()


def test_the_first_day(open_page, service, faults):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])

    go(page, "Connection")
    switch = page.get_by_role("switch", name="Accept provisioning requests")
    assert switch.is_checked()
    switch.click()
    page.get_by_text("The connection is off.").wait_for()
    assert not switch.is_checked()
    assert service.send("GET", "/Users").status_code == 403
    switch.click()
    page.get_by_text("The connection is on.").wait_for()
    assert service.send("GET", "/Users").status_code == 200

    go(page, "New SCIM token")
    assert page.get_by_label("Replaces").input_value() == ""
    assert not page.get_by_label("in 1 day").is_visible()
    page.get_by_label("Replaces").select_option("entra")
    page.get_by_label("in 1 day").check()
    page.get_by_role("button", name="Create token").click()
    page.get_by_text("It will not be shown again.").wait_for()
    page.get_by_text("The old token “entra” stops working on").wait_for()
    page.get_by_role("button", name=re.compile("^Copy Secret Token")).click()
    page.get_by_text("Copied").wait_for()
    token = page.evaluate("navigator.clipboard.readText()")
    assert token.startswith("tscim_")
    go(page, "Done")
    page.go_back()  # to the form, ready for another token, not to the one that is shown once
    assert page.get_by_label("Name").input_value() == "entra-3"
    go(page, "Cancel")
    page.get_by_role("button", name="Copy Tenant URL for Entra").click()
    assert page.evaluate("navigator.clipboard.readText()") == service.scim

    created = service.send("POST", "/Users", ada(), token)
    assert created.status_code == 201
    assert service.send("POST", "/Users", ada(), token).status_code == 409
    change = {"op": "Replace", "path": "title", "value": "Countess"}
    body = {"schemas": [PATCH], "Operations": [change]}
    assert service.send("PATCH", f"/Users/{created.json()['id']}", body, token).status_code < 300
    assert service.send("GET", "/Users").status_code == 200  # the old token stays valid for a day
    go(page, "Overview")
    page.get_by_text("Other clients have called, but Entra has not.").wait_for()

    go(page, "Users", "Ada Lovelace")
    page.get_by_role("heading", name="Ada Lovelace").wait_for()
    page.get_by_text("B-1843").wait_for()

    go(page, "Log")
    page.get_by_role("cell", name="Title: (empty) → Countess").wait_for()
    page.get_by_role("row", name="failed").get_by_role("link").first.click()
    page.get_by_text("ada@example.com").first.wait_for()
    page.get_by_text("409").first.wait_for()

    go(page, "Connection", "Attributes")
    page.get_by_label("Name of extraAttribute1").fill("Badge number")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Names saved.").wait_for()
    go(page, "Users", "Ada Lovelace")
    page.get_by_text("Badge number").wait_for()
    go(page, "Users")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Badge number").check()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("cell", name="B-1843").wait_for()

    go(page, "Connection", "Test")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("The test passed").wait_for()
    go(page, "Credentials")
    switch.click()
    page.get_by_text("The connection is off.").wait_for()
    for _ in range(8):  # both workers
        assert service.send("GET", "/Users", token=token).status_code == 403

    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out.").wait_for()
    page.goto("/panel/directory/Users")
    page.get_by_label("Administrator password").wait_for()
    assert faults == []


PAGES = {
    "overview": "/panel/",
    "connection": "/panel/integrations/entra",
    "new token": "/panel/integrations/entra/tokens/new",
    "revoke": "/panel/integrations/entra/tokens/revoke?name=entra",
    "clients": "/panel/integrations/entra/clients",
    "new client": "/panel/integrations/entra/clients/new",
    "guide": "/panel/integrations/entra/guide",
    "test": "/panel/integrations/entra/test",
    "users": "/panel/directory/Users?q=a",
    "no users": "/panel/directory/Users?q=zzz",
    "groups": "/panel/directory/Groups",
    "log": "/panel/log",
    "nothing in the log": "/panel/log?person=zzz",
    "unknown attributes": "/panel/log/unknown",
    "deprovisioning": "/panel/deprovisioning",
    "attributes": "/panel/attributes",
    "missing": "/panel/nowhere",
}


@pytest.fixture
def people(service):
    """A group with a disabled user in it: the paths of the pages of both."""
    user = service.send("POST", "/Users", {**ada(), "active": False}).json()
    service.send("POST", "/Users", {**ada(), "shoeSize": 36})  # the name is taken
    unknown = {"schemas": [PATCH], "Operations": [{"op": "add", "value": {"hat": 1}}]}
    service.send("PATCH", f"/Users/{user['id']}", unknown)
    members = [{"value": user["id"]}]
    group = {"schemas": [USER.replace("User", "Group")], "displayName": "Analysts", "members": members}
    group = service.send("POST", "/Groups", group).json()
    return {
        "user": f"/panel/directory/Users/{user['id']}",
        "remove": f"/panel/directory/Users/{user['id']}/remove",
        "group": f"/panel/directory/Groups/{group['id']}",
    }


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_an_accessibility_fault(open_page, people, accessibility_faults, scheme):
    page = open_page(color_scheme=scheme)
    found = {}
    for name, path in {**PAGES, **people}.items():
        page.goto(path)
        for details in page.locator("details").all():
            details.evaluate("element => element.open = true")
        found[name] = accessibility_faults(page)
    for result in ("failure", "success"):
        page.goto(f"/panel/log?result={result}")
        page.locator("tbody a").last.click()
        found[f"entry of a {result}"] = accessibility_faults(page)
    page.goto("/panel/integrations/entra/tokens/new")
    page.get_by_role("button", name="Create token").click()
    found["token made"] = accessibility_faults(page)
    page.goto("/panel/integrations/entra/test")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("The test passed").wait_for()
    found["tested"] = accessibility_faults(page)
    page.get_by_role("button", name="Sign out").click()
    found["sign in"] = accessibility_faults(page)
    page.get_by_label("Administrator password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    found["refused"] = accessibility_faults(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_no_page_is_wider_than_a_phone(open_page, people, service):
    long = {"schemas": [USER], "userName": "w" * 60, "displayName": "W" * 60, "active": False}
    user = service.send("POST", "/Users", long).json()
    service.send("POST", "/Users", long)  # the name is taken
    group = {"schemas": [USER.replace("User", "Group")], "displayName": "G" * 60, "members": [{"value": user["id"]}]}
    group = service.send("POST", "/Groups", group).json()
    of_long = {
        "long user": f"/panel/directory/Users/{user['id']}",
        "long remove": f"/panel/directory/Users/{user['id']}/remove",
        "long group": f"/panel/directory/Groups/{group['id']}",
    }
    page = open_page(viewport={"width": 360, "height": 740})
    page.goto("/panel/log")
    for row in page.locator("tbody tr").filter(has_text=re.compile("w{60}|G{60}", re.IGNORECASE)).all():
        path = row.get_by_role("link").first.get_attribute("href")
        of_long[f"log entry {path}"] = path
    assert len(of_long) > 3
    too_wide = []
    hidden = """() => [...document.querySelectorAll(".scroll")].some(each => each.scrollWidth > each.clientWidth)"""
    for name, path in {**PAGES, **people, **of_long}.items():
        page.goto(path)
        for details in page.locator("details").all():
            details.evaluate("element => element.open = true")
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            too_wide.append(name)
        if page.evaluate(hidden):
            too_wide.append(f"a table of {name}")
    assert too_wide == []


def test_the_state_of_each_user_is_seen_however_long_the_names_are(open_page, service):
    long = {"schemas": [USER], "userName": f"{'w' * 90}@example.com", "displayName": "W" * 90, "active": False}
    service.send("POST", "/Users", {**long, "emails": [{"value": f"{'m' * 90}@example.com", "type": "work"}]})
    page = open_page()
    for width in (1024, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 740})
        go(page, "Users")
        box = page.get_by_text("Disabled", exact=True).last.bounding_box()
        assert box["x"] + box["width"] < width
        assert page.get_by_role("link", name="W" * 90).get_attribute("title") == "W" * 90
        assert page.locator(".scroll").evaluate("each => each.scrollWidth <= each.clientWidth")


def test_everything_works_without_javascript(open_page, service):
    page = open_page(java_script_enabled=False)
    go(page, "Connection", "New SCIM token")
    page.get_by_role("button", name="Create token").click()
    token = page.get_by_label('Secret Token "entra-2"').input_value()
    assert page.get_by_role("button", name="Copy Tenant URL").count() == 0
    assert service.send("POST", "/Users", ada(), token).status_code == 201
    go(page, "Users", "Ada Lovelace")
    assert page.get_by_role("heading", name="Ada Lovelace").count() == 1


def test_the_keyboard_is_enough_to_turn_the_connection_off(open_page, service):
    page = open_page()
    page.goto("/panel/integrations/entra")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.role") == "switch":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement)['boxShadow']")
    assert outline != "none"  # where the keyboard stands can be seen
    page.keyboard.press("Space")
    page.get_by_text("The connection is off.").wait_for()
    assert service.send("GET", "/Users").status_code == 403
