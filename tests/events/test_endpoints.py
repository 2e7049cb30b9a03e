"""/api/events and /api/snapshot: parameters, tokens, waiting, and what is said about errors."""

import threading
import time

import pytest

from scim.web import waiting
from storage.base import NOTHING
from storage.tinydb_store import TinyDBStore
from tests.support.events import Reader, rebuilt
from tests.support.storage import KEPT
from tests.support.urns import GROUP, USER


def create(reader, name):
    return reader.entra.post("/Users", {"schemas": [USER], "userName": name}).body["id"]


def error_of(answer):
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status, answer.body["error"]


def test_without_a_cursor_the_oldest_event_comes_first(reader):
    ids = [create(reader, f"user{number}") for number in range(3)]
    first, second, third = reader.get().body["events"]
    assert [first["data"]["id"], second["data"]["id"], third["data"]["id"]] == ids
    assert reader.get(after=first["cursor"], limit=1).body == {"events": [second], "cursor": second["cursor"]}


def test_an_empty_page_has_the_cursor_that_was_sent(reader):
    create(reader, "ann")
    cursor = reader.get().body["cursor"]
    assert reader.get(after=cursor).body == {"events": [], "cursor": cursor}


def test_an_empty_directory_has_a_cursor(reader):
    cursor = reader.get().body["cursor"]
    ann = create(reader, "ann")
    assert [event["data"]["id"] for event in reader.get(after=cursor).body["events"]] == [ann]


def test_only_some_types(reader):
    ann = create(reader, "ann")
    reader.entra.post("/Groups", {"schemas": [GROUP], "displayName": "G", "members": [{"value": ann}]})
    answer = reader.get(types="group.created,user.created").body
    assert [event["type"] for event in answer["events"]] == ["user.created", "group.created"]
    assert reader.get(after=answer["cursor"], types="user.created").body["events"] == []


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"after": "nonsense"}, "invalid_cursor"),
        ({"after": ".x--5"}, "invalid_cursor"),
        ({"after": "1-2-00000000.x-y"}, "invalid_cursor"),
        ({"after": "\ud800".encode("utf-8", "surrogatepass")}, "invalid_cursor"),
        ({"limit": 0}, "invalid_request"),
        ({"limit": 1001}, "invalid_request"),
        ({"limit": "²"}, "invalid_request"),
        ({"limit": "9" * 5000}, "invalid_request"),
        ({"wait": 31}, "invalid_request"),
        ({"wait": -1}, "invalid_request"),
        ({"types": "user.created,user.eaten"}, "unknown_type"),
    ],
)
def test_a_wrong_parameter_is_400(reader, parameters, error):
    assert error_of(reader.get(**parameters)) == (400, error)


def test_a_cursor_that_is_too_old_is_410_with_advice(tmp_path):
    reader = Reader(store=TinyDBStore(tmp_path / "data.json", durability="os", retention=NOTHING))
    create(reader, "ann")
    cursor = reader.get().body["events"][0]["cursor"]
    create(reader, "bob")
    reader.app.extensions["tinyscim"].store.compact()
    answer = reader.get(after=cursor)
    assert error_of(answer) == (410, "expired")
    assert "Get /api/snapshot" in answer.body["detail"]
    *_, last = reader.snapshot()
    assert reader.get(after=last["cursor"]).body["events"] == []


def test_the_cursor_of_a_reader_that_keeps_up_does_not_expire_while_nothing_changes(tmp_path):
    store = TinyDBStore(tmp_path / "data.json", durability="os", retention=KEPT)
    reader = Reader(store=store)
    create(reader, "ann")
    assert reader.types() == ["user.created"]
    store.compact()  # as it happens every day
    assert reader.new() == []
    for file in tmp_path.glob("data.json.log.*"):  # as it happens after the days that events are kept
        file.unlink()
    assert reader.new() == []


def test_a_token_that_may_write_gets_no_events_and_one_for_events_no_scim(reader):
    answer = reader.get(headers={"Authorization": f"Bearer {reader.entra.token}"})
    assert error_of(answer) == (403, "forbidden")
    assert "flask token new --scope events" in answer.body["detail"]
    mine = {"Authorization": f"Bearer {reader.token}"}
    for method, path in [("GET", "/Users"), ("GET", "/Schemas"), ("POST", "/Users"), ("POST", "/.search")]:
        assert reader.entra.request(method, path, headers=mine).status == 403


def test_a_token_that_only_reads_gets_events():
    assert Reader(scope="read-only").get().status == 200


