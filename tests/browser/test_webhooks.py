"""A webhook, created in the browser, tested and removed."""

import pytest

from tests.support.webhook_receiver import Reply, receiving

PAGE = "/panel/webhooks"


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_a_webhook_is_created_tested_and_removed(open_page, receiver, accessibility_faults, faults, scheme):
    page = open_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    found = {}

    def look(name):
        found[name] = accessibility_faults(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name

    page.goto(PAGE)
    look("no webhooks")
    page.get_by_role("link", name="New webhook").click()
    page.get_by_label("Name").fill("CRM")
    page.get_by_label("URL").fill(receiver.url)
    look("new webhook")
    page.get_by_role("button", name="Create webhook").click()
    assert page.get_by_label("Secret of CRM").input_value().startswith("whsec_")
    look("secret")
    page.get_by_role("link", name="Done").click()
    page.get_by_role("button", name="Send a test event").click()
    page.get_by_text("The test event was sent to “CRM”: the answer is 204.").wait_for()
    assert receiver.events[0]["type"] == "webhook.test"
    receiver.reply = lambda _: Reply(503)
    page.get_by_role("button", name="Send a test event").click()
    page.get_by_text("could not be delivered to “CRM”: the answer is 503.").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("“CRM” is paused.").wait_for()
    look("webhooks")
    for link in ("Send again from…", "New secret", "Remove"):
        page.goto(PAGE)
        page.get_by_role("link", name=link).click()
        look(link)
    page.get_by_role("button", name="Remove webhook").click()
    page.get_by_text("There are no webhooks.").wait_for()
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert faults == []
