"""Writes that the disk lost: they are rolled back in every process, and no others are."""

import os

from storage.engine.shared_state import WalIndex
from tests.support.commits import Disk, fail, hold_before_syncing, write_in_thread
from tests.support.storage import insert, user_ids


def test_a_line_above_one_that_the_disk_lost_is_lost_in_every_process(open_store, monkeypatch, write, outcomes):
    first, second, reader = open_store(), open_store(), open_store()
    insert(first, 0)
    disk = Disk(monkeypatch)
    disk.fails = True
    held = disk.hold_up(write, first, 1)
    other = write_in_thread(write, second, 2, reader)
    disk.go.set()
    held.join()
    other.join()
    assert "Input/output error" in outcomes[1]
    assert "the disk lost the change" in outcomes[2]
    for store in (first, second, reader, open_store()):
        assert user_ids(store) == ["u0"]
    insert(second, 2)
    insert(first, 1)
    for store in (first, second, reader, open_store()):
        assert user_ids(store) == ["u0", "u2", "u1"]


def test_a_line_that_was_durable_before_others_were_lost_is_kept(open_store, monkeypatch, write, outcomes):
    first, second = open_store(), open_store()
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, first, 1)  # in the turn to sync
    waiting = write_in_thread(write, second, 2, first)  # the others wait for it
    commit_log = second._commit_log
    disk.go.set()
    held.join()
    waiting.join()
    with commit_log._syncing:  # as if its thread had not come to it yet
        waiting = write_in_thread(write, second, 3, first)
        insert(first, 4)
        disk.entered.clear()
        disk.go.clear()
        disk.fails = True
        held = disk.hold_up(write, first, 5)
        disk.go.set()
        held.join()
    waiting.join()
    assert outcomes[3] == "kept"
    assert "Input/output error" in outcomes[5]
    for store in (first, second, open_store()):
        assert user_ids(store) == ["u1", "u2", "u3", "u4"]


def test_a_line_that_another_process_made_durable_is_kept_though_those_after_it_are_lost(
    open_store, monkeypatch, write, outcomes
):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    with second._commit_log._syncing:
        disk.held = write_in_thread(write, second, 1, reader)
        insert(first, 2)
        after = write_in_thread(write, second, 3, reader)
        disk.fails = True
        disk.go.set()
    disk.held.join()
    after.join()
    assert outcomes[1] == "kept"
    assert "Input/output error" in outcomes[3]
    for store in (first, second, reader, open_store()):
        assert user_ids(store) == ["u1", "u2"]


def test_a_lost_line_is_not_read_in_place_of_its_successor(open_store, monkeypatch, write, outcomes):
    first, second = open_store(), open_store()
    insert(first, 0)
    disk = Disk(monkeypatch)
    disk.fails = True
    held = disk.hold_up(write, first, 1)
    acknowledged = WalIndex.acknowledged

    def slow(wal_index):
        """Lose the line and acknowledge another in its place, while a reader reads the number."""
        monkeypatch.setattr(WalIndex, "acknowledged", acknowledged)
        disk.go.set()
        held.join()
        insert(second, 2)
        return wal_index.acknowledged

    monkeypatch.setattr(WalIndex, "acknowledged", property(slow))
    assert "u1" not in user_ids(first)
    assert "Input/output error" in outcomes[1]
    assert user_ids(first) == user_ids(second) == ["u0", "u2"]


def test_a_line_without_an_fsync_is_kept_if_another_process_opened_the_store(open_store, monkeypatch, write, outcomes):
    first = open_store()
    held, go = hold_before_syncing(monkeypatch, first, write, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        second = open_store()
        go.set()
        held.join()
    assert "Input/output error" in outcomes[1]
    # The second process had to assume that the line was acknowledged, so it must not be truncated any more.
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u1"]
    insert(first, 2)
    assert user_ids(second) == ["u1", "u2"]
