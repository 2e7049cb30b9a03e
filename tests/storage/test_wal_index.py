"""The WAL index: a missing, older or half-updated one does no harm."""

import os
import shutil
import signal

import pytest

from storage.base import Unavailable
from storage.engine.shared_state import SIZE, WalIndex
from tests.support.commits import Disk
from tests.support.processes import run
from tests.support.storage import insert, opened, state, user_ids


@pytest.mark.parametrize("step", ["invalidate_end", "publish_end"])
@pytest.mark.parametrize("after", [False, True])
def test_a_writer_killed_beside_a_change_of_the_index_misleads_no_process(path, open_store, step, after):
    store = open_store()
    insert(store, 1)

    def write_and_die():
        mine = opened(path)
        acknowledged = getattr(WalIndex, step)

        def die(*args):
            if after:
                acknowledged(*args)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(WalIndex, step, die)
        insert(mine, 2)

    assert run(write_and_die) == -signal.SIGKILL
    there = ["u1"] if step == "invalidate_end" else ["u1", "u2"]
    assert user_ids(store) == user_ids(open_store()) == there
    insert(store, 3)
    assert user_ids(store) == user_ids(open_store()) == [*there, "u3"]


@pytest.mark.parametrize("left", [b"", b"\xff" * SIZE, b"\0" * SIZE, None])
def test_a_missing_or_outdated_index_does_no_harm(path, open_store, monkeypatch, write, outcomes, left):
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


def test_files_older_than_the_index_are_served_as_they_are(path, monkeypatch):
    store = opened(path)
    insert(store, 1)
    journal = store.files.journal(1)
    older = journal.read_bytes()
    insert(store, 2)
    store.close()
    journal.write_bytes(older)
    store = opened(path)
    disk = Disk(monkeypatch)
    insert(store, 3)
    assert disk.count == 1
    store.close()
    assert [document["id"] for _, document in state(path)["User"]] == ["u1", "u3"]


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
