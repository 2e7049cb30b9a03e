"""Group commit: threads and processes write while others wait for an fsync that all of them share."""

import errno
import fcntl
import threading

import pytest

from storage.base import Duplicate, Unavailable
from tests.support.commits import Disk, find_existing, hold_before_syncing, wait_for, write_in_thread
from tests.support.storage import insert, user, user_ids


def test_others_write_while_one_waits_for_the_disk(open_store, monkeypatch, write, outcomes):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, first, 1)
    other = write_in_thread(write, second, 2, reader)
    assert outcomes == {}
    disk.go.set()
    held.join()
    other.join()
    assert outcomes == {1: "kept", 2: "kept"}


def test_what_another_process_has_made_durable_needs_no_fsync(open_store, monkeypatch, write, outcomes):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, first, 1)
    waiting = [write_in_thread(write, store, number, reader) for store, number in ((second, 2), (first, 3))]
    disk.go.set()
    for thread in [held, *waiting]:
        thread.join()
    assert outcomes == {1: "kept", 2: "kept", 3: "kept"}
    assert disk.count < 4


@pytest.mark.parametrize("fails", [False, True])
def test_a_transaction_without_changes_waits_until_what_it_read_is_durable(
    open_store, monkeypatch, write, outcomes, fails
):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    disk.fails = fails
    held = disk.hold_up(write, first, 1)
    wait_for(lambda: "u1" in user_ids(reader))
    other = threading.Thread(target=find_existing, args=(outcomes, second, "u1"), daemon=True)
    other.start()
    other.join(0.2)
    assert outcomes == {}
    disk.go.set()
    held.join()
    other.join()
    assert (outcomes["nothing"] == "kept") is (outcomes[1] == "kept") is not fails
    assert user_ids(open_store()) == ([] if fails else ["u1"])


def test_after_an_unexpected_error_later_writers_do_not_wait_forever(open_store, monkeypatch):
    store = open_store()
    with monkeypatch.context() as patch:
        patch.setattr("storage.engine.commit.CommitLog._make_durable", lambda *_: [][0])
        with pytest.raises(IndexError):
            insert(store, 1)
    assert can_write(store)


def test_after_a_failed_lock_later_writers_do_not_wait_forever(open_store, monkeypatch):
    store = open_store()
    lock = store._commit_log._sync_lock
    with monkeypatch.context() as patch:
        patch.setattr("fileio.locks.fcntl.flock", refuse_to(lock._descriptor))
        with pytest.raises(Unavailable, match="No locks"):
            insert(store, 1)
    assert can_write(store)


def can_write(store):
    writer = threading.Thread(target=insert, args=(store, 2), daemon=True)
    writer.start()
    writer.join(5)
    return not writer.is_alive() and "u2" in user_ids(store)


def refuse_to(descriptor):
    flock = fcntl.flock

    def refuse(asked, operation):
        if asked == descriptor and operation == fcntl.LOCK_EX:
            raise OSError(errno.ENOLCK, "No locks available")
        flock(asked, operation)

    return refuse


def refused(outcomes, store, id):
    """Insert an existing document, and read it from the store that refused it."""
    try:
        with pytest.raises(Duplicate), store.writing() as tx:
            tx.insert("User", user(id))
        outcomes[store] = user_ids(store)
    except Unavailable as error:
        outcomes[store] = str(error)


@pytest.mark.parametrize("fails", [False, True])
def test_a_duplicate_is_reported_once_what_it_conflicts_with_is_durable(
    open_store, monkeypatch, write, outcomes, fails
):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    disk.fails = fails
    held = disk.hold_up(write, first, 1)
    wait_for(lambda: "u1" in user_ids(reader))
    others = [threading.Thread(target=refused, args=(outcomes, store, 1), daemon=True) for store in (first, second)]
    for other in others:
        other.start()
        other.join(0.2)
    assert outcomes == {}
    disk.go.set()
    for thread in [held, *others]:
        thread.join()
    if fails:
        assert "kept" not in outcomes.values()
        assert user_ids(first) == user_ids(second) == user_ids(open_store()) == []
    else:
        assert outcomes == {1: "kept", first: ["u1"], second: ["u1"]}


def test_a_write_that_another_process_acknowledged_is_read_by_its_writer(open_store, monkeypatch, write, outcomes):
    first, second = open_store(), open_store()
    held, go = hold_before_syncing(monkeypatch, first, write, 1)
    find_existing(outcomes, second, "u1")
    assert outcomes == {"nothing": "kept"}
    assert user_ids(first) == user_ids(second) == ["u1"]
    later = write_in_thread(write, first, 2, second)
    assert user_ids(first) == ["u1"]  # not the later one, which is not acknowledged
    go.set()
    held.join()
    later.join()
    assert outcomes == {"nothing": "kept", 1: "kept", 2: "kept"}
    assert user_ids(first) == user_ids(second) == ["u1", "u2"]
