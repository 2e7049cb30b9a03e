"""Group commit: the threads of a process share a batch, and nothing of it is seen before it is durable."""

import contextlib
import errno
import os
import threading

import pytest

from storage.base import Duplicate, Unavailable
from tests.support.commits import Disk, fail, find_existing, in_thread, queue_up
from tests.support.storage import insert, user, user_ids


def test_no_process_sees_a_write_before_it_is_durable(open_store, monkeypatch, write, outcomes):
    first, second = open_store(), open_store()
    insert(first, 0)
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, first, 1)
    for store in (first, second, open_store()):
        assert user_ids(store) == ["u0"]
    assert outcomes == {}
    disk.go.set()
    held.join()
    for store in (first, second, open_store()):
        assert user_ids(store) == ["u0", "u1"]


def test_another_process_writes_once_the_batch_before_is_durable(open_store, monkeypatch, write, outcomes):
    first, second = open_store(), open_store()
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, first, 1)
    other = in_thread(write, second, 2)
    other.join(0.1)
    assert outcomes == {}
    assert first.files.journal(1).read_bytes().count(b"userName") == 1
    disk.go.set()
    held.join()
    other.join()
    assert outcomes == {1: "kept", 2: "kept"}
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u1", "u2"]


def test_threads_that_wait_share_one_fsync(open_store, monkeypatch, write, outcomes):
    store = open_store()
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, store, 0)
    waiting = [queue_up(store, write, store, number) for number in range(1, 6)]
    disk.go.set()
    for thread in [held, *waiting]:
        thread.join()
    assert outcomes == dict.fromkeys(range(6), "kept")
    assert disk.count < 5


@pytest.fixture(params=[False, True])
def fails(request, monkeypatch):
    """Let the first fsync fail, or none."""
    left, fsync = [request.param], os.fdatasync

    def fdatasync(descriptor):
        if left and left.pop():
            fail()
        fsync(descriptor)

    def arm():
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        return request.param

    return arm


def insert_before(store, function, *args):
    """Insert u1 in a transaction behind which another one waits; return the outcome."""
    thread = None
    try:
        with store.writing() as tx:
            tx.insert("User", user(1))
            thread = queue_up(store, function, *args)
        return "kept"
    except Unavailable as error:
        return str(error)
    finally:
        thread.join()


def test_a_transaction_without_changes_waits_until_what_it_read_is_durable(open_store, outcomes, fails):
    store = open_store()
    failed = fails()
    first = insert_before(store, find_existing, outcomes, store, "u1")
    assert (first == "kept") is (outcomes["nothing"] == "kept") is not failed
    assert user_ids(store) == user_ids(open_store()) == ([] if failed else ["u1"])


def refused(outcomes, store):
    try:
        with pytest.raises(Duplicate), store.writing() as tx:
            tx.insert("User", user(1))
        outcomes["refused"] = user_ids(store)
    except Unavailable as error:
        outcomes["refused"] = str(error)


def test_a_duplicate_is_reported_once_what_it_conflicts_with_is_durable(open_store, outcomes, fails):
    store = open_store()
    failed = fails()
    insert_before(store, refused, outcomes, store)
    assert outcomes["refused"] == (f"Input/output error ({store.files.journal(1)})" if failed else ["u1"])
    assert user_ids(store) == user_ids(open_store()) == ([] if failed else ["u1"])


def test_a_transaction_over_one_that_the_disk_lost_is_lost_too(open_store, write, outcomes, fails):
    store = open_store()
    failed = fails()
    first = insert_before(store, write, store, 2)
    assert (first == "kept") is (outcomes[2] == "kept") is not failed
    assert user_ids(store) == user_ids(open_store()) == ([] if failed else ["u1", "u2"])
    insert(store, 3)
    assert user_ids(open_store()) == ([] if failed else ["u1", "u2"]) + ["u3"]


def test_a_failed_transaction_does_not_take_others_of_its_batch_with_it(open_store, write, outcomes):
    store = open_store()

    def abort():
        with contextlib.suppress(KeyError), store.writing() as tx:
            tx.insert("User", user(9))
            raise KeyError

    assert insert_before(store, abort) == "kept"
    write(store, 2)
    assert outcomes == {2: "kept"}
    assert user_ids(store) == user_ids(open_store()) == ["u1", "u2"]


def test_after_an_unexpected_error_later_writers_do_not_wait_forever(open_store, monkeypatch):
    store = open_store()
    with monkeypatch.context() as patch:
        patch.setattr("storage.engine.commit.CommitLog._commit", lambda *_: [][0])
        with pytest.raises(Unavailable, match="IndexError"):
            insert(store, 1)
    assert can_write(store)


def test_after_a_failed_lock_later_writers_do_not_wait_forever(open_store, monkeypatch):
    store = open_store()
    with monkeypatch.context() as patch:
        patch.setattr("fileio.locks.fcntl.flock", refuse)
        with pytest.raises(Unavailable, match=r"No locks available \(.*/tinyscim\.json\.locks/write"):
            insert(store, 1)
    assert can_write(store)


def refuse(*_):
    raise OSError(errno.ENOLCK, "No locks available")


def can_write(store):
    writer = threading.Thread(target=insert, args=(store, 2), daemon=True)
    writer.start()
    writer.join(30)
    return not writer.is_alive() and "u2" in user_ids(store)
