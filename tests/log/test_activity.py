"""Counts of requests and changes, which are kept longer than the log's entries."""

import multiprocessing
import time
from itertools import pairwise
from uuid import uuid4

import orjson
import pytest

from app import create_app
from config.tokens import new_test_name, new_token
from provisioning_log import activity_of
from provisioning_log.activity import CYCLE_GAP, HOUR, SPANS, Activity, Caller, read_activity
from provisioning_log.shared_activity import SharedActivity
from scim.directory.events import Event
from storage.memory import MemoryStore
from storage.state import FileState

ENTRA = {"User-Agent": ""}  # it may send none
NOW = 1_800_000_000.0


@pytest.fixture
def activity(logged):
    return lambda: activity_of(logged.app).read()


def probe(scim, headers=ENTRA):
    return scim.get(f'/Users?filter=userName+eq+"{uuid4()}"', headers=headers)


def total(found):
    return sum((bucket.counts for bucket in found.buckets("24h")), start=type(found.counts)())


def event(moment=NOW, status=200, token="entra", **given):
    return Event("GET", "/Users", status, time=moment, token=token, **given)


def filled(*events):
    found = Activity()
    for one in events:
        found.add(one)
    return found


def test_each_kind_of_change_is_counted(logged, activity):
    scim = logged.scim
    ann = scim.create_user(displayName="Ann")
    group = scim.create_group()
    for path, value in (("title", "Cook"), ("title", "Cook"), ("active", "False"), ("active", "True")):
        scim.patch_op(f"/Users/{ann['id']}", {"op": "Replace", "path": path, "value": value})
    scim.patch_op(f"/Groups/{group['id']}", {"op": "Add", "path": "members", "value": [{"value": ann["id"]}]})
    scim.request("DELETE", f"/Users/{ann['id']}")
    scim.get(f"/Users/{ann['id']}")
    assert total(activity()) == {
        **{"created": 2, "updated": 2, "disabled": 1, "enabled": 1, "deleted": 1},
        **{"failed": 1, "requests": 9},
    }


def test_a_bulk_request_is_one_request_with_several_changes(logged, activity):
    create = {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "ann"}}
    broken = {"method": "POST", "path": "/Users", "bulkId": "b", "data": {}}
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [create, broken]}
    assert logged.scim.post("/Bulk", message).status == 200
    assert total(activity()) == {"requests": 1, "created": 1, "failed": 1}


def test_a_client_that_sends_the_probe_is_entra_from_then_on(logged, activity):
    logged.scim.get("/Users", headers=ENTRA)
    assert activity().last_request == 0
    assert probe(logged.scim).status == 200
    logged.scim.get("/Users", headers=ENTRA)
    found = activity()
    assert time.time() - found.last_request < 60
    assert found.entra_cycles[-1].counts["requests"] == 3


@pytest.mark.parametrize("agent", ["curl/8.5.0", "PostmanRuntime/7", "Mozilla/5.0 (X11)"])
def test_tools_are_never_taken_for_entra(logged, activity, agent):
    probe(logged.scim, {"User-Agent": agent})
    assert activity().last_request == 0
    probe(logged.scim)
    logged.scim.create_user()  # by the test's client, with Entra's token
    assert activity().entra_cycles[-1].counts == {"requests": 1}


def test_a_script_counts_as_entra_only_if_it_sends_the_probe_itself(logged, activity):
    probe(logged.scim)
    last = activity().last_request
    script = {"User-Agent": "python-httpx/0.28"}
    logged.scim.get("/Users", headers=script)  # with Entra's token
    assert activity().last_request == last
    probe(logged.scim, script)
    assert activity().last_request > last


@pytest.mark.parametrize("filter", ['externalId eq "{}"', 'userName eq "{}x"', 'userName eq "ann"', 'id eq "{}"'])
def test_other_searches_are_not_entras_probe(logged, activity, filter):
    text = filter.format(uuid4())
    logged.scim.query("/Users", filter=text)
    logged.scim.get(f"/Users?filter={text.replace(' ', '+')}", headers=ENTRA)
    assert activity().last_request == 0


@pytest.mark.parametrize("filter", ['emails[type eq "work"].value eq "{}"', 'DISPLAYNAME EQ "{}"'])
def test_the_probe_may_have_any_matching_attribute(logged, activity, filter):
    logged.scim.get(f"/Users?filter={filter.format(uuid4()).replace(' ', '+')}", headers=ENTRA)
    assert activity().last_request > 0


def test_rejected_requests_are_counted_by_token_until_entra_is_accepted(make_logged):
    logged = make_logged()
    found = lambda: activity_of(logged.app).read()  # noqa: E731
    wrong = {**ENTRA, "Authorization": "Bearer wrong"}
    for _ in range(3):
        assert probe(logged.scim, wrong).status == 401
    logged.scim.get("/Users", headers=wrong)
    rejected = found().rejections
    assert [(one.reason, one.via, one.count) for one in rejected] == [
        ("unknown", "probe", 3),
        ("unknown", "stranger", 1),
    ]
    assert [one.via for one in found().entra_rejections()] == ["probe"]
    assert rejected[0].first < rejected[0].last
    assert total(found()) == {"rejected": 4}
    probe(logged.scim)
    assert found().rejections == []


