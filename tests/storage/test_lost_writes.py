"""A disk that fails: acknowledged writes are kept, refused ones are gone, and no process writes behind damage."""

import errno
import logging
import os
import random
import threading
from itertools import count

import pytest

from storage.base import Unavailable
from storage.engine.shared_state import WalIndex
from tests.support.commits import fail, wait_for
from tests.support.processes import end, start
from tests.support.storage import insert, journal_of, opened, reboot, state, user_ids


def attempt(store, number):
    try:
        insert(store, number)
    except Unavailable:
        return False
    return True


class Faults:
    """Calls of the operating system that fail while their names are listed."""

    def __init__(self, monkeypatch):
        self.names = set()
        for name in ("fdatasync", "ftruncate", "pwrite"):
            monkeypatch.setattr(os, name, self.guarded(name, getattr(os, name)))

    def guarded(self, name, call):
        return lambda *args: fail() if name in self.names else call(*args)


@pytest.fixture
def faults(monkeypatch):
    return Faults(monkeypatch)


def test_a_failed_fsync_loses_its_own_batch_and_nothing_else(open_store, faults):
    stores = [open_store(), open_store()]
    insert(stores[0], 0)
    for number, store in enumerate(stores, 1):
        faults.names = {"fdatasync"}
        assert not attempt(store, number)
        faults.names = set()
        assert attempt(stores[1 - stores.index(store)], number + 10)
    for store in (*stores, open_store()):
        assert user_ids(store) == ["u0", "u11", "u12"]


@pytest.mark.parametrize("broken", [{"fdatasync"}, {"ftruncate", "fdatasync"}, {"ftruncate", "pwrite"}])
def test_while_the_journal_cannot_be_cut_back_no_process_writes_and_all_read(
    open_store, faults, caplog, monkeypatch, broken
):
    monkeypatch.setattr("storage.tinydb_store.TICK", 60)
    first, second = open_store(), open_store()
    insert(first, 0)
    faults.names = broken
    with caplog.at_level(logging.WARNING, "tinyscim.storage"):
        assert [attempt(store, 1) for store in (first, second, first)] == [False] * 3
    assert "could not be cut back" in caplog.text
    assert "could not be cut back" in first.read_only
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u0"]
    faults.names = set()
    assert attempt(second, 2)
    assert attempt(first, 3)
    assert not first.read_only
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u0", "u2", "u3"]
    reboot(first.files.snapshot)
    assert [document["id"] for _, document in state(first.files.snapshot)["User"]] == ["u0", "u2", "u3"]


def test_a_store_that_was_cut_back_by_itself_can_be_written(open_store, faults, monkeypatch):
    monkeypatch.setattr("storage.tinydb_store.TICK", 0.02)
    store = open_store()
    faults.names = {"fdatasync", "ftruncate"}
    assert not attempt(store, 1)
    assert store.read_only
    faults.names = set()
    wait_for(lambda: not store.read_only)
    assert user_ids(store) == []


def test_a_cut_that_did_not_become_durable_is_made_again_by_the_next_process(open_store, faults):
    first, second = open_store(), open_store()
    insert(first, 0)
    faults.names = {"fdatasync"}  # the file is truncated, but not durably
    assert not attempt(first, 1)
    assert not attempt(second, 2)
    faults.names = set()
    assert attempt(second, 3)
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u0", "u3"]


def test_a_worker_that_starts_while_the_disk_fails_serves_what_is_durable(open_store, faults):
    first = open_store()
    insert(first, 0)
    faults.names = {"fdatasync"}
    assert not attempt(first, 1)
    second = open_store()
    assert user_ids(second) == ["u0"]
    assert not attempt(second, 2)
    faults.names = set()
    assert attempt(second, 3)
    assert user_ids(first) == user_ids(second) == ["u0", "u3"]


def write_on_a_failing_disk(path, worker, seconds, report):
    """Write while some fsyncs and cuts fail; report each write that was answered, and each that was refused."""
    store, chance, stop = opened(path, compact_after=20_000), random.Random(worker), threading.Event()
    for name, share in (("fdatasync", 0.2), ("ftruncate", 0.1)):
        setattr(os, name, sometimes(getattr(os, name), chance, share))

    def write(thread):
        for number in count():
            if stop.is_set():
                return
            id = f"{worker}-{thread}-{number}"
            os.write(report, f"{'kept' if attempt(store, id) else 'refused'} u{id}\n".encode())

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    stop.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join()


def sometimes(call, chance, share):
    return lambda *args: fail() if chance.random() < share else call(*args)


def outcomes_of(path, seconds):
    source, report = os.pipe()
    workers = [start(write_on_a_failing_disk, path, worker, seconds, report) for worker in range(3)]
    os.close(report)
    with os.fdopen(source) as lines:
        found = [line.split() for line in lines]
    assert [end(worker) for worker in workers] == [0, 0, 0]
    return {outcome: {id for kind, id in found if kind == outcome} for outcome in ("kept", "refused")}


@pytest.mark.parametrize("seconds", [1, pytest.param(10, marks=pytest.mark.long)])
def test_three_processes_on_a_failing_disk_keep_exactly_what_they_answered(path, seconds):
    opened(path).close()
    outcomes = outcomes_of(path, seconds)
    assert len(outcomes["kept"]) > 20
    assert len(outcomes["refused"]) > 20
    there = {document["id"] for _, document in state(path)["User"]}
    assert there == outcomes["kept"]
    reboot(path)
    assert {document["id"] for _, document in state(path)["User"]} >= outcomes["kept"]


def test_a_refused_write_is_cut_off_even_if_the_index_cannot_be_written(path, open_store, monkeypatch):
    store = open_store()
    insert(store, 1)
    durable = journal_of(path).read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(WalIndex, "write", failing)
        with pytest.raises(Unavailable):
            insert(store, 2)
        assert journal_of(path).read_bytes() == durable
        assert "could not be cut back" in store.read_only
    insert(store, 3)
    assert user_ids(store) == user_ids(open_store()) == ["u1", "u3"]


def failing(*_):
    raise OSError(errno.EIO, "Input/output error")
