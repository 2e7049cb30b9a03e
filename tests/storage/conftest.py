import sys
from pathlib import Path

import pytest

from storage.base import Unavailable
from storage.memory import MemoryStore
from storage.postgres_store import PostgresStore
from storage.tinydb_store import TinyDBStore
from tests.support.storage import INDEXES, KEPT, insert, opened, user


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "data" / "tinyscim.json"


@pytest.fixture(params=["memory", "tinydb", "tinydb-os", "postgres"])
def store(request, path):
    if request.param == "memory":
        store = MemoryStore()
    elif request.param == "postgres":
        store = PostgresStore(request.getfixturevalue("postgres_url"), retention=KEPT)
    else:
        store = TinyDBStore(path, durability="os" if request.param == "tinydb-os" else "fsync")
    store.open(INDEXES)
    yield store
    store.close()


@pytest.fixture
def open_store(path):
    """Open more stores over the same files, as other workers do."""
    stores = []

    def opened(**options):
        store = TinyDBStore(path, **{"retention": KEPT, **options})
        store.open(INDEXES)
        stores.append(store)
        return store

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def hasty_threads():
    """Switch threads often, so that races show."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def full(store):
    with store.writing() as tx:
        for number in range(1, 8):
            tx.insert("User", user(number, title="odd" if number % 2 else "even"))
    return store


@pytest.fixture
def filled(path):
    """Make files with ten users in the snapshot and five more in the journal."""
    store = opened(path)
    for number in range(1, 11):
        with store.writing() as tx:
            tx.insert("User", user(number, title="é"))
    store.compact()
    for number in range(11, 16):
        with store.writing() as tx:
            tx.insert("User", user(number))
    store.close()
    return path


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
