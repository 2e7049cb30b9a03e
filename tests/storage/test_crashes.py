"""After a kill at any step, acknowledged writes are there, and each transaction is there whole or not at all."""

import itertools
import os
import random
import signal
import time

import pytest

from storage.base import Unavailable
from storage.engine.paths import Files
from storage.maintenance.repair import Salvage
from tests.support.processes import die_at_step, end, kill, run, start
from tests.support.storage import entries_of, ids_of, membership, opened, reboot, state, user


def write_pairs(path, worker, report, options):
    """Write pairs of documents endlessly, and report each number once it is kept."""
    store = opened(path, **options)
    for number in itertools.count():
        with store.writing() as tx:
            tx.insert("User", user(f"{worker}-{number}"))
            tx.insert("Membership", membership(f"g{worker}", number))
            tx.append({"id": f"u{worker}-{number}"})
        os.write(report, f"{worker}-{number}\n".encode())


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_reported_writes_survive_kill_9_of_all_writers(path, durability):
    chance = random.Random(7)
    reported = set()
    for turn in range(4):
        source, report = os.pipe()
        options = {"durability": durability, "compact_after": 20_000}
        workers = [start(write_pairs, path, f"{turn}{name}", report, options) for name in "abc"]
        os.close(report)
        time.sleep(0.3 + chance.random() / 3)
        for worker in workers:
            kill(worker)
        with os.fdopen(source) as lines:
            reported.update(line.strip() for line in lines if line.endswith("\n"))
        kept = state(path)
        users = {document["id"].removeprefix("u") for _, document in kept["User"]}
        members = {f"{document['group'][1:]}-{document['member']}" for _, document in kept["Membership"]}
        assert reported <= users
        assert users == members
        assert len({place for place, _ in kept["User"]}) == len(users)
        assert [entry["id"] for entry in log(path)] == [document["id"] for _, document in kept["User"]]
    assert len(reported) > 20


def log(path, after=""):
    """Open the files, and return the entries of the log after a cursor."""
    store = opened(path)
    try:
        with store.reading() as reader:
            return entries_of(reader, after)
    finally:
        store.close()


def write_twice_and_die(path, step):
    store = opened(path)
    die_at_step(step)
    with store.writing() as tx:
        tx.insert("User", user(2))
        tx.insert("Group", {"id": "g", "displayName": "g"})
        tx.append({"step": 1})
    with store.writing() as tx:
        tx.delete("User", "u1")
        tx.delete("Group", "g")
        tx.append({"step": 2})


def test_a_kill_at_each_step_of_a_write_leaves_the_state_before_or_after(path):
    store = opened(path)
    with store.writing() as tx:
        tx.insert("User", user(1))
    store.close()
    for step in itertools.count(1):
        start = end_of_log(path)
        status = run(write_twice_and_die, path, step)
        now = state(path)
        users = [document["id"] for _, document in now["User"]]
        steps = [entry["step"] for entry in log(path, start)]
        assert (users, len(now["Group"]), steps) in [(["u1"], 0, []), (["u1", "u2"], 1, [1]), (["u2"], 0, [1, 2])]
        if status == 0:
            break
        restore(path, users, now)
    assert users == ["u2"]
    assert step > 4


def end_of_log(path):
    store = opened(path)
    with store.reading() as reader:
        end = reader.end
    store.close()
    return end


def restore(path, users, now):
    store = opened(path)
    with store.writing() as tx:
        if "u2" in users:
            tx.delete("User", "u2")
        if now["Group"]:
            tx.delete("Group", "g")
        if "u1" not in users:
            tx.insert("User", user(1))
    store.close()


def compact_and_die(path, step):
    store = opened(path)
    die_at_step(step)
    store.compact()


