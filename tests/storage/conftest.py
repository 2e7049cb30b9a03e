import sys
from pathlib import Path

import pytest

from storage.memory import MemoryStore
from storage.tinydb_store import TinyDBStore
from tests.support.storage import INDEXES


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "data" / "tinyscim.json"


@pytest.fixture(params=["memory", "tinydb", "tinydb-os"])
def store(request, path):
    if request.param == "memory":
        store = MemoryStore()
    else:
        store = TinyDBStore(path, durability="os" if request.param == "tinydb-os" else "fsync")
    store.open(INDEXES)
    yield store
    store.close()


@pytest.fixture
def open_store(path):
    """Open further stores over the same files, as other workers do."""
    stores = []

    def opened(**options):
        store = TinyDBStore(path, **options)
        store.open(INDEXES)
        stores.append(store)
        return store

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def hasty_threads():
    """Have threads take the interpreter from each other at ever other places, and none wait for it for long."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(usual)
