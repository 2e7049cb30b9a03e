"""The delivery to one webhook: order, retries, pauses, and what is kept across processes."""

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from tests.support.webhook_receiver import Reply


def fail(status=500, **headers):
    return lambda _: Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"sorry")


def test_events_are_delivered_in_order_over_one_connection(rig, numbers):
    rig.source.add(250)
    rig.run(300)
    assert rig.ids == numbers(1, 250)
    assert rig.receiver.events[0] == rig.source.events[0]
    assert rig.receiver.connections == 1


def test_a_new_webhook_gets_the_events_that_come_from_now_on(receiver, rig, numbers):
    rig.source.add(3)
    rig.run()
    rig.delivery.close()
    rig.progresses.remove("crm")
    rig.delivery = rig.new_delivery()
    rig.run()
    rig.source.add(2)
    rig.run()
    assert rig.ids == numbers(1, 5)


def test_only_the_types_of_the_webhook_are_sent(rig):
    rig.set(types=("group.created",))
    for type in ("user.created", "group.created", "user.deleted"):
        rig.source.add(type=type)
    rig.run()
    assert rig.ids == ["event-2"]
    assert rig.progress.cursor == "3"  # it does not look through them again


def test_other_types_take_effect_with_the_next_event(rig):
    rig.source.add(3)
    rig.run(1)
    rig.set(types=("group.created",))
    rig.run()
    assert rig.ids == ["event-1"]


def test_nothing_passes_an_event_that_failed(rig):
    rig.source.add(3)
    rig.receiver.reply = lambda request: Reply(500 if request.event["id"] == "event-2" else 204)
    rig.run()
    rig.wait(1)
    assert rig.ids == ["event-1", "event-2"]
    rig.receiver.reply = lambda _: Reply()
    rig.wait(5)
    assert rig.ids == ["event-1", "event-2", "event-2", "event-3"]
    assert rig.progress.failures == 0


def test_the_pauses_grow_and_after_the_last_one_the_webhook_is_paused(rig, caplog):
    rig.source.add()
    rig.receiver.reply = fail(503)
    rig.run()
    waits = []
    while not rig.progress.stopped:
        waits.append(rig.progress.next_attempt - rig.progress.attempts[0].time)
        rig.now = rig.progress.next_attempt - 1
        rig.run()
        rig.wait(2)
    assert len(rig.ids) == 4
    for wait, longest in zip(waits, (5, 30, 120), strict=True):
        assert 0.8 * longest <= wait <= longest
    assert 'webhook "crm" was paused: the answer is 503: sorry' in caplog.text
    rig.receiver.reply = fail(204)
    rig.wait(100_000)
    assert len(rig.ids) == 4


def test_a_webhook_that_was_paused_after_failures_goes_on_when_it_is_resumed(rig):
    rig.options = replace(rig.options, retries=())
    rig.source.add(2)
    rig.receiver.reply = fail()
    rig.run()
    assert rig.progress.stopped
    rig.receiver.reply = lambda _: Reply()
    rig.progresses.change("crm", lambda progress: progress.restarted())
    rig.run()
    assert rig.ids == ["event-1", "event-1", "event-2"]


def test_410_pauses_at_once(rig):
    rig.source.add()
    rig.receiver.reply = fail(410)
    rig.run()
    assert rig.progress.stopped
    assert rig.progress.attempts[0].problem.startswith("the answer is 410")


def in_an_hour(rig):
    return format_datetime(datetime.fromtimestamp(rig.now + 60, UTC), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "least", "most"),
    [("60", 60, 60), (in_an_hour, 58, 61), ("1", 4, 5), ("1000000", 140, 155), ("soon", 4, 5), ("-1", 4, 5)],
)
def test_retry_after_is_honoured_within_the_day(rig, status, value, least, most):
    rig.source.add()
    rig.receiver.reply = fail(status, Retry_After=value(rig) if callable(value) else value)
    rig.run()
    progress = rig.progress
    assert least <= progress.next_attempt - progress.failing_since <= most


def test_retry_after_with_another_status_is_ignored(rig):
    rig.source.add()
    rig.receiver.reply = fail(500, Retry_After="100")
    rig.run()
    assert rig.progress.next_attempt - rig.progress.failing_since <= 5


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_that_says_what_to_do(rig, status):
    rig.source.add()
    rig.receiver.reply = fail(status, Location="http://127.0.0.1:1/")
    rig.run()
    assert f"the answer is {status}, and redirects are not followed: enter the URL" in rig.progress.attempts[0].problem


