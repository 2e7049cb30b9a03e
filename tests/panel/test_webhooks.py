"""The pages of the webhooks, and what the overview says of them."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.support.webhook_receiver import Reply, receiving
from webhooks import webhooks_of
from webhooks.progress import Attempt, Progresses

PAGE = "/panel/webhooks"
URL = "https://crm.example.com/hook"
NEW = {"name": "crm", "url": URL}
WHEN = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def receiver_of_module():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(receiver_of_module):
    receiver_of_module.reset()
    return receiver_of_module


@pytest.fixture
def made(browser):
    """The page that shows the secret of a new webhook."""
    return browser.post(f"{PAGE}/new", NEW)


@pytest.fixture
def progress(browser):
    """Change what is kept of the webhook's progress."""

    def change(*attempts, **changes):
        def changed(progress):
            for attempt in attempts:
                progress = progress.after(attempt)
            return replace(progress, **changes)

        service = browser.app.extensions["tinyscim"]
        Progresses(lambda: service.state("webhooks")).change("crm", changed)

    return change


def act(browser, action):
    return browser.follow(browser.post(f"{PAGE}/act", {"name": "crm", "action": action}, form=PAGE))


def test_the_menu_leads_to_the_webhooks(browser):
    assert f'href="{PAGE}"' in browser.get("/panel/").html
    assert "There are no webhooks." in browser.get(PAGE).text


def test_a_secret_is_shown_once(browser, made):
    secret = made.value("secret")
    assert secret == browser.config["webhooks"][0]["secrets"][0]["secret"]
    assert "It will not be shown again" in made.text
    page = browser.get(PAGE)
    assert secret not in page.html
    for text in ("crm", "Active", URL, "Events: all", "No event has been sent yet."):
        assert text in page.text


def test_types_are_chosen_from_a_list(browser):
    browser.post(f"{PAGE}/new", {**NEW, "types": ["user.created", "group.created"]})
    assert browser.config["webhooks"][0]["types"] == ["user.created", "group.created"]
    assert "Events: user.created, group.created" in browser.get(PAGE).text


def test_a_wrong_value_is_explained_and_what_was_typed_stays(browser, made):
    page = browser.post(f"{PAGE}/new", {"name": "erp", "url": "http://erp.example.com/", "types": ["user.created"]})
    assert page.status == 409
    assert "url must be an https URL" in page.text
    assert page.value("url") == "http://erp.example.com/"
    assert 'value="user.created" checked' in page.html
    assert browser.post(f"{PAGE}/new", NEW).status == 409
    assert len(browser.config["webhooks"]) == 1


def test_another_secret_is_shown_once_and_the_old_one_expires_as_chosen(browser, made):
    url = f"{PAGE}/rotate?name=crm"
    page = browser.post(url, {"overlap": "hour"})
    old, new = browser.config["webhooks"][0]["secrets"]
    assert (old["secret"], new["secret"]) == (made.value("secret"), page.value("secret"))
    assert (old["expires"] - new["created"]).total_seconds() == 3_600
    assert "signed with all of them" in page.text
    page = browser.post(url, {"overlap": "none"})
    assert [one["secret"] for one in browser.config["webhooks"][0]["secrets"]] == [page.value("secret")]
    assert browser.post(url, {"overlap": "year"}).status == 400


def test_a_webhook_is_paused_and_resumed(browser, made):
    assert "“crm” is paused." in act(browser, "pause").text
    assert browser.config["webhooks"][0]["paused"] is True
    assert "Paused" in browser.get(PAGE).text
    assert "continues with the event at which it stopped" in act(browser, "resume").text
    assert browser.config["webhooks"][0]["paused"] is False


def test_a_test_event_is_sent_at_once_and_the_answer_shown(browser, receiver):
    browser.post(f"{PAGE}/new", {**NEW, "url": receiver.url})
    assert "The test event was sent to “crm”: the answer is 204." in act(browser, "test").text
    receiver.reply = lambda _: Reply(500, body=b"<script>alert(1)</script>")
    page = act(browser, "test")
    assert "could not be delivered to “crm”: the answer is 500: <script>" in page.text
    assert "<script>alert" not in page.html
    assert [one["type"] for one in receiver.events] == ["webhook.test"] * 2


def test_a_private_address_is_reported(browser):
    browser.post(f"{PAGE}/new", {**NEW, "url": "https://169.254.169.254/"})
    assert "its address 169.254.169.254 is in a private network" in act(browser, "test").text


def test_the_latest_deliveries_are_listed_with_status_and_time(browser, made, progress):
    progress(*(Attempt(f"event-{n}", "user.created", WHEN + 60 * n, 204) for n in range(7)))
    page = browser.get(PAGE)
    assert "31 January 2026, 12:06 UTC" in page.text
    assert page.html.count("event-") == 7
    assert "Earlier deliveries" in page.text


