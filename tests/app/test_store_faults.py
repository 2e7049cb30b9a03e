"""What clients and load balancers see of a disk that fails or is full."""

import errno
import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from storage.base import Unavailable
from storage.memory import MemoryStore
from storage.tinydb_store import TinyDBStore
from tests.support.running_service import running
from tests.support.urns import USER


@pytest.fixture
def stored(make_scim, tmp_path, monkeypatch):
    monkeypatch.setattr("storage.tinydb_store.TICK", 60)
    store = TinyDBStore(tmp_path / "data.json")
    yield make_scim(store=store)
    store.close()


def failing(error, *names):
    def fail(*_):
        raise OSError(error, os.strerror(error))

    patch = pytest.MonkeyPatch()
    for name in names:
        patch.setattr(os, name, fail)
    return patch


def new(scim, name):
    return scim.post("/Users", {"schemas": [USER], "userName": name})


def health(scim):
    answer = scim.app.test_client().get("/healthz")
    return answer.status_code, answer.text


def test_a_failing_disk_makes_the_service_read_only_until_it_works_again(stored):
    id = stored.create_user()["id"]
    broken = failing(errno.EIO, "fdatasync", "ftruncate")
    try:
        assert new(stored, "b").status == 503
        assert stored.get(f"/Users/{id}").status == 200
        assert stored.get("/Users").body["totalResults"] == 1
        assert health(stored) == (200, "read-only: the store's disk fails or is full, see the log\n")
    finally:
        broken.undo()
    assert new(stored, "b").status == 201
    assert health(stored) == (200, "ok\n")


def test_a_write_whose_answer_cannot_be_read_is_not_reported_as_one_that_changed_nothing(scim, monkeypatch):
    def fail(_):
        raise Unavailable("lost")

    with monkeypatch.context() as patch:
        patch.setattr(type(scim.app.extensions["tinyscim"].store), "reading", fail)
        answer = new(scim, "ann")
    assert answer.status == 503
    assert "nothing" not in answer.body["detail"]
    assert scim.get("/Users").body["totalResults"] == 1


def test_a_request_does_not_wait_long_while_another_one_opens_the_store(make_scim, monkeypatch):
    monkeypatch.setattr("scim.directory.service.OPENING", 0)
    scim = make_scim(store=MemoryStore())
    meanwhile = []
    monkeypatch.setattr(MemoryStore, "open", lambda *_: meanwhile.append(scim.get("/Users").status))
    scim.get("/Users")
    assert meanwhile == [503]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_refuses_writes_with_507_and_reads_go_on(stored, error):
    id = stored.create_user()["id"]
    full = failing(error, "pwrite")
    try:
        assert new(stored, "b").status == 507
        assert stored.get(f"/Users/{id}").status == 200
    finally:
        full.undo()
    assert new(stored, "b").status == 201
    assert stored.get("/Users").body["totalResults"] == 2


def test_a_worker_that_dies_after_the_snapshot_was_deleted_is_replaced(tmp_path):
    with running(tmp_path, store={"path": "data.json"}) as service:
        assert service.send("POST", "/Users", {"schemas": [USER], "userName": "ann"}).status_code == 201
        wait_until(lambda: sum(has_read(id, "data.json") for id in booted(tmp_path / "log")) == 2)
        first, *_ = booted(tmp_path / "log")
        (tmp_path / "data.json").unlink()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(booted(tmp_path / "log")) == 3)
        wait_until((tmp_path / "data.json").exists)
        assert {service.send("GET", "/Users").json()["totalResults"] for _ in range(10)} == {1}


def booted(log):
    """Return the process ids of all workers that were started."""
    return [int(id) for id in re.findall(r"Booting worker with pid: (\d+)", log.read_text())]


def has_read(id, store):
    """Return whether a worker has opened the store's journal."""
    with suppress(OSError):  # a descriptor that was closed meanwhile
        return any(f"{store}.journal." in str(each.readlink()) for each in Path(f"/proc/{id}/fd").iterdir())
    return False


def wait_until(condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError
