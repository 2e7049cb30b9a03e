"""An error of the disk at each call of a write and of a compaction, once or from then on."""

import errno
from itertools import count

import pytest

from storage.base import Unavailable
from storage.engine.paths import Files
from storage.maintenance.repair import check
from tests.support.faults import Faults
from tests.support.storage import entries_of, reboot, state, user, user_ids


@pytest.fixture
def stores(open_store, monkeypatch):
    monkeypatch.setattr("storage.tinydb_store.TICK", 60)
    stores = open_store(), open_store()
    put(stores[0], "first")
    return stores


@pytest.fixture(params=[errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def faults(request, monkeypatch):
    return Faults(monkeypatch, request.param)


@pytest.fixture(params=[False, True], ids=["once", "for-ever"])
def each_call(request, faults):
    """Yield the numbers of all calls of an operation, so that each fails in turn."""
    faults.for_ever = request.param

    def numbers():
        for faults.at in count(1):
            yield faults.at
            if faults.count < faults.at:
                return

    return numbers


def put(store, number):
    with store.writing() as tx:
        tx.insert("User", user(number))
        tx.append({"id": f"u{number}"})


def attempt(faults, function, *args):
    """Return whether the operation succeeded; an error says whether the disk is full."""
    full = []
    try:
        function(*args)
    except Unavailable as error:
        full.append(error.full)
    assert full in ([], [faults.error == errno.ENOSPC])
    return not full


def agree(stores, kept):
    """Check that all processes, and one that starts, have these users."""
    assert [user_ids(store) for store in stores] == [kept] * 2
    for store in stores:
        with store.reading() as reader:
            assert [entry["id"] for entry in entries_of(reader)] == kept
    assert [document["id"] for _, document in state(stores[0].files.snapshot)["User"]] == kept


def test_a_write_is_kept_or_refused_whichever_call_fails(stores, faults, each_call):
    kept = ["ufirst"]
    for number in each_call():
        with faults:
            if attempt(faults, put, stores[0], number):
                kept.append(f"u{number}")
            if faults.for_ever:
                assert user_ids(stores[0]) == kept
        put(stores[number % 2], f"after{number}")
        kept.append(f"uafter{number}")
        agree(stores, kept)
    assert number > 8
    reboot(stores[0].files.snapshot)
    agree(stores, kept)


def test_a_compaction_loses_nothing_whichever_call_fails(stores, faults, each_call):
    kept = ["ufirst"]
    for number in each_call():
        with faults:
            attempt(faults, stores[0].compact)
        put(stores[number % 2], number)
        kept.append(f"u{number}")
        agree(stores, kept)
        stores[1].compact()
    assert number > 20
    agree(stores, kept)
    assert not check(Files(stores[0].files.snapshot)).problems
