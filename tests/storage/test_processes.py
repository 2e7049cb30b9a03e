"""Several processes over the same files: each sees the writes of the others, and overwrites none."""

import os
import threading
import time

import pytest

from storage.base import Busy, Duplicate
from tests.support.processes import end, kill, start
from tests.support.storage import data_of, ids_of, membership, opened, user


def in_workers(function, path, workers=3, threads=1):
    """Run the function in threads of several processes that begin together; return what they report."""
    source, report = os.pipe()
    at = time.monotonic() + 0.5

    def work(worker):
        store = opened(path)

        def run(thread):
            time.sleep(max(at - time.monotonic(), 0))
            os.write(report, f"{function(store, worker * threads + thread)}\n".encode())

        running = [threading.Thread(target=run, args=(thread,)) for thread in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        store.close()

    processes = [start(work, worker) for worker in range(workers)]
    os.close(report)
    assert [end(process) for process in processes] == [0] * workers
    with os.fdopen(source) as lines:
        return lines.read().split()


def test_one_of_eight_gets_a_name_over_three_workers(path):
    def create(store, number):
        try:
            with store.writing() as tx:
                tx.insert("User", user(number) | {"userName": "Same"})
        except Duplicate as error:
            return error.index
        return "kept"

    outcomes = in_workers(create, path, workers=4, threads=2)
    assert sorted(outcomes) == ["kept"] + ["userName"] * 7


def test_members_added_at_once_are_all_there(path):
    def add(store, number):
        for member in range(50):
            with store.writing() as tx:
                tx.insert("Membership", membership("g", f"{number}-{member}"))

    in_workers(add, path, workers=3, threads=2)
    store = opened(path)
    with store.reading() as reader:
        members = {document["member"] for document in data_of(reader.lookup("Membership", "group", "g"))}
    store.close()
    assert members == {f"{number}-{member}" for number in range(6) for member in range(50)}


def test_counting_up_over_workers_and_threads_loses_no_step(path, open_store):
    store = opened(path)
    with store.writing() as tx:
        tx.insert("User", user(1, title="0"))
    store.close()  # its thread would not be there after a fork

    def count(store, number):
        for _ in range(40):
            with store.writing() as tx:
                document = tx.get("User", "u1").data
                tx.replace("User", document | {"title": str(int(document["title"]) + 1)})

    in_workers(count, path, workers=3, threads=2)
    with open_store().reading() as reader:
        assert reader.get("User", "u1").data["title"] == "240"


def test_every_store_sees_what_another_has_just_kept(open_store):
    stores = [open_store(compact_after=2_000) for _ in range(3)]
    for number in range(60):
        with stores[number % 3].writing() as tx:
            tx.insert("User", user(number))
        if number % 7 == 0:
            stores[(number + 1) % 3].compact()
        for store in stores:
            with store.reading() as reader:
                assert reader.get("User", f"u{number}").data == user(number)
                assert reader.count("User") == number + 1


@pytest.mark.parametrize("note", ["\ud800", 2**70, ["é", {"a": -(2**64)}]])
def test_what_only_the_standard_library_reads_is_kept_by_each_way(open_store, note):
    odd = user(1, note=note)
    writer, other = open_store(), open_store()
    with writer.writing() as tx:
        tx.insert("User", odd)
        tx.insert("User", user(2))
    for way in (lambda: other, open_store, lambda: writer.compact() or open_store()):
        with way().reading() as reader:
            assert [reader.get("User", id).data for id in ("u1", "u2")] == [odd, user(2)]


def test_a_store_that_slept_through_two_compactions_catches_up(open_store, monkeypatch):
    monkeypatch.setattr("storage.tinydb_store.TICK", 60)
    awake, asleep = open_store(), open_store()
    for number in range(3):
        with awake.writing() as tx:
            tx.insert("User", user(number))
        awake.compact()
    with asleep.reading() as reader:
        assert reader.count("User") == 3
    with asleep.writing() as tx:
        tx.insert("User", user(3))
    with awake.reading() as reader:
        assert reader.count("User") == 4


def test_a_store_that_slept_may_be_the_next_to_compact(open_store, monkeypatch):
    monkeypatch.setattr("storage.tinydb_store.TICK", 60)
    awake, asleep = open_store(), open_store()
    with awake.writing() as tx:
        tx.insert("User", user(1))
    awake.compact()
    with awake.writing() as tx:
        tx.insert("User", user(2))
    asleep.compact()
    for store in (awake, asleep, open_store()):
        with store.reading() as reader:
            assert ids_of(reader.scan("User")) == ["u1", "u2"]


def test_a_scan_is_one_state_though_others_write_and_compact_meanwhile(open_store):
    store, other = open_store(), open_store()
    with store.writing() as tx:
        for number in range(2_000):
            tx.insert("User", user(number, title="before"))
    with store.reading() as reader:
        seen = []
        for number, stored in enumerate(reader.scan("User")):
            seen.append(stored.data)
            if number % 500 == 0:
                with other.writing() as tx:
                    tx.replace("User", user(1_999 - number, title="after"))
                    tx.delete("User", f"u{number + 1}")
                    tx.insert("User", user(f"x{number}"))
                other.compact()
                with store.reading() as newer:
                    assert newer.get("User", f"u{number + 1}") is None
        assert reader.count("User") == 2_000
        assert reader.get("User", "u1").data == user(1, title="before")
        assert reader.get("User", "ux0") is None
    assert seen == [user(number, title="before") for number in range(2_000)]
    with store.reading() as reader:
        assert ids_of(reader.lookup("User", "title", "after")) == [
            "u499",
            "u999",
            "u1499",
            "u1999",
        ]


def test_a_process_that_never_stops_writing_does_not_starve_others(path):
    def write(store, number):
        turns, stop = 0, time.monotonic() + 1
        while time.monotonic() < stop:
            with store.writing() as tx:
                tx.insert("User", user(f"{number}-{turns}"))
            turns += 1
        return turns

    turns = [int(count) for count in in_workers(write, path, workers=3, threads=3)]
    assert min(turns) > 5


def test_threads_share_the_disk(open_store, monkeypatch):
    store, syncs, fsync = open_store(), [], os.fdatasync

    def slow(descriptor):
        syncs.append(descriptor)
        time.sleep(0.02)
        fsync(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)

    def write(worker):
        for number in range(10):
            with store.writing() as tx:
                tx.insert("User", user(f"{worker}-{number}"))

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(syncs) < 40


def test_exclusive_work_ends_with_its_process(path, open_store):
    source, report = os.pipe()

    def work():
        with opened(path).exclusive("purge"):
            os.write(report, b"begun\n")
            time.sleep(60)

    other, process = open_store(), start(work)
    os.close(report)
    with os.fdopen(source) as lines:
        assert lines.readline() == "begun\n"
    with pytest.raises(Busy), other.exclusive("purge"):
        pass
    kill(process)
    with other.exclusive("purge"):
        pass