def test_a_kill_at_each_step_of_a_compaction_loses_nothing(path):
    store = opened(path)
    for number in range(50):
        with store.writing() as tx:
            tx.insert("User", user(number))
            tx.append({"number": number})
    with store.writing() as tx:
        tx.delete("User", "u7")
        tx.delete("User", "u49")
    store.close()
    expected, entries = state(path), log(path)
    for step in itertools.count(1):
        status = run(compact_and_die, path, step)
        assert state(path) == expected
        assert log(path) == entries
        write_and_take_back(path)
        assert Salvage(Files(path)).problems == []
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert step > 10


def write_and_take_back(path):
    """Check that the store can still be written, at a new position."""
    store = opened(path)
    with store.reading() as reader:
        highest = max(reader.position("User", id) for id in ids_of(reader.scan("User")))
    with store.writing() as tx:
        tx.insert("User", user("x"))
        assert tx.position("User", "ux") > highest + 1
    with store.writing() as tx:
        tx.delete("User", "ux")
    store.close()


def open_and_die(path, step):
    die_at_step(step)
    opened(path)


def test_a_kill_at_each_step_of_making_the_first_files_leaves_a_store_that_opens(path):
    for step in itertools.count(1):
        status = run(open_and_die, path, step)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert step > 3
    assert state(path) == {"User": [], "Group": [], "Membership": []}


def test_a_kill_at_each_step_of_a_migration_leaves_all_documents(path):
    path.parent.mkdir()
    stock = '{"User": {"3": {"id": "u3", "userName": "a"}, "9": {"id": "u9", "userName": "b"}}}'
    path.write_text(stock)
    for step in itertools.count(1):
        if run(open_and_die, path, step) == 0:
            break
    assert step > 3
    assert [(place, document["id"]) for place, document in state(path)["User"]] == [(3, "u3"), (9, "u9")]
    assert any(copy.read_text() == stock for copy in path.parent.glob("*.backup.*"))


def test_a_torn_last_line_is_dropped_wherever_it_is_cut(path):
    store = opened(path)
    for number in range(3):
        with store.writing() as tx:
            tx.insert("User", user(number))
    store.close()
    journal = path.with_name("tinyscim.json.journal.1")
    whole = journal.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for cut in range(last, len(whole)):
        journal.write_bytes(whole[:cut])
        reboot(path)
        assert [document["id"] for _, document in state(path)["User"]] == ["u0", "u1"]
    store = opened(path)
    with store.writing() as tx:
        tx.insert("User", user(2))
    store.close()
    assert journal.read_bytes() == whole


def test_a_reader_never_sees_a_write_that_the_disk_loses(path, open_store, monkeypatch):
    writer, reader = open_store(), open_store()
    with writer.writing() as tx:
        tx.insert("User", user(1))
    fsync = os.fdatasync

    def fail(descriptor):
        with reader.reading() as view:
            assert view.count("User") == 1
        monkeypatch.setattr(os, "fdatasync", fsync)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(Unavailable), writer.writing() as tx:
        tx.insert("User", user(2))
    with writer.writing() as tx:
        tx.insert("User", user(3))
    for store in (writer, reader):
        with store.reading() as view:
            assert ids_of(view.scan("User")) == ["u1", "u3"]


def write_and_compact(path, worker):
    store = opened(path, compact_after=1 << 40)
    for number in range(150):
        with store.writing() as tx:
            tx.insert("User", user(f"{worker}-{number}"))
        if number % 3 == 0:
            with store.writing() as tx:
                tx.delete("User", f"u{worker}-{number}")
        if number % 10 == worker:
            store.compact()
    with store.reading() as reader:
        mine = [id for id in ids_of(reader.scan("User")) if id.startswith(f"u{worker}-")]
    assert mine == [f"u{worker}-{number}" for number in range(150) if number % 3]
    store.close()


def test_compaction_races_with_writers_in_other_processes(path):
    workers = [start(write_and_compact, path, worker) for worker in range(3)]
    assert [end(worker) for worker in workers] == [0, 0, 0]
    users = state(path)["User"]
    assert len(users) == 300
    assert [place for place, _ in users] == sorted(place for place, _ in users)