def test_a_failing_webhook_says_since_when_and_until_when(browser, made, progress):
    progress(Attempt("e", "user.created", WHEN, 503, "busy"), failures=1, failing_since=WHEN, next_attempt=WHEN + 60)
    page = browser.get(PAGE)
    assert "Failing since 31 January 2026, 12:00 UTC ." in page.text
    assert "The next attempt is on 31 January 2026, 12:01 UTC ." in page.text
    assert "busy" in page.text
    assert "was paused" not in browser.get("/panel/").text


def test_the_overview_warns_of_a_webhook_that_was_paused_after_failures(browser, made, progress):
    stopped = {"failures": 9, "failing_since": WHEN, "stopped": WHEN + 86_400}
    progress(Attempt("e", "user.created", WHEN, 503, "the answer is 503"), **stopped)
    page = browser.get("/panel/")
    assert "The webhook “crm” was paused" in page.text
    assert "Its events could not be delivered: the answer is 503. Repair the application" in page.text
    assert "after 9 failed attempts since 31 January 2026, 12:00 UTC" in browser.get(PAGE).text
    act(browser, "resume")
    assert "The webhook “crm” was paused" not in browser.get("/panel/").text
    assert "Paused after failures" not in browser.get(PAGE).text


def test_lost_events_are_reported_until_the_webhook_is_resumed_or_sent_to_again(browser, made, progress):
    progress(Attempt("e", "user.created", WHEN, 204), lost=WHEN)
    assert "events were removed from the feed before they were delivered" in browser.get(PAGE).text
    act(browser, "resume")
    assert "removed from the feed" not in browser.get(PAGE).text


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({}, "Enter either a time or an event."),
        ({"since": "2h", "event": "x"}, "Enter either a time or an event."),
        ({"since": "yesterday"}, "“yesterday” is not a date."),
        ({"event": "nothing"}, "The feed has no such event."),
    ],
)
def test_sending_again_from_nowhere_is_explained(browser, made, form, words):
    page = browser.post(f"{PAGE}/again?name=crm", form)
    assert page.status == 409
    assert words in page.text


@pytest.fixture
def following(make_browser, receiver):
    """A browser of a service whose changes become events, with a webhook, and its delivery."""
    browser = make_browser(events={"enabled": True})
    browser.sign_in()
    browser.post(f"{PAGE}/new", {**NEW, "url": receiver.url})
    webhooks = webhooks_of(browser.app)
    webhooks.start()
    wait_for(lambda: webhooks.progress("crm").cursor is not None)
    yield browser
    webhooks.stop()


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_events_are_sent_again_from_a_time_or_an_event_on(following, receiver):
    for name in ("ada", "bob", "cleo"):
        following.create_user(userName=name)
    receiver.wait(3)
    names = [one["data"]["userName"] for one in receiver.events]
    assert names == ["ada", "bob", "cleo"]
    page = following.follow(following.post(f"{PAGE}/again?name=crm", {"event": receiver.events[1]["id"]}))
    assert "“crm” gets the events again." in page.text
    receiver.wait(5)
    assert following.post(f"{PAGE}/again?name=crm", {"since": "1h"}).status == 302
    receiver.wait(8)
    again = [one["data"]["userName"] for one in receiver.events[3:]]
    assert again == ["bob", "cleo", "ada", "bob", "cleo"]
    assert len({one["id"] for one in receiver.events}) == 3
    wait_for(lambda: "user.created" in following.get(PAGE).text)
    assert "The event feed is off" not in following.get(PAGE).text


def test_without_the_event_feed_the_page_says_that_nothing_is_sent(browser, made):
    assert "The event feed is off, so nothing is sent." in browser.get(PAGE).text
    assert "Warning: the event feed is off, so nothing is sent." in browser.command("webhook", "list").stderr


def test_a_removed_webhook_is_gone_with_its_progress(browser, made, progress):
    progress(Attempt("e", "user.created", WHEN, 204))
    assert "Remove the webhook “crm”?" in browser.get(f"{PAGE}/remove?name=crm").text
    page = browser.follow(browser.post(f"{PAGE}/remove?name=crm"))
    assert "Webhook “crm” removed." in page.text
    assert "webhooks" not in browser.config
    browser.post(f"{PAGE}/new", NEW)
    assert "No event has been sent yet." in browser.get(PAGE).text


def test_wrong_requests_are_refused(browser, made):
    for path in ("rotate", "again", "remove"):
        assert browser.get(f"{PAGE}/{path}?name=erp").status == 404
    assert browser.post(f"{PAGE}/act", {"name": "crm", "action": "eat"}, form=PAGE).status == 400
    assert browser.get(f"{PAGE}/act").status == 302


@pytest.mark.parametrize("path", ["", "/new", "/rotate", "/again", "/act", "/remove"])
def test_the_pages_need_a_session(anonymous, path):
    assert anonymous.get(PAGE + path).status == 302


@pytest.mark.parametrize("path", ["new", "rotate", "again", "act", "remove"])
def test_a_form_of_another_site_changes_nothing(browser, made, path):
    before = browser.path.read_text()
    form = {"name": "crm", "url": URL, "action": "pause", "overlap": "none", "since": "2h"}
    assert browser.client.post(f"{PAGE}/{path}", data=form).status_code == 400
    assert browser.path.read_text() == before
