"""Fair shares: no client evicts the entries of others."""

import json
import time
from collections import Counter

import pytest

from provisioning_log import writer
from provisioning_log.archive import Archive
from provisioning_log.entries import Entry, Subject, timestamp
from provisioning_log.entry_reader import read_entry
from provisioning_log.search import Criteria, matching
from provisioning_log.segments import LogFiles
from provisioning_log.shares import fair_share
from runtime.redact import LEFT_OUT
from scim.directory.events import Event

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
MAX_BYTES = 200_000


@pytest.mark.parametrize(
    ("sizes", "room", "fair"),
    [([], 10, 0), ([5], 10, 5), ([50], 10, 10), ([1, 50], 10, 9), ([50, 50], 10, 5), ([1, 2, 50, 50], 13, 5)],
)
def test_small_clients_leave_more_to_the_others(sizes, room, fair):
    assert fair_share(sizes, room) == fair
    assert sum(min(size, fair) for size in sizes) <= max(room, sum(sizes) if sum(sizes) <= room else 0)


def line(number: int, by: str, size: int = 300) -> str:
    moment = time.time() + number / 1e5
    return Entry(timestamp(moment), f"{number}", ("updated",), 200, "GET", "x" * size, by).to_line()


@pytest.mark.parametrize("floods", [1, 3])
def test_a_flood_evicts_no_entries_within_a_share(tmp_path, floods):
    files = LogFiles(tmp_path / "log.jsonl", MAX_BYTES, 90)
    mine = [line(number, "mine") for number in range(40)]  # less than a share of a quarter
    for one in mine:
        files.append([one])
    for number in range(100, 3_000):
        files.append([line(number, f"flood{number % floods}")])
        if number % 100 == 0:
            assert sum(path.stat().st_size for path in files.all()) <= MAX_BYTES
    kept = Counter(entry.by for entry in matching(files.oldest_first(), Criteria()))
    assert kept["mine"] == 40
    assert all(kept[f"flood{number}"] > 40 for number in range(floods))
    assert len(files.all()) <= 20


def test_a_quiet_client_among_a_flood_needs_few_files(tmp_path):
    files = LogFiles(tmp_path / "log.jsonl", MAX_BYTES, 90)
    for number in range(6_000):
        files.append([line(number, "quiet" if number % 60 == 0 else "flood")])
    kept = [entry.id for entry in matching(files.oldest_first(), Criteria()) if entry.by == "quiet"]
    assert kept == [str(number) for number in range(0, 6_000, 60)]
    assert len(files.all()) <= 30


def test_a_follower_sees_each_line_once_while_shares_are_taken(tmp_path):
    files = LogFiles(tmp_path / "log.jsonl", MAX_BYTES, 90)
    coming, got = files.appended(), []
    next(coming)
    for number in range(2_000):
        files.append([line(number, "quiet" if number % 60 == 0 else "flood")])
        if number % 7 == 0:
            got += [entry.id for entry in matching(next(coming), Criteria())]
    got += [entry.id for entry in matching(next(coming), Criteria())]
    assert got == [str(number) for number in range(2_000)]


def test_invalid_lines_do_not_break_the_size_limit(tmp_path):
    files = LogFiles(tmp_path / "log.jsonl", MAX_BYTES, 90)
    for _ in range(30):
        with files.path.open("a") as file:
            file.write("x" * 20_000 + "\n")
        files.append([line(1, "mine")])
        assert sum(path.stat().st_size for path in files.all()) <= MAX_BYTES + 2 * 20_000


@pytest.mark.parametrize("max_bytes", [100_000, 20_000_000])
@pytest.mark.parametrize("text", ["x", "\x01", "\U0001f600", '"'])
def test_no_line_is_longer_than_the_longest(tmp_path, max_bytes, text):
    longest = Archive(tmp_path / "log.jsonl", max_bytes, 90).max_line
    long = text * 100_000
    person = Subject(long, long, long)
    nested = {long[:300]: [{long: long}] * 500}
    entry = Entry(
        *(timestamp(time.time()), "1", ("created",), 201, "POST", long, long, 1.0, long, person),
        changes={f"{number}{long[:100]}": (nested, long) for number in range(1_000)},
        joined=(person,) * 1_000,
        left=(person,) * 1_000,
        unknown=(long,) * 50,
        query=dict.fromkeys("abc", long),
        request=[nested] * 100,
        response={"detail": long, long: [nested]},
        client_request_id=long,
    )
    written = entry.bounded(longest).to_line()
    assert len(written.encode("utf-8", "replace")) <= longest
    assert read_entry(written).actions == ("created",)


def test_large_requests_do_not_evict_earlier_entries(make_logged):
    logged = make_logged(log={"max_bytes": 3_000_000})
    for number in range(100):
        logged.scim.create_user(userName=f"before-{number}")
    huge = "x" * 100_000
    for number in range(12):
        members = [{"value": f"{number}.{one}.{'y' * 200}"} for one in range(2_000)]
        logged.scim.post("/Groups", {"displayName": f"{number}{huge}", "members": members})
        logged.scim.post("/Users", {"userName": huge, "roles": [{"value": huge}] * 10, huge: huge})
    sizes = [len(json.dumps(one)) for one in logged.lines()]
    assert max(sizes) <= 200_000
    assert sum(entry.who.name.startswith("before-") for entry in logged.entries()) == 100


def test_a_full_queue_drops_events_of_the_busiest_client(make_logged, monkeypatch):
    monkeypatch.setattr(writer, "QUEUE", 100)
    monkeypatch.setattr(writer, "PAUSE", 60)
    logged = make_logged()
    for _ in range(500):
        logged.log.observe(Event("GET", "/flood", 404, token="flood"))
    for _ in range(20):
        logged.log.observe(Event("GET", "/quiet", 404, token="quiet"))
    entries = logged.entries()
    assert Counter(entry.by for entry in entries) == {"flood": 80, "quiet": 20, "": 1}
    assert [entry.moved for entry in entries if entry.actions == ("lost",)] == [420]


def test_large_batches_are_split(make_logged, monkeypatch):
    monkeypatch.setattr(writer, "PAUSE", 60)
    logged = make_logged(log={"max_bytes": 100_000})
    for number in range(200):
        logged.log.observe(Event("GET", f"/{number}", 404, token="entra", request={"x": ["y" * 1_900] * 9}))
    logged.log.flush()
    assert sum(path.stat().st_size for path in logged.log.files.files() if path.exists()) <= 100_000
    assert [entry.path for entry in logged.entries()][-1] == "/199"


def test_a_bulk_operation_on_a_bulkid_alone_is_answered(logged):
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "x", "data": {"userName": "ann"}},
        {"method": "DELETE", "path": "bulkId:x"},
        {"method": "DELETE", "path": "bulkId:y"},
    ]
    answer = logged.scim.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    assert [one["status"] for one in answer.body["Operations"]] == ["201", "404", "409"]
    assert LEFT_OUT not in answer.text
