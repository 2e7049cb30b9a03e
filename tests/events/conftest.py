import pytest

from storage.memory import MemoryStore
from storage.postgres_store import PostgresStore
from storage.tinydb_store import TinyDBStore
from tests.support.events import Reader
from tests.support.storage import KEPT


@pytest.fixture(params=["memory", "tinydb", "postgres"])
def reader(request, tmp_path):
    store = MemoryStore()
    if request.param == "tinydb":
        store = TinyDBStore(tmp_path / "data.json", durability="os", retention=KEPT)
    elif request.param == "postgres":
        store = PostgresStore(request.getfixturevalue("postgres_url"), retention=KEPT)
    yield Reader(store=store)
    store.close()
