"""PostgreSQL: what the log forgets."""

import psycopg
import pytest

from storage.base import Expired, Retention
from storage.postgres_store import PostgresStore
from tests.support.storage import INDEXES, entries_of


@pytest.fixture
def open_store(postgres_url, monkeypatch):
    monkeypatch.setattr("storage.postgres.log.PAUSE", 0)
    stores = []

    def opened(**retention):
        stores.append(PostgresStore(postgres_url, retention=Retention(**retention)))
        stores[-1].open(INDEXES)
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def append(store, number):
    """Append an entry of about 1,000 bytes, and return the cursor after it."""
    with store.writing() as tx:
        tx.append({"number": number, "text": "x" * 980})
    with store.reading() as reader:
        return reader.end


def numbers(store, after=""):
    with store.reading() as reader:
        return [entry["number"] for entry in entries_of(reader, after)]


def test_the_oldest_entries_beyond_the_bytes_to_keep_are_removed(open_store):
    store = open_store(days=7, bytes=5_500)
    cursors = [append(store, number) for number in range(10)]
    assert numbers(store) == [5, 6, 7, 8, 9]
    assert numbers(store, cursors[4]) == [5, 6, 7, 8, 9]
    with pytest.raises(Expired):
        numbers(store, cursors[3])


def test_entries_older_than_the_days_to_keep_are_removed(open_store, postgres_url):
    store = open_store(days=7, bytes=1_000_000)
    cursors = [append(store, number) for number in range(4)]
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "UPDATE tinyscim.log SET written = now() - interval '8 days' WHERE version <= %s", [cursors[1]]
        )
    append(store, 4)
    assert numbers(store) == [2, 3, 4]


def test_long_logs_are_read_page_by_page(open_store):
    store = open_store(days=7, bytes=1_000_000)
    cursors = [append(store, number) for number in range(210)]
    assert numbers(store, cursors[3]) == list(range(4, 210))


def test_a_cursor_of_commits_that_a_promoted_standby_never_had_has_expired(open_store, postgres_url):
    store = open_store(days=7, bytes=1_000_000)
    common, lost = append(store, 1), append(store, 2)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DELETE FROM tinyscim.log WHERE version = %s", [lost])
        connection.execute("UPDATE tinyscim.store SET version = %s", [common])
    with pytest.raises(Expired):
        numbers(store, lost)
    while int(append(store, 3)) <= int(lost):
        pass
    with pytest.raises(Expired):
        numbers(store, lost)
    assert set(numbers(store, common)) == {3}
