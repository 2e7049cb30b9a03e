"""The files of the log: what keeps them, what removes them, and which cursors expire with them."""

import os
import time

import pytest

from storage.base import NOTHING, Expired, Retention
from storage.engine.paths import Files
from storage.maintenance.repair import check, repair
from storage.maintenance.transfer import backup, restore
from tests.support.commits import wait_for
from tests.support.storage import entries_of, flip, insert, journal_of, user_ids


@pytest.fixture
def store(open_store):
    """Make a log over three files."""
    store = open_store()
    for number in range(6):
        write(store, number)
        if number % 2:
            store.compact()
    return store


def write(store, number):
    with store.writing() as tx:
        tx.insert("User", {"id": f"u{number}", "userName": f"user{number}"})
        tx.append({"number": number})


def numbers(store, after=""):
    with store.reading() as reader:
        return [entry["number"] for entry in entries_of(reader, after)]


def cursors(store):
    with store.reading() as reader:
        return [cursor for cursor, _ in reader.entries("")]


def end_of(store):
    with store.reading() as reader:
        return reader.end


def names(path):
    return sorted(file.name for file in path.parent.iterdir() if ".log." in file.name)


def test_ended_journals_stay_as_the_log(store, path):
    assert names(path) == [f"tinyscim.json.log.{generation}" for generation in (1, 2, 3)]
    assert numbers(store) == list(range(6))
    for passed, cursor in enumerate(cursors(store), 1):
        assert numbers(store, cursor) == list(range(passed, 6))


def test_a_store_that_slept_through_compactions_reads_on(open_store, store, monkeypatch):
    monkeypatch.setattr("storage.tinydb_store.TICK", 60)
    asleep = open_store()
    with asleep.reading() as reader:
        for number in range(6, 10):
            write(store, number)
            store.compact()
        assert [entry["number"] for entry in entries_of(reader)] == list(range(6))
        end = reader.end
    assert numbers(asleep, end) == [6, 7, 8, 9]


def test_a_journal_may_be_renamed_while_it_is_read(store):
    write(store, 6)
    with store.reading() as reader:
        entries = reader.entries("")
        next(entries)
        store.compact()
        assert [entry["number"] for _, entry in entries] == list(range(1, 7))


def test_without_retention_a_compaction_removes_the_journal_and_cursors_expire(store, open_store, path):
    store.close()
    forgetful = open_store(retention=NOTHING)
    write(forgetful, 6)
    before = end_of(forgetful)
    forgetful.compact()
    assert names(path) == []
    assert numbers(forgetful) == []
    with pytest.raises(Expired):
        numbers(forgetful, before)


def test_the_oldest_files_are_removed_beyond_the_size_that_is_kept(store, open_store, path):
    first, *_, last = cursors(store)
    store.close()
    size = max((path.parent / name).stat().st_size for name in names(path))
    small = open_store(retention=Retention(days=7, bytes=2 * size))
    small.compact()
    assert names(path) == ["tinyscim.json.log.3", "tinyscim.json.log.4"]
    assert numbers(small) == [4, 5]
    assert numbers(small, last) == []
    with pytest.raises(Expired):
        numbers(small, first)


def test_files_are_removed_after_the_days_that_are_kept(store, path, open_store, monkeypatch):
    monkeypatch.setattr("storage.tinydb_store.TICK", 0.02)
    old = time.time() - 8 * 86_400
    for name in names(path)[:2]:
        os.utime(path.parent / name, (old, old))
    open_store()
    wait_for(lambda: names(path) == ["tinyscim.json.log.3"])
    assert numbers(store) == [4, 5]


def test_a_journal_with_entries_ends_within_a_day(store, path, open_store, monkeypatch):
    write(store, 6)
    monkeypatch.setattr("storage.tinydb_store.TICK", 0.02)
    yesterday = time.time() - 86_500
    os.utime(path, (yesterday, yesterday))
    open_store()
    wait_for(lambda: "tinyscim.json.log.4" in names(path))
    assert numbers(store) == list(range(7))


def test_a_restored_store_has_a_log_of_its_own(store, path, tmp_path, open_store):
    with store.reading() as reader:
        backup(reader, tmp_path / "copy")
    write(store, 6)
    old = [*cursors(store), end_of(store)]
    store.close()
    restore(Files(path), tmp_path / "copy")
    store = open_store()
    assert numbers(store) == []
    begin = end_of(store)
    for number in range(10, 14):
        write(store, number)
        store.compact()
    assert numbers(store) == numbers(store, begin) == [10, 11, 12, 13]
    for cursor in old:
        with pytest.raises(Expired):
            numbers(store, cursor)


def test_a_repaired_store_has_a_log_of_its_own(store, path, open_store):
    write(store, 6)
    old = [*cursors(store), end_of(store)]
    store.close()
    flip(journal_of(path), journal_of(path).stat().st_size - 40)
    assert repair(Files(path))[1]
    store = open_store()
    write(store, 10)
    assert numbers(store) == [10]
    for cursor in old:
        with pytest.raises(Expired):
            numbers(store, cursor)


def test_a_data_file_that_is_replaced_by_hand_has_a_log_of_its_own(store, path, tmp_path, open_store):
    with store.reading() as reader:
        backup(reader, tmp_path / "copy")
    old = [*cursors(store), end_of(store)]
    store.close()
    journal_of(path).unlink()
    (tmp_path / "copy").replace(path)
    store = open_store()
    for number in range(10, 15):
        write(store, number)
        store.compact()
    assert numbers(store) == [10, 11, 12, 13, 14]
    for cursor in old:
        with pytest.raises(Expired):
            numbers(store, cursor)


def test_damage_in_the_log_expires_cursors_before_it_and_is_reported(store, path, caplog):
    first, second, *_ = cursors(store)
    log = path.parent / "tinyscim.json.log.1"
    whole = log.read_bytes()
    flip(log, log.stat().st_size - 150)
    with pytest.raises(Expired):
        numbers(store, first)
    assert numbers(store, second) == [2, 3, 4, 5]
    assert f"{log} is damaged" in caplog.text
    (note,) = check(Files(path)).notes
    assert note.startswith(f"{log} is damaged")
    assert not check(Files(path)).problems
    log.write_bytes(whole)
    assert check(Files(path)).notes == []


def test_a_log_of_a_former_store_is_never_read(store, path, open_store):
    files = Files(path)
    logs = {generation: files.log(generation).read_bytes() for generation in files.logs()}
    old = cursors(store)
    store.close()
    for file in path.parent.iterdir():
        if file.is_file():
            file.unlink()
    store = open_store()
    for generation, data in logs.items():
        files.log(generation).write_bytes(data)
    for cursor in old:
        with pytest.raises(Expired):
            numbers(store, cursor)
    assert numbers(store) == []


def test_changes_while_the_log_was_off_expire_the_cursors_before_them(store, open_store):
    last = cursors(store)[-1]
    insert(store, 7)
    with pytest.raises(Expired):
        numbers(store, last)
    end = end_of(store)
    store.compact()
    write(store, 8)
    assert numbers(store, end) == [8]
    assert len(user_ids(store)) == 8