def test_an_endpoint_that_is_dead_is_tried_again(rig):
    rig.source.add()
    rig.set(url="http://127.0.0.1:9/")
    rig.run()
    (attempt,) = rig.progress.attempts
    assert (attempt.status, attempt.problem) == (0, "could not connect: Connection refused")
    rig.set(url=rig.receiver.url)
    rig.wait(5)
    assert rig.ids == ["event-1"]


def test_a_paused_webhook_keeps_its_events(rig, numbers):
    rig.set(paused=True)
    rig.source.add(3)
    rig.run()
    assert rig.ids == []
    rig.set(paused=False)
    rig.run()
    assert rig.ids == numbers(1, 3)


def test_another_process_goes_on_where_the_first_one_was(rig, numbers):
    rig.source.add(5)
    rig.run()
    rig.delivery.close()
    rig.delivery = rig.new_delivery()
    rig.source.add(2)
    rig.run()
    assert rig.ids == numbers(1, 7)


def test_after_a_crash_the_last_second_comes_again_and_nothing_is_left_out(rig, numbers):
    rig.source.add(5)
    rig.run()
    assert rig.progress.cursor == "5"
    rig.source.add(5)
    rig.run()
    rig.delivery = rig.new_delivery()  # without close()
    rig.source.add(1)
    rig.run()
    assert rig.ids == numbers(1, 10) + numbers(6, 11)


def test_a_failure_is_remembered_by_the_next_process(rig):
    rig.source.add()
    rig.receiver.reply = fail()
    rig.run()
    rig.delivery = rig.new_delivery()
    rig.wait(1)
    assert len(rig.ids) == 1


def test_events_are_sent_again_from_a_cursor(rig, numbers):
    rig.source.add(5)
    rig.run()
    rig.progresses.change("crm", lambda progress: progress.restarted(cursor="2"))
    rig.run()
    assert rig.ids == numbers(1, 5) + numbers(3, 5)
    assert rig.progress.cursor == "5"


def test_sending_again_takes_effect_between_two_events(rig, numbers):
    rig.source.add(5)
    rig.run(2)
    rig.progresses.change("crm", lambda progress: progress.restarted(cursor="0"))
    rig.run()
    assert rig.ids == numbers(1, 2) + numbers(1, 5)


def test_events_that_were_removed_are_reported_and_the_oldest_follows(rig, numbers, caplog):
    rig.set(paused=True)
    rig.source.add(5)
    rig.run()
    rig.source.removed = 3
    rig.set(paused=False)
    rig.run()
    assert rig.ids == numbers(4, 5)
    assert rig.progress.lost
    assert 'webhook "crm": events were removed before they were delivered' in caplog.text


def test_after_changes_without_events_nothing_comes_a_second_time(rig, numbers):
    """The feed was off meanwhile: what it has from before that has been delivered."""
    rig.source.add(250)
    rig.run(300)
    rig.source.gap = 250
    rig.run()
    rig.source.gap = None
    rig.source.add()
    rig.run()
    assert rig.ids == numbers(1, 251)
    assert rig.progress.lost


def test_the_latest_attempts_are_kept(rig):
    rig.source.add(50)
    rig.run()
    attempts = rig.progress.attempts
    assert [one.id for one in attempts] == [f"event-{number}" for number in range(50, 30, -1)]
    assert {(one.status, one.succeeded) for one in attempts} == {(204, True)}


def test_secrets_in_an_answer_are_not_kept(rig, caplog):
    rig.source.add()
    rig.receiver.reply = lambda _: Reply(500, body=f"bad key {rig.secret}, password=hush\r\n{'x' * 5000}".encode())
    rig.run()
    problem = rig.progress.attempts[0].problem
    assert "bad key" in problem
    for text in (problem, caplog.text, rig.path.read_text()):
        assert rig.secret[6:] not in text
        assert "hush" not in text
    assert len(problem) < 300


def test_a_damaged_file_of_the_progress_counts_as_none(rig):
    rig.delivery.close()
    for text in ("", "[]", "{", '{"crm": 1}', '{"crm": {"attempts": [{"nope": 1}]}}', '{"crm": {"attempts": 1}}'):
        rig.path.write_text(text)
        rig.delivery = rig.new_delivery()
        rig.run()
        assert rig.progress.cursor == "0"


def test_a_removed_webhook_leaves_nothing_behind(rig):
    rig.source.add()
    rig.run()
    rig.progresses.remove("crm")
    rig.delivery.close()
    assert rig.progresses.get("crm").cursor is None
