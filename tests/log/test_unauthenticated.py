"""Unauthenticated requests in the log."""

import time
from types import SimpleNamespace

import pytest

from provisioning_log.activity import Activity
from provisioning_log.search import Criteria
from scim.directory.events import Event


def test_a_request_without_a_known_token_is_logged_without_its_body(logged):
    logged.scim.post("/Users", {"userName": "private"}, {"Authorization": "Bearer wrong-private"})
    assert (logged.last().status, logged.last().by, logged.last().request) == (401, "", None)
    assert not any("private" in path.read_text() for path in logged.path.parent.glob("*.jsonl"))


def test_only_method_status_and_a_short_path_are_logged(logged):
    headers = {"Authorization": "Bearer wrong", "client-request-id": "x" * 100}
    logged.scim.request("GET", f"/Users/{'ä' * 400}?startIndex={'1' * 500}&filter={'x' * 500}", headers=headers)
    entry = logged.last()
    assert (entry.method, entry.status, entry.query, entry.response, entry.client_request_id) == (
        "GET",
        401,
        {},
        None,
        "",
    )
    assert entry.path.startswith("/api/scim/v2/Users/ää")
    assert 98 < len(entry.path.encode()) <= 100
    assert len(entry.to_line().encode()) < 350


@pytest.mark.parametrize("hours", [4, pytest.param(24, marks=pytest.mark.long)])
def test_a_day_of_requests_evicts_no_other_entries(make_logged, tmp_path, monkeypatch, hours):
    logged = make_logged(log={"max_bytes": 1_000_000})
    ann = logged.scim.create_user(userName="ann")
    minute, paths = [0], tmp_path.glob
    monkeypatch.setattr(
        "provisioning_log.writer.time", SimpleNamespace(**vars(time) | {"monotonic": lambda: minute[0] * 60.0})
    )
    for minute[0] in range(0, hours * 60, 4):  # some 5 MB in a day
        for _ in range(61):
            logged.log.observe(Event("GET", "/api/scim/v2/Users/" + "x" * 400, 401, query={"filter": "y" * 500}))
        logged.log.flush()
    logged.scim.patch_op(f"/Users/{ann['id']}", {"op": "Replace", "path": "title", "value": "Cook"})
    assert [row.entry.actions for row in logged.log.history(ann["id"], Activity())] == [("updated",), ("created",)]
    newest = logged.log.search(Criteria())
    assert [entry.actions for entry in newest[:3]] == [("updated",), ("lost",), ("failed",)]
    assert sum(path.stat().st_size for path in paths("*-refused*.jsonl")) <= 50_000


def test_requests_above_the_rate_limit_are_counted(logged, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("provisioning_log.writer.time", SimpleNamespace(**{**vars(time), "monotonic": lambda: now[0]}))
    logged.scim.create_user()
    for number in range(101):
        now[0] = 60.0 * (number == 100)  # those of the first minute are told of with the first of the next
        logged.scim.get("/Users", {"Authorization": "Bearer wrong"})
    entries = logged.entries()
    assert entries[0].actions == ("created",)
    assert sum(entry.status == 401 for entry in entries) == 61
    assert sum(entry.moved for entry in entries if entry.actions == ("lost",)) == 40