def test_an_expired_token_is_named(logged, activity):
    table = logged.app.extensions["tinyscim"].live_config.current.tokens[0]
    logged.scim.get("/Users", headers={"Authorization": None})
    object.__setattr__(table, "expires", table.created)
    assert logged.scim.get("/Users").status == 401
    assert [(one.reason, one.token) for one in activity().rejections] == [("missing", ""), ("expired", "entra")]
    missing, expired = logged.entries()
    assert missing.reason == "The request had no token."
    assert (expired.by, expired.reason) == ("entra", 'The token "entra" has expired.')


def test_a_pause_ends_a_cycle():
    found = filled(event(), event(NOW + 60), event(NOW + 60 + CYCLE_GAP), event(NOW + 61 + CYCLE_GAP, token="okta"))
    assert [(cycle.client.token, cycle.counts["requests"]) for cycle in found.cycles] == [
        *[("entra", 2), ("entra", 1), ("okta", 1)]
    ]
    assert found.cycle_at("entra", NOW + 30).start == NOW
    assert found.cycle_at("entra", NOW + 200) is None


def test_cycles_that_workers_count_together_are_one():
    found = filled(event(NOW + 5, is_probe=True), event(NOW + 9))
    found.merge(filled(event(NOW), event(NOW + 12, status=500)))
    assert [(cycle.start, cycle.end, cycle.counts) for cycle in found.entra_cycles] == [
        (NOW, NOW + 12, {"requests": 4, "failed": 1})
    ]


@pytest.mark.parametrize("span", SPANS)
def test_buckets_end_with_the_current_hour_and_hold_every_count(span):
    number, hours = SPANS[span]
    found = filled(*(event(NOW - age * HOUR) for age in range(40 * 24)))
    buckets = found.buckets(span, NOW)
    assert len(buckets) == number
    assert buckets[-1].start <= NOW < buckets[-1].end
    assert all(after.start == before.end for before, after in pairwise(buckets))
    assert {bucket.counts["requests"] for bucket in buckets[:-1]} == {hours}


def test_old_counts_are_dropped_and_the_size_is_bounded():
    found = Activity()
    for hour in range(0, 60 * 24, 6):
        created = [event(NOW + (hour + step) * HOUR, status=500, token=f"t{step}") for step in range(6)]
        found.merge(filled(*created))
    assert len({hour for hour, _, _ in found.counts}) <= 32 * 24
    assert len(found.cycles) == 500
    assert len(orjson.dumps(found.to_json())) < 250_000


def test_counts_survive_a_restart(tmp_path):
    path = tmp_path / "data" / "counts.json"
    before = SharedActivity(lambda: FileState(path))
    before.observe(event(is_probe=True))
    before.observe(event(status=401, token="", rejection=("revoked", "old")))
    before.flush()
    assert SharedActivity(lambda: FileState(path)).read() == before.read()
    assert path.stat().st_mode & 0o777 == 0o600


DAMAGED = (
    b"",
    b"[]",
    b"{",
    b'{"counts":[[1]]}',
    b'{"counts":[],"cycles":7}',
    b"\xff",
    b'{"counts":[[1e999,"","","",1]]}',
)


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_counts_as_empty_and_is_replaced(tmp_path, content):
    path = tmp_path / "counts.json"
    path.write_bytes(content)
    counted = SharedActivity(lambda: FileState(path))
    counted.observe(event())
    assert counted.read().counts.total() == 1
    counted.flush()
    assert read_activity(orjson.loads(path.read_bytes())).counts.total() == 1


def test_counts_wait_while_the_file_cannot_be_written(tmp_path, caplog):
    folder = tmp_path / "data"
    folder.write_text("")
    counted = SharedActivity(lambda: FileState(folder / "counts.json"))
    counted.observe(event())
    counted.flush()
    assert "the counts of requests are kept in memory" in caplog.text
    folder.unlink()
    counted.observe(event())
    counted.flush()
    assert SharedActivity(lambda: FileState(folder / "counts.json")).read().counts.total() == 2


def count_in_a_process(path, name):
    counted = SharedActivity(lambda: FileState(path))
    for _ in range(10):
        for _ in range(20):
            counted.observe(event(token=name))
        counted.flush()


def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path):
    path = tmp_path / "counts.json"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=count_in_a_process, args=(path, f"token-{one % 2}")) for one in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    counts = SharedActivity(lambda: FileState(path)).read().counts
    assert {
        client: counts[int(NOW // HOUR), client, "requests"] for client in (Caller("token-0"), Caller("token-1"))
    } == {
        Caller("token-0"): 400,
        Caller("token-1"): 400,
    }


def test_requests_of_the_panels_connection_test_are_neither_counted_nor_logged(make_logged):
    text, table = new_token(new_test_name())
    logged = make_logged(tokens=[table])
    logged.scim.token = text
    assert logged.scim.get("/Nothing").status == 404
    assert total(activity_of(logged.app).read()) == {}
    assert logged.entries() == []


def test_hosts_of_one_database_count_together():
    token, table = new_token("entra")
    tables = {"tokens": [table], "store": {"url": "postgresql://db.example.com/tinyscim"}}
    store = MemoryStore()
    one, other = (create_app(tables, store=store) for _ in range(2))
    headers = {"Authorization": f"Bearer {token}"}
    one.test_client().get("/api/scim/v2/Users", headers=headers)
    activity_of(one).flush()
    other.test_client().get("/api/scim/v2/Users", headers=headers)
    assert total(activity_of(other).read())["requests"] == 2
