"""Writing by turns: while one waits for the disk others write, and the board says where the journal ends."""

import errno
import fcntl
import json
import os
import shutil
import signal
import threading

import pytest

from storage.base import Duplicate, Unavailable
from storage.engine.commit import CommitLog
from storage.engine.journal import has_more_than_header
from storage.engine.shared_state import SIZE, WalIndex
from tests.support.processes import run
from tests.support.storage import insert, opened, state, user, user_ids


class Disk:
    """An fsync that waits in the threads that are held up, and fails there if it is told to."""

    def __init__(self, monkeypatch):
        self.fsync, self.count = os.fdatasync, 0
        self.held, self.entered, self.go = None, threading.Event(), threading.Event()
        self.fails = False
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, descriptor):
        self.count += 1
        if threading.current_thread() is self.held:
            self.entered.set()
            self.go.wait(10)
            if self.fails:
                raise OSError(errno.EIO, "Input/output error")
        self.fsync(descriptor)

    def hold_up(self, function, *args):
        """Run the function in a thread, up to its fsync."""
        self.held = threading.Thread(target=function, args=args, daemon=True)
        self.held.start()
        assert self.entered.wait(10)
        return self.held


@pytest.fixture
def outcomes():
    return {}


@pytest.fixture
def write(outcomes):
    def write(store, number):
        try:
            insert(store, number)
            outcomes[number] = "kept"
        except Unavailable as error:
            outcomes[number] = str(error)

    return write


def wait_for(condition):
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError


def in_another(write, store, number, reader):
    """Write in a thread, up to where it waits for its turn to sync."""
    thread = threading.Thread(target=write, args=(store, number), daemon=True)
    thread.start()
    wait_for(lambda: f"u{number}" in user_ids(reader))
    return thread


def test_others_write_while_one_waits_for_the_disk(open_store, monkeypatch, write, outcomes):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, first, 1)
    other = in_another(write, second, 2, reader)
    assert outcomes == {}
    disk.go.set()
    held.join()
    other.join()
    assert outcomes == {1: "kept", 2: "kept"}


def test_what_another_process_has_made_durable_needs_no_fsync(open_store, monkeypatch, write, outcomes):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, first, 1)
    waiting = [in_another(write, store, number, reader) for store, number in ((second, 2), (first, 3))]
    disk.go.set()
    for thread in [held, *waiting]:
        thread.join()
    assert outcomes == {1: "kept", 2: "kept", 3: "kept"}
    assert disk.count < 4


def test_a_line_above_one_that_the_disk_lost_is_lost_in_every_process(open_store, monkeypatch, write, outcomes):
    first, second, reader = open_store(), open_store(), open_store()
    insert(first, 0)
    disk = Disk(monkeypatch)
    disk.fails = True
    held = disk.hold_up(write, first, 1)
    other = in_another(write, second, 2, reader)
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


def found_already(outcomes, store, id):
    """Write nothing, as who finds that what it wants is so."""
    try:
        with store.writing() as tx:
            assert tx.get("User", id)
        outcomes["nothing"] = "kept"
    except Unavailable as error:
        outcomes["nothing"] = str(error)


@pytest.mark.parametrize("fails", [False, True])
def test_whoever_changes_nothing_waits_until_what_it_saw_is_durable(open_store, monkeypatch, write, outcomes, fails):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    disk.fails = fails
    held = disk.hold_up(write, first, 1)
    wait_for(lambda: "u1" in user_ids(reader))
    other = threading.Thread(target=found_already, args=(outcomes, second, "u1"), daemon=True)
    other.start()
    other.join(0.2)
    assert outcomes == {}
    disk.go.set()
    held.join()
    other.join()
    assert (outcomes["nothing"] == "kept") is (outcomes[1] == "kept") is not fails
    assert user_ids(open_store()) == ([] if fails else ["u1"])


def test_a_failure_that_nobody_foresaw_keeps_no_later_writer_waiting(open_store, monkeypatch):
    store = open_store()
    with monkeypatch.context() as patch:
        patch.setattr("storage.engine.commit.CommitLog._make_durable", lambda *_: [][0])
        with pytest.raises(IndexError):
            insert(store, 1)
    assert can_write(store)


def test_a_turn_that_cannot_be_had_keeps_no_later_writer_waiting(open_store, monkeypatch):
    store = open_store()
    turn = store._commit_log._sync_lock
    with monkeypatch.context() as patch:
        patch.setattr("fileio.locks.fcntl.flock", refuse_to(turn._descriptor))
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


def test_a_line_that_was_durable_before_others_were_lost_is_kept(open_store, monkeypatch, write, outcomes):
    first, second = open_store(), open_store()
    disk = Disk(monkeypatch)
    held = disk.hold_up(write, first, 1)  # in the turn to sync
    waiting = in_another(write, second, 2, first)  # the others wait for it
    commit_log = second._commit_log
    disk.go.set()
    held.join()
    waiting.join()
    with commit_log._syncing:  # as if its thread had not come to it yet
        waiting = in_another(write, second, 3, first)
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


@pytest.mark.parametrize("step", ["invalidate_end", "publish_end"])
@pytest.mark.parametrize("after", [False, True])
def test_a_writer_that_is_killed_beside_a_word_on_the_board_misleads_nobody(path, open_store, step, after):
    store = open_store()
    insert(store, 1)

    def write_and_die():
        mine = opened(path)
        told = getattr(WalIndex, step)

        def die(*args):
            if after:
                told(*args)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(WalIndex, step, die)
        insert(mine, 2)

    assert run(write_and_die) == -signal.SIGKILL
    there = ["u1"] if step == "invalidate_end" else ["u1", "u2"]
    assert user_ids(store) == user_ids(open_store()) == there
    insert(store, 3)
    assert user_ids(store) == user_ids(open_store()) == [*there, "u3"]


