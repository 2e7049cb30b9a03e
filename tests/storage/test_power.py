"""A power failure at each write and each fsync: the store starts by itself with everything that was acknowledged."""

import contextlib
import shutil
import tempfile
from pathlib import Path
from random import Random

import pytest

from storage.base import Unavailable
from tests.support.commits import queue_up
from tests.support.power import Disk, states
from tests.support.storage import data_of, entries_of, membership, opened, reboot, user

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder():
    """In memory where there is such a folder, since its inodes are not used again."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.exists() else None))
    yield folder
    shutil.rmtree(folder)


def put(disk, store, number, size):
    """Write a user and a membership, and note the answer."""
    try:
        with store.writing() as tx:
            tx.insert("User", user(number, title="x" * size))
            tx.insert("Membership", membership("g", number))
            tx.append({"id": f"u{number}"})
    except Unavailable:
        if not store.read_only:  # else the change may have been kept
            disk.refused.add(f"u{number}")
    else:
        disk.kept.add(f"u{number}")


def put_together(disk, store, number, chance):
    """Write in three threads that share a batch."""
    threads = []
    try:
        with store.writing() as tx:
            tx.insert("User", user(number))
            tx.insert("Membership", membership("g", number))
            tx.append({"id": f"u{number}"})
            threads = [queue_up(store, put, disk, store, f"{number}-{n}", chance.randrange(2_000)) for n in range(3)]
        disk.kept.add(f"u{number}")
    except Unavailable:
        pass
    for thread in threads:
        thread.join()


def work(disk, path, steps):
    """Write from two processes' stores, in batches of all sizes, and compact."""
    chance, stores = disk.chance, [opened(path), opened(path)]
    for number in range(steps):
        store = chance.choice(stores)
        kind = chance.random()
        if kind < 0.1:
            compact(store)
        elif kind < 0.4:
            put_together(disk, store, number, chance)
        else:
            put(disk, store, number, chance.choice([0, 100, 1_000, 6_000]))
    disk.failing = 0
    for store in stores:
        store.close()


def compact(store):
    with contextlib.suppress(Unavailable):
        store.compact()


def check(folder, files, moment, start):
    """Start from the files that a power failure left, and compare them with the answers that clients had."""
    path = folder / "data.json"
    for name, content in files.items():
        (folder / name).write_bytes(content)
    locks = folder / "data.json.locks"
    locks.mkdir()
    for turn in range(2):
        store = opened(path)
        with store.reading() as reader:
            users = {document["id"] for document in data_of(reader.scan("User"))}
            entries = [entry["id"] for entry in entries_of(reader, start)]
            members = {f"u{document['member']}" for document in data_of(reader.scan("Membership"))}
        assert moment.kept <= users
        assert not moment.refused & users
        assert users - {"uafter0"} == members
        assert sorted(entries) == sorted(users)
        with store.writing() as tx:
            tx.insert("User", user(f"after{turn}"))
            tx.append({"id": f"uafter{turn}"})
        store.close()
        if not turn:
            reboot(path)


@pytest.mark.parametrize("failing", [0.0, 0.15])
@pytest.mark.parametrize(("steps", "times"), [(6, 1), pytest.param(30, 6, marks=pytest.mark.long)])
def test_after_a_power_failure_at_any_step_everything_acknowledged_is_there(folder, monkeypatch, failing, steps, times):
    monkeypatch.setattr("storage.tinydb_store.TICK", 60)
    chance, count = Random(f"{failing} {steps}"), 0
    (folder / "data").mkdir()
    store = opened(folder / "data" / "data.json")
    with store.reading() as reader:
        start = reader.end
    store.close()
    with monkeypatch.context() as patch:
        disk = Disk(folder / "data", patch, chance, failing)
        work(disk, folder / "data" / "data.json", steps)
    for number, moment in enumerate(disk.moments):
        for files in states(moment, chance, times):
            count += 1
            place = folder / f"{number}-{count}"
            place.mkdir()
            check(place, files, moment, start)
            shutil.rmtree(place)
    assert count > (1_000 if times > 1 else 50)
