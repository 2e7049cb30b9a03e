"""PostgreSQL: a primary with a synchronous standby."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.base import Unavailable
from storage.postgres_store import PostgresStore
from tests.support import postgres
from tests.support.storage import INDEXES, insert, user_ids

pytestmark = pytest.mark.long

WAITING = "SELECT {} FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def servers():
    with postgres.running() as primary:
        primary.execute("CREATE DATABASE tinyscim")
        standby = primary.standby()
        yield primary, standby
        standby.close()


def opened(url):
    store = PostgresStore(url)
    store.open(INDEXES)
    return store


def test_only_the_primary_is_used_unless_the_url_says_otherwise(servers):
    one, other = (server.url("tinyscim") for server in servers)
    address = one.partition("@")[2].partition("/")[0]
    store = opened(other.replace("@", f"@{address},"))
    insert(store, 1)
    assert user_ids(store) == ["u1"]
    with pytest.raises(Unavailable, match="standby"):
        opened(other)
    store.close()


@pytest.mark.parametrize("end", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_that_no_standby_has_confirmed_is_not_acknowledged(servers, end):
    primary, standby = servers
    store = opened(primary.url("tinyscim"))
    standby.kill()
    with ThreadPoolExecutor(1) as pool:
        write = pool.submit(insert, store, 1)
        while not primary.execute(WAITING.format("1")):
            pass
        primary.execute(WAITING.format(f"{end}(pid)"))
        with pytest.raises(Unavailable) as caught:
            write.result()
    assert caught.value.is_unknown
    assert user_ids(store) == ["u1"]
    store.close()