@pytest.mark.parametrize("left", [b"", b"\xff" * SIZE, b"\0" * SIZE, None])
def test_a_board_that_is_missing_or_from_another_time_does_no_harm(
    path, open_store, monkeypatch, write, outcomes, left
):
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


def test_files_that_are_older_than_the_board_are_served_as_they_are(path, monkeypatch):
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
def test_a_journal_that_has_ended_is_not_cut(open_store, monkeypatch, write, outcomes, merged):
    first, second = open_store(), open_store()
    insert(first, 1)
    board = first._commit_log._wal_index
    told = board.acknowledged
    with monkeypatch.context() as patch:
        if not merged:
            patch.setattr("storage.engine.commit.merge", lambda *args: None)
        first.compact()
    board.acknowledged = told  # as a process leaves it that is killed as soon as it has ended the journal
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


def test_a_line_that_another_process_made_durable_is_kept_though_those_after_it_are_lost(
    open_store, monkeypatch, write, outcomes
):
    first, second, reader = open_store(), open_store(), open_store()
    disk = Disk(monkeypatch)
    with second._commit_log._syncing:
        disk.held = in_another(write, second, 1, reader)
        insert(first, 2)
        after = in_another(write, second, 3, reader)
        disk.fails = True
        disk.go.set()
    disk.held.join()
    after.join()
    assert outcomes[1] == "kept"
    assert "Input/output error" in outcomes[3]
    for store in (first, second, reader, open_store()):
        assert user_ids(store) == ["u1", "u2"]


def refused(outcomes, store, id):
    """Write what is there already, and read it where it was found."""
    try:
        with pytest.raises(Duplicate), store.writing() as tx:
            tx.insert("User", user(id))
        outcomes[store] = user_ids(store)
    except Unavailable as error:
        outcomes[store] = str(error)


@pytest.mark.parametrize("fails", [False, True])
def test_who_is_refused_waits_until_what_it_saw_is_durable_and_reads_it(
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


def hold_before_syncing(monkeypatch, store, write, number):
    """Write in a thread, up to where it would make its line durable; return the thread, and what lets it go on."""
    usual, entered, go = CommitLog._wait, threading.Event(), threading.Event()

    def wait(commit_log, commit):
        if commit_log is store._commit_log and not go.is_set():
            entered.set()
            go.wait(10)
        usual(commit_log, commit)

    monkeypatch.setattr(CommitLog, "_wait", wait)
    thread = threading.Thread(target=write, args=(store, number), daemon=True)
    thread.start()
    assert entered.wait(10)
    return thread, go


def test_what_another_process_was_told_of_is_read_by_the_one_that_wrote_it(open_store, monkeypatch, write, outcomes):
    first, second = open_store(), open_store()
    held, go = hold_before_syncing(monkeypatch, first, write, 1)
    found_already(outcomes, second, "u1")
    assert outcomes == {"nothing": "kept"}
    assert user_ids(first) == user_ids(second) == ["u1"]
    later = in_another(write, first, 2, second)
    assert user_ids(first) == ["u1"]  # not the later one, which nobody was told of
    go.set()
    held.join()
    later.join()
    assert outcomes == {"nothing": "kept", 1: "kept", 2: "kept"}
    assert user_ids(first) == user_ids(second) == ["u1", "u2"]


def test_what_the_disk_lost_is_not_read_for_what_came_in_its_place(open_store, monkeypatch, write, outcomes):
    first, second = open_store(), open_store()
    insert(first, 0)
    disk = Disk(monkeypatch)
    disk.fails = True
    held = disk.hold_up(write, first, 1)
    told = WalIndex.acknowledged

    def slow(board):
        """Lose the line, and have another told of in its place, while a reader asks what was told."""
        monkeypatch.setattr(WalIndex, "acknowledged", told)
        disk.go.set()
        held.join()
        insert(second, 2)
        return board.acknowledged

    monkeypatch.setattr(WalIndex, "acknowledged", property(slow))
    assert "u1" not in user_ids(first)
    assert "Input/output error" in outcomes[1]
    assert user_ids(first) == user_ids(second) == ["u0", "u2"]


def test_a_write_that_is_refused_in_a_journal_whose_beginning_failed_does_not_stay(open_store, monkeypatch):
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


def test_compactions_that_overtake_whoever_opens_the_store_are_no_damage(open_store, monkeypatch):
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


def test_a_line_that_no_fsync_has_reached_is_not_kept_for_a_process_that_comes_in(
    open_store, monkeypatch, write, outcomes
):
    first = open_store()
    held, go = hold_before_syncing(monkeypatch, first, write, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        second = open_store()
        go.set()
        held.join()
    assert "Input/output error" in outcomes[1]
    # Whoever came in had to take it for a line that somebody was told of: it may not be cut off any more.
    assert user_ids(first) == user_ids(second) == user_ids(open_store()) == ["u1"]
    insert(first, 2)
    assert user_ids(second) == ["u1", "u2"]


def fail(_):
    raise OSError(errno.EIO, "Input/output error")


def test_a_reader_needs_no_fsync_to_follow_into_the_next_journal_but_a_writer_does(open_store, monkeypatch):
    first, second = open_store(), open_store()
    insert(first, 1)
    with monkeypatch.context() as patch:
        # As a process leaves it that is killed when it has just ended the journal.
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
