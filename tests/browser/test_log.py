"""The provisioning log in a real browser: times, folding, the members of a group, and copying as curl."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_service import Running, running
from tests.support.urns import GROUP, PATCH_OP, USER


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service in which Ann and Bob joined a group, and a third user's name was taken."""
    folder: Path = tmp_path_factory.mktemp("log")
    with running(folder) as started:
        ids = [started.send("POST", "/Users", user(name)).json()["id"] for name in ("ann", "bob")]
        group = started.send("POST", "/Groups", {"schemas": [GROUP], "displayName": "Cooks"}).json()["id"]
        for id in ids:
            add = {"op": "Add", "path": "members", "value": [{"value": id}]}
            started.send("PATCH", f"/Groups/{group}", {"schemas": [PATCH_OP], "Operations": [add]})
        started.send("POST", "/Users", user("ann"))
        yield started


def user(name: str) -> dict[str, Any]:
    return {"schemas": [USER], "userName": name, "displayName": name.title()}


def show(page: Any, query: str = "") -> Any:
    page.goto(f"/panel/log{query}")
    return page


def test_times_are_in_the_readers_zone_with_utc_on_hover(open_page, faults):
    page = show(open_page(timezone_id="Asia/Tehran"))
    time = page.locator("tbody th time[data-local=row]").first
    hour, minute = map(int, re.search(r" (\d\d):(\d\d):\d\d UTC$", time.get_attribute("title")).groups())
    shifted = (hour * 60 + minute + 210) % 1440
    assert f"{shifted // 60:02}:{shifted % 60:02}:" in time.inner_text()
    assert "Times are in your time zone, Asia/Tehran." in page.locator("caption").inner_text()
    assert faults == []


def test_times_on_other_pages_are_in_the_readers_zone_too(open_page, faults):
    page = open_page(timezone_id="Asia/Tehran")
    page.goto("/panel/integrations/entra")
    created = page.locator("td[data-label=Created] time").first
    hour, minute = map(int, re.search(r", (\d\d):(\d\d) UTC$", created.get_attribute("title")).groups())
    shifted = (hour * 60 + minute + 210) % 1440
    assert re.search(rf" at {shifted // 60:02}:{shifted % 60:02} GMT\+3:30$", created.inner_text())
    page.goto("/panel/")
    bar = page.locator(".chart a").first
    assert "GMT+3:30: 3 created" in bar.get_attribute("aria-label")
    assert "GMT+3:30: 3 created" in bar.locator("title").text_content()
    page.goto("/panel/directory/Users")
    page.get_by_role("link", name="Ann").click()
    assert "GMT+3:30" in page.locator("dt", has_text="Created").locator("+ dd").inner_text()
    assert faults == []


def test_without_javascript_times_are_in_utc(open_page):
    page = show(open_page(java_script_enabled=False, timezone_id="Asia/Tehran"))
    time = page.locator("tbody th time[data-local=row]").first
    assert time.get_attribute("title").split()[1] in time.inner_text()
    assert "Times are in UTC." in page.locator("caption").inner_text()
    page.get_by_text("2 members joined Cooks").click()
    assert page.get_by_role("link", name="Bob", exact=True).is_visible()


def test_dates_in_the_filter_are_those_of_the_reader(open_page):
    page = show(open_page(timezone_id="Asia/Tehran"), "?since=2026-01-31T12:00")
    since = page.get_by_label("From", exact=True)
    assert since.input_value() == "2026-01-31T15:30"
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**since=2026-01-31T12%3A00**")
    assert since.input_value() == "2026-01-31T15:30"


def test_the_filter_is_one_line_on_a_desktop(open_page):
    page = show(open_page(viewport={"width": 1280, "height": 800}))
    fields = page.locator(".filter form > label, .filter form > button").all()
    bottoms = {round(field.bounding_box()["y"] + field.bounding_box()["height"]) for field in fields}
    assert len(fields) == 5
    assert max(bottoms) - min(bottoms) < 8
    assert not page.get_by_text("Filter", exact=True).is_visible()


def test_the_filter_is_folded_on_a_phone(open_page):
    page = show(open_page(viewport={"width": 390, "height": 800}))
    assert not page.get_by_label("User or group").is_visible()
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("User or group").fill("bob")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="All 2").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_failure_and_its_conflict_are_found_by_clicks(open_page):
    page = show(open_page())
    page.get_by_role("link", name="Failures 1").click()
    page.locator("tr.failure").get_by_role("link").first.click()
    page.get_by_text("Conflicts with").get_by_role("link", name="Ann").click()
    page.get_by_role("heading", name="Ann", exact=True).wait_for()


def test_a_request_is_copied_as_curl(open_page, service):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    show(page, "?action=failed").locator("tr.failure").get_by_role("link").first.click()
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_text("Copied").wait_for()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command.startswith(f"curl -X POST {service.scim}/Users")
    assert '"userName": "ann"' in command
    assert service.token not in command


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), pytest.param("dark", 1280, marks=pytest.mark.long)])
def test_the_pages_have_no_accessibility_faults(open_page, accessibility_faults, scheme, width):
    page = show(open_page(color_scheme=scheme, viewport={"width": width, "height": 800}))
    for details in page.locator("details").all():
        details.evaluate("element => element.open = true")
    found = {"list": accessibility_faults(page)}
    page.locator("tr.failure").get_by_role("link").first.click()
    found["entry"] = accessibility_faults(page)
    assert found == {"list": [], "entry": []}