@pytest.mark.parametrize("path", ["/api/events", "/api/snapshot"])
def test_an_unknown_token_is_401(reader, path):
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = reader.get(path, headers=headers)
        assert error_of(answer) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/api/events", "/api/snapshot"])
def test_the_feed_is_off_by_default(path):
    reader = Reader(events={})
    create(reader, "ann")
    answer = reader.get(path)
    assert error_of(answer) == (404, "off")
    assert "enabled = true under [events]" in answer.body["detail"]


def test_events_are_the_same_under_any_base_path():
    reader = Reader(server={"base_path": "/scim", "public_url": "https://scim.example.com"})
    reader.entra.base_path = "/scim"
    ann = create(reader, "ann")
    (event,) = reader.new()
    assert event["data"]["meta"]["location"] == f"https://scim.example.com/scim/Users/{ann}"


def test_a_snapshot_leads_to_what_the_events_lead_to(reader):
    ids = [create(reader, f"user{number}") for number in range(5)]
    for number in range(3):
        members = [{"value": id} for id in ids[number:]]
        reader.entra.post("/Groups", {"schemas": [GROUP], "displayName": f"G{number}", "members": members})
    reader.entra.patch_op(f"/Users/{ids[0]}", {"op": "Replace", "path": "active", "value": "False"})
    reader.entra.delete(f"/Users/{ids[4]}")
    *lines, last = reader.snapshot()
    assert rebuilt(lines) == rebuilt(reader.new())
    assert last["cursor"] == reader.cursor
    assert lines[0]["resource"] == {"type": "User", "id": ids[0], "userName": "user0"}


def test_a_snapshot_is_of_one_moment(tmp_path):
    reader = Reader(store=TinyDBStore(tmp_path / "data.json", durability="os"))
    for number in range(500):
        create(reader, f"user{number}")
    service = reader.app.extensions["tinyscim"]
    with service.store.reading() as view:
        lines = service.feed.snapshot(view, service.resources("").resource_url)
        begun = [next(lines)]
        ann = create(reader, "ann")
        *rest, last = lines
    assert len(begun + rest) == 500
    assert [event["data"]["id"] for event in reader.get(after=last["cursor"]).body["events"]] == [ann]


def test_few_snapshots_are_sent_at_a_time(reader):
    headers = {"Authorization": f"Bearer {reader.token}"}
    open_ones = [reader.app.test_client().get("/api/snapshot", headers=headers) for _ in range(2)]
    refused = reader.get("/api/snapshot")
    assert error_of(refused) == (429, "busy")
    assert refused.headers["Retry-After"] == "60"
    for response in open_ones:
        response.close()
    assert reader.get("/api/snapshot").status == 200


def wait_in_thread(reader, **parameters):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(reader.get(**parameters)))
    thread.start()
    return thread, answers


def test_a_request_waits_for_the_next_event(reader):
    cursor = reader.get().body["cursor"]
    thread, answers = wait_in_thread(reader, after=cursor, wait=20)
    time.sleep(0.2)
    assert not answers
    ann = create(reader, "ann")
    thread.join(10)
    assert [event["data"]["id"] for event in answers[0].body["events"]] == [ann]


def test_a_request_waits_for_an_event_of_its_types(reader):
    cursor = reader.get().body["cursor"]
    thread, answers = wait_in_thread(reader, after=cursor, wait=20, types="group.created")
    create(reader, "ann")
    time.sleep(0.2)
    assert not answers
    reader.entra.post("/Groups", {"schemas": [GROUP], "displayName": "G"})
    thread.join(10)
    assert [event["type"] for event in answers[0].body["events"]] == ["group.created"]


def test_a_request_does_not_wait_longer_than_it_asked_for(reader):
    cursor = reader.get().body["cursor"]
    assert reader.get(after=cursor, wait=1).body == {"events": [], "cursor": cursor}


def test_a_worker_that_ends_does_not_wait(reader):
    cursor = reader.get().body["cursor"]
    reader.app.extensions["tinyscim.waiters"].is_ending = lambda: True
    assert reader.get(after=cursor, wait=30).body["events"] == []


def test_few_requests_wait_at_a_time(reader, monkeypatch):
    monkeypatch.setattr(waiting, "MOST", 1)
    reader = Reader()
    cursor = reader.get().body["cursor"]
    thread, answers = wait_in_thread(reader, after=cursor, wait=20)
    while (refused := reader.get(after=cursor, wait=1)).status == 200:
        pass
    assert error_of(refused) == (429, "busy")
    assert refused.headers["Retry-After"] == "5"
    create(reader, "ann")
    thread.join(10)
    assert len(answers[0].body["events"]) == 1
