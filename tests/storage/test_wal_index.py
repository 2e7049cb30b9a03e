"""The wal-index: a missing or half-updated one does no harm, and it shows whether the journal became shorter."""

import os
import shutil
import signal
from unittest import mock

import pytest

from storage.base import StoreCorrupted, Unavailable
from storage.engine.paths import Files
from storage.engine.shared_state import SIZE, WalIndex
from storage.maintenance.repair import check, repair
from tests.support.commits import Disk
from tests.support.processes import run
from tests.support.storage import insert, journal_of, opened, reboot, state, user_ids


@pytest.mark.parametrize("after", [False, True])
def test_a_writer_killed_beside_a_change_of_the_index_misleads_no_process(path, open_store, after):
    store = open_store()
    insert(store, 1)

    def write_and_die():
        mine, write = opened(path), WalIndex.write

        def die(*args):
            if after:
                write(*args)
            os.kill(os.getpid(), signal.SIGKILL)

        WalIndex.write = die
        insert(mine, 2)

    assert run(write_and_die) == -signal.SIGKILL
    assert user_ids(open_store()) == user_ids(store) == ["u1", "u2"]  # a start keeps whole lines after the end
    insert(store, 3)
    assert user_ids(store) == user_ids(open_store()) == ["u1", "u2", "u3"]


def test_a_file_system_that_was_mounted_again_may_have_an_older_index(path):
    store = opened(path)
    index = path.with_name("tinyscim.json.locks") / "write"
    insert(store, 0)
    older = index.read_bytes()
    for number in range(1, 6):
        insert(store, number)
    store.close()
    index.write_bytes(older)
    store = opened(path)
    insert(store, 6)
    store.close()
    assert [document["id"] for _, document in state(path)["User"]] == [f"u{number}" for number in range(7)]
    assert not list(path.parent.glob("*.tail.*"))


def test_an_index_from_before_a_compaction_is_followed_into_the_next_journal(path):
    store = opened(path)
    index = path.with_name("tinyscim.json.locks") / "write"
    insert(store, 0)
    older = index.read_bytes()
    insert(store, 1)
    with mock.patch("storage.engine.commit.merge"):  # killed before the snapshot was written
        store.compact()
    insert(store, 2)
    store.close()
    index.write_bytes(older)
    assert [document["id"] for _, document in state(path)["User"]] == ["u0", "u1", "u2"]


@pytest.mark.parametrize("left", [b"", b"\xff" * SIZE, b"\0" * SIZE, b"\0" * 33, None])
def test_a_missing_or_damaged_index_does_no_harm(path, open_store, monkeypatch, write, outcomes, left):
    store = opened(path)
    for number in range(3):
        insert(store, number)
    store.close()
    if left is None:
        shutil.rmtree(path.with_name("tinyscim.json.locks"))
    else:
        path.with_name("tinyscim.json.locks").joinpath("write").write_bytes(left)
    first, second = open_store(), open_store()
    insert(first, 3)
    assert user_ids(second) == ["u0", "u1", "u2", "u3"]
    disk = Disk(monkeypatch)
    disk.fails = True
    disk.go.set()
    disk.hold_up(write, second, 4).join()
    assert "Input/output error" in outcomes[4]
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u0", "u1", "u2", "u3"]


def test_an_index_that_is_damaged_while_the_store_is_open_is_written_again(path, open_store):
    first, second = open_store(), open_store()
    insert(first, 1)
    path.with_name("tinyscim.json.locks").joinpath("write").write_bytes(b"damaged")
    assert user_ids(first) == ["u1"]
    insert(second, 2)
    insert(first, 3)
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u1", "u2", "u3"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: data.rindex(b"{")],  # the last line is missing
        lambda data: data[:-3],
        lambda data: data[:-60] + bytes(60),
        lambda data: data[:120],
    ],
)
def test_a_journal_that_became_shorter_without_a_reboot_is_damaged(filled, damage):
    journal = journal_of(filled)
    journal.write_bytes(damage(journal.read_bytes()))
    with pytest.raises(StoreCorrupted, match=f"{journal}, line .*flask store repair"):
        opened(filled)
    assert check(Files(filled)).problems
    assert repair(Files(filled))[1]
    assert len(state(filled)["User"]) in (10, 14)
    assert not check(Files(filled)).problems


def test_after_a_power_failure_what_is_left_of_the_last_write_is_kept_aside(filled, caplog):
    journal = journal_of(filled)
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-60] + bytes(60))
    reboot(filled)
    found = check(Files(filled))
    assert not found.problems
    assert found.notes == [f"{journal} ends in an interrupted write, which was not acknowledged"]
    assert len(state(filled)["User"]) == 14
    (copy,) = filled.parent.glob("*.tail.*")
    left = whole[whole[:-1].rindex(b"\n") + 1 :]
    assert copy.read_bytes() == left[:-60] + bytes(60)
    assert f"dropped {len(left)} bytes of an interrupted write" in caplog.text
    assert str(copy) in caplog.text


def test_older_files_are_served_after_a_reboot(path):
    store = opened(path)
    insert(store, 1)
    journal = store.files.journal(1)
    older = journal.read_bytes()
    insert(store, 2)
    store.close()
    journal.write_bytes(older)
    with pytest.raises(StoreCorrupted):
        opened(path)
    reboot(path)
    store = opened(path)
    insert(store, 3)
    store.close()
    assert [document["id"] for _, document in state(path)["User"]] == ["u1", "u3"]


def test_files_that_take_the_place_of_others_are_not_compared_with_the_old_index(path):
    store = opened(path)
    for number in range(5):
        insert(store, number)
    store.close()
    path.unlink()
    journal_of(path).unlink()
    assert state(path)["User"] == []


def test_locks_that_were_replaced_refuse_writes(path, open_store):
    store = open_store()
    insert(store, 1)
    locks = path.with_name("tinyscim.json.locks")
    shutil.rmtree(locks)
    with pytest.raises(Unavailable):
        insert(store, 2)
    insert(open_store(), 3)
    with pytest.raises(Unavailable, match="replaced"):
        insert(store, 2)
    assert user_ids(open_store()) == ["u1", "u3"]
