"""A full, read-only or broken disk: writes are refused, memory and file agree, and later writes work."""

import contextlib
import errno
import os
import resource
import subprocess
import threading
import time

import pytest

import storage.engine.commit
import storage.tinydb_store
from storage.base import Unavailable
from storage.tinydb_store import TinyDBStore
from tests.support.processes import run
from tests.support.storage import INDEXES, insert, opened, user_ids


def fill(store):
    """Write until there is no room; return what was kept."""
    kept = []
    for number in range(1_000):
        try:
            insert(store, number, title="x" * 1_000)
        except Unavailable as error:
            full = error.full
            break
        kept.append(f"u{number}")
    assert full
    return kept


def write_up_to_a_limit(path):
    store = opened(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (51_500, resource.RLIM_INFINITY))
    kept = fill(store)
    assert len(kept) > 20
    assert user_ids(store) == kept
    other = opened(path)
    assert user_ids(other) == kept
    insert(other, "small")
    with pytest.raises(Unavailable):
        insert(store, "large", title="x" * 1_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    insert(store, "large", title="x" * 1_000)
    assert user_ids(store) == user_ids(other) == [*kept, "usmall", "ularge"]


def test_a_limit_in_the_middle_of_an_append_leaves_memory_and_file_in_step(path):
    assert run(write_up_to_a_limit, path) == 0


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_writes_until_there_is_room(small_disk):
    store = opened(small_disk / "data.json")
    for number in range(20):
        insert(store, f"early{number}", title="x" * 1_000)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 200_000)
    kept = [f"uearly{number}" for number in range(20)] + fill(store)
    assert user_ids(store) == kept
    with pytest.raises(Unavailable):
        store.compact()
    assert user_ids(store) == kept
    ballast.unlink()
    insert(store, "late")
    store.compact()
    insert(store, "later")
    store.close()
    store = opened(small_disk / "data.json")
    assert user_ids(store) == [*kept, "ulate", "ulater"]
    store.close()


def test_a_disk_that_turns_read_only_refuses_writes_and_serves_reads(small_disk):
    store = opened(small_disk / "data.json")
    insert(store, 1)
    store.close()
    store = TinyDBStore(small_disk / "data.json")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(Unavailable) as caught:
        store.open(INDEXES)
    assert not caught.value.full
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    store.open(INDEXES)
    insert(store, 2)
    assert user_ids(store) == ["u1", "u2"]
    store.close()


@contextlib.contextmanager
def failing(monkeypatch, name, error=errno.EIO, after=None):
    """Make a call of the operating system fail, after calling `after`."""

    def fail(*args):
        if after:
            after(*args)
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        yield


def half(pwrite):
    return lambda descriptor, data, offset: pwrite(descriptor, data[: len(data) // 2], offset)


@pytest.mark.parametrize("name", ["pwrite", "fdatasync"])
def test_an_error_of_the_disk_takes_the_write_back(open_store, monkeypatch, name):
    store, other = open_store(), open_store()
    insert(store, 1)
    after = half(os.pwrite) if name == "pwrite" else None
    with failing(monkeypatch, name, after=after), pytest.raises(Unavailable) as caught:
        insert(store, 2)
    assert not caught.value.full
    assert user_ids(store) == user_ids(other) == ["u1"]
    insert(other, 3)
    insert(store, 2)
    assert user_ids(store) == user_ids(other) == ["u1", "u3", "u2"]
    assert user_ids(open_store()) == ["u1", "u3", "u2"]


def test_a_line_that_cannot_be_truncated_is_truncated_by_the_next_writer(open_store, monkeypatch):
    store, other = open_store(), open_store()
    insert(store, 1)
    with failing(monkeypatch, "ftruncate"), failing(monkeypatch, "pwrite", after=half(os.pwrite)):
        with pytest.raises(Unavailable):
            insert(store, 2, title="long" * 100)
        assert user_ids(store) == user_ids(open_store()) == ["u1"]
        with pytest.raises(Unavailable):
            insert(store, 2)
    insert(other, 3)
    assert user_ids(store) == user_ids(other) == user_ids(open_store()) == ["u1", "u3"]
    assert store.files.journal(1).read_bytes().endswith(b"\n")


def test_all_threads_of_a_failed_fsync_get_the_error(open_store, monkeypatch):
    store, outcomes = open_store(), []
    fsync = os.fdatasync
    entered, go = threading.Event(), threading.Event()

    def fail_first(descriptor):
        if not entered.is_set():
            entered.set()
            go.wait()
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    def write(number):
        try:
            insert(store, number)
            outcomes.append((number, True))
        except Unavailable:
            outcomes.append((number, False))

    monkeypatch.setattr(os, "fdatasync", fail_first)
    first = threading.Thread(target=write, args=(0,))
    first.start()
    entered.wait()
    others = [threading.Thread(target=write, args=(number,)) for number in range(1, 5)]
    for thread in others:
        thread.start()
    go.set()
    for thread in [first, *others]:
        thread.join()
    assert (0, False) in outcomes
    assert set(user_ids(store)) == set(user_ids(open_store())) == {f"u{number}" for number, kept in outcomes if kept}


def test_a_document_that_is_not_json_is_refused_and_nothing_changes(open_store):
    store = open_store()
    for odd in (float("nan"), {1, 2}, object()):
        with pytest.raises((TypeError, ValueError)):
            insert(store, 1, weight=odd)
    insert(store, 2)
    assert user_ids(store) == user_ids(open_store()) == ["u2"]


def test_a_compaction_that_failed_on_a_full_disk_is_finished_later(path, monkeypatch):
    def no_room(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage.tinydb_store, "TICK", 0.05)
    monkeypatch.setattr(storage.tinydb_store, "PAUSE", 0.05)
    store = opened(path)
    insert(store, 1)
    with monkeypatch.context() as patch:
        patch.setattr(storage.engine.commit, "merge", no_room)
        with pytest.raises(Unavailable):
            store.compact()
        assert store.files.generations() == [1, 2]
    until = time.monotonic() + 30
    while store.files.generations() != [2] and time.monotonic() < until:
        time.sleep(0.02)
    assert store.files.generations() == [2]
    assert b'"u1"' in path.read_bytes()
    store.close()
