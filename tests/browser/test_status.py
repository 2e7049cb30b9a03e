"""Each status of the overview, made by real requests."""

import re

import pytest

from tests.support.past import move_to_past
from tests.support.urns import USER

ADA = {"schemas": [USER], "userName": "ada@example.com", "displayName": "Ada Lovelace"}


def reload_until(page, wanted):
    """Open the overview again until it has an element: workers learn of each other's requests within 5 seconds."""
    for _ in range(30):
        page.goto("/panel/")
        if wanted.count():
            return
        page.wait_for_timeout(500)
    wanted.wait_for()


@pytest.fixture
def shows(open_page, faults, accessibility_faults):
    """Assert that the overview shows a status, and return its text."""
    page = open_page()

    def show(label, tone):
        # The tone, too, may follow when a worker has read the other's counts.
        section = page.locator(f"section.status.{tone}")
        reload_until(page, section.get_by_role("heading", name=label, exact=True))
        assert accessibility_faults(page) == []
        assert faults == []
        return section.inner_text()

    show.page = page
    return show


def create_token(page, name):
    page.goto("/panel/integrations/entra/tokens/new")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create token").click()
    return page.get_by_label(f'Secret Token "{name}"').input_value()


@pytest.mark.long
def test_each_status_follows_from_the_requests(shows, service, tmp_path):
    page = shows.page
    assert service.send("GET", "/Users", token="guess").status_code == 401  # a stranger
    assert service.send("POST", "/Users", ADA).status_code == 201  # another client
    shows("Waiting for the first request", "caution")
    page.get_by_role("link", name="Open the setup guide").wait_for()

    assert service.probe() == 200
    assert service.entra("GET", "/Groups").status_code == 200
    shows("Connected", "good")

    assert service.entra("POST", "/Users", ADA).status_code == 409
    assert "requests failed in the last cycle" in shows("Failing", "caution")
    page.get_by_text("make userName a matching attribute").wait_for()

    second = create_token(page, "second")
    page.goto("/panel/integrations/entra/tokens/revoke?name=entra")
    page.get_by_role("button", name="Revoke token").click()
    page.get_by_text("It no longer works.").wait_for()
    assert [service.probe() for _ in range(3)] == [401, 401, 401]
    reload_until(page, page.get_by_text("3 times so far"))
    text = shows("Refused", "bad")
    assert re.search(r"rejected \(401\) since .+: the token “entra” was revoked on .+ UTC", text)

    assert service.probe(second) == 200
    shows("Connected", "good")

    page.goto("/panel/integrations/entra")
    page.get_by_role("switch").click()
    assert service.probe(second) == 403
    shows("Off", "neutral")
    page.goto("/panel/integrations/entra")
    page.get_by_role("switch").click()

    page.wait_for_timeout(6_000)  # both workers write their counts every 5 seconds
    move_to_past(tmp_path / "data" / "tinyscim.counts.json", 3 * 3600)
    assert "The last request came 3 hours ago." in shows("Silent", "bad")

    assert service.probe("tscim_never-existed") == 401
    assert "their token is unknown" in shows("Refused", "bad")


def test_the_overview_is_kept_up_to_date_without_a_click(open_page, service):
    page = open_page()
    page.clock.install()
    page.goto("/panel/")
    page.get_by_role("heading", name="Waiting for the first request").wait_for()
    for _ in range(2):
        assert service.probe() == 200
    page.clock.fast_forward(61_000)
    page.get_by_role("heading", name="Connected").wait_for()


def test_a_bar_of_the_chart_leads_to_its_entries(open_page, service):
    service.probe()
    service.entra("POST", "/Users", ADA)
    page = open_page(java_script_enabled=False)
    bar = page.locator("svg.chart").get_by_role("link", name=re.compile("1 created"))
    reload_until(page, bar)
    bar.click()
    page.get_by_text("Ada Lovelace").first.wait_for()
    assert "since=" in page.url
