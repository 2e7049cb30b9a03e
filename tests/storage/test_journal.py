"""The journal: what is appended to it, how it ends, and how readers follow it."""

import json
import os
from zlib import crc32

import pytest

from storage.base import StoreCorrupted, Unavailable
from storage.engine import recovery
from tests.support.commits import fail
from tests.support.storage import flip, insert, journal_of, opened, reboot, state, user, user_ids


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
def test_an_ended_journal_is_not_cut_back(open_store, monkeypatch, merged):
    first, second = open_store(), open_store()
    insert(first, 1)
    with monkeypatch.context() as patch:
        if not merged:
            patch.setattr("storage.engine.commit.merge", lambda *args: None)
        first.compact()
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(Unavailable):
            insert(second, 2)
    insert(first, 3)
    for store in (first, second, open_store()):
        assert user_ids(store) == ["u1", "u3"]


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


def test_a_journal_whose_end_did_not_become_durable_goes_on(open_store, monkeypatch):
    first, second = open_store(), open_store()
    insert(first, 1)
    sync, calls = os.fdatasync, []

    def fail_second(descriptor):
        calls.append(descriptor)
        sync(descriptor) if len(calls) != 2 else fail()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail_second)
        with pytest.raises(Unavailable):
            first.compact()
    insert(second, 2)
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u1", "u2"]
    second.compact()
    insert(first, 3)
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u1", "u2", "u3"]


def test_compactions_that_overtake_an_opening_store_do_no_harm(open_store, monkeypatch):
    first, usual = open_store(), recovery.known_end
    insert(first, 1)

    def overtaken(*args):
        monkeypatch.undo()
        first.compact()
        insert(first, 2)
        with monkeypatch.context() as patch:
            patch.setattr("storage.engine.commit.merge", lambda *args: None)
            first.compact()
        return usual(*args)

    monkeypatch.setattr("storage.engine.commit.known_end", overtaken)
    assert user_ids(open_store()) == ["u1", "u2"]


OLD = [
    b'{"sequence":0,"journal":1}',
    b'{"sequence":1,"changes":[["User",1,{"id":"u1","userName":"a"}]]}',
    b'{"sequence":2,"changes":[["User",2,{"id":"u2","userName":"b"}]]}',
]


@pytest.fixture
def old(path):
    """Make files as the version before wrote them: no line states where the journal was durable."""
    opened(path).close()
    lines, checksum = [], 0
    for body in OLD:
        checksum = crc32(body, checksum)
        lines.append(b"%s %08x\n" % (body, checksum))
    journal_of(path).write_bytes(b"".join(lines))
    reboot(path)
    return path


def test_a_journal_of_an_older_version_is_read_and_continued(old):
    store = opened(old)
    insert(store, 3)
    store.compact()
    insert(store, 4)
    store.close()
    assert [document["id"] for _, document in state(old)["User"]] == ["u1", "u2", "u3", "u4"]


def test_a_journal_of_an_older_version_may_end_in_an_unfinished_line(old):
    journal = journal_of(old)
    journal.write_bytes(journal.read_bytes()[:-20])
    assert [document["id"] for _, document in state(old)["User"]] == ["u1"]


def test_damage_in_a_journal_of_an_older_version_stops_the_start(old):
    flip(journal_of(old), len(OLD[0]) + len(OLD[1]) + 60)
    with pytest.raises(StoreCorrupted, match="line 3: the line does not match its checksum"):
        opened(old)


def test_an_interrupted_write_after_lines_of_an_older_version_is_dropped(old):
    store = opened(old)
    insert(store, 3)
    store.close()
    journal = journal_of(old)
    flip(journal, len(journal.read_bytes()) - 30)
    reboot(old)
    assert [document["id"] for _, document in state(old)["User"]] == ["u1", "u2"]
