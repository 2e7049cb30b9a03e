"""The journal: what is appended to it, how it ends, and how readers follow it."""

import json
import os

import pytest

from storage.base import Unavailable
from storage.engine.journal import has_more_than_header
from tests.support.commits import Disk, fail
from tests.support.storage import insert, opened, state, user, user_ids


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_a_write_to_a_journal_that_was_deleted_is_refused(open_store, durability):
    store = open_store(durability=durability)
    insert(store, 1)
    store.files.journal(1).unlink()
    for _ in range(2):
        with pytest.raises(Unavailable, match="deleted"):
            insert(store, 2)
    assert user_ids(store) == ["u1"]


@pytest.mark.parametrize("odd", ["\ud800", "Ä€\U0001f600", 2**64, -(2**70), 1.5e300, None, "null", [True, 0, 1]])
def test_the_journal_keeps_every_value_as_it_is(path, odd):
    store = opened(path)
    insert(store, 1, odd=odd)
    insert(store, 2)
    store.close()
    (_, document), _ = state(path)["User"]
    assert document == user(1, odd=odd)
    assert type(document["odd"]) is type(odd)
    line = path.with_name("tinyscim.json.journal.1").read_bytes().splitlines()[1]
    assert json.loads(line[:-9])["changes"][0][2] == document


@pytest.mark.parametrize("merged", [False, True])
def test_an_ended_journal_is_not_truncated(open_store, monkeypatch, write, outcomes, merged):
    first, second = open_store(), open_store()
    insert(first, 1)
    wal_index = first._commit_log._wal_index
    acknowledged = wal_index.acknowledged
    with monkeypatch.context() as patch:
        if not merged:
            patch.setattr("storage.engine.commit.merge", lambda *args: None)
        first.compact()
    wal_index.acknowledged = acknowledged  # as after a kill just after the journal was ended
    disk = Disk(monkeypatch)
    disk.fails = True
    disk.go.set()
    disk.hold_up(write, second, 2).join()
    assert outcomes[2] != "kept"
    insert(first, 3)
    there = user_ids(first)
    assert {"u1", "u3"} <= set(there)
    for store in (second, open_store()):
        assert user_ids(store) == there


def test_a_failed_write_to_a_journal_whose_header_failed_is_not_kept(open_store, monkeypatch):
    first, second = open_store(), open_store()
    insert(first, 1)
    sync, left = os.fdatasync, [1]  # the first, of the new journal's beginning, succeeds

    def failing(descriptor):
        if not left:
            fail(descriptor)
        left.pop()
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        with pytest.raises(Unavailable):
            first.compact()
        with pytest.raises(Unavailable):
            insert(first, 2)
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u1"]
    insert(second, 3)
    assert user_ids(first) == user_ids(open_store()) == ["u1", "u3"]


def test_compactions_that_overtake_an_opening_store_do_no_harm(open_store, monkeypatch):
    first = open_store()
    insert(first, 1)

    def overtaken(path):
        monkeypatch.undo()
        first.compact()
        insert(first, 2)
        with monkeypatch.context() as patch:
            patch.setattr("storage.engine.commit.merge", lambda *args: None)
            first.compact()
        return has_more_than_header(path)

    monkeypatch.setattr("storage.engine.recovery.has_more_than_header", overtaken)
    assert user_ids(open_store()) == ["u1", "u2"]


def test_a_reader_needs_no_fsync_to_follow_into_the_next_journal_but_a_writer_does(open_store, monkeypatch):
    first, second = open_store(), open_store()
    insert(first, 1)
    with monkeypatch.context() as patch:
        # As after a kill just after the journal was ended.
        patch.setattr("storage.engine.commit.merge", lambda *args: None)
        second.compact()
        second._commit_log._wal_index.durable = 0
        patch.setattr(os, "fdatasync", fail)
        assert user_ids(first) == ["u1"]
        with pytest.raises(Unavailable, match="Input/output error"):
            insert(first, 2)
    disk = Disk(monkeypatch)
    insert(first, 3)
    assert disk.count == 2
    assert user_ids(first) == user_ids(open_store()) == ["u1", "u3"]
