"""PostgreSQL: tables are created once, and indexes are built when they are declared."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from storage.base import Duplicate, Index, StoreError, Unavailable
from storage.postgres import building
from storage.postgres_store import PostgresStore
from tests.support.storage import INDEXES, ids_of, insert, user, user_ids

CITY = Index("User", "city", lambda user: [user["city"]] if "city" in user else [])
UNIQUE_CITY = replace(CITY, unique=True)


@pytest.fixture
def open_store(postgres_url):
    stores = []

    def opened(indexes):
        stores.append(PostgresStore(postgres_url))
        stores[-1].open(indexes)
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def filled(open_store):
    store = open_store(INDEXES)
    with store.writing() as tx:
        for number in range(1, 1_051):
            tx.insert("User", user(number, city=f"City {number % 7}"))
        tx.delete("User", "u8")
    return store


def found(store, key, index="city"):
    with store.reading() as reader:
        return ids_of(reader.lookup("User", index, key))


def test_stores_that_open_an_empty_database_at_once_create_it_once(postgres_url):
    stores = [PostgresStore(postgres_url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda store: store.open(INDEXES), stores))
    for number, store in enumerate(stores):
        insert(store, number)
        store.close()
    stores[0].open(INDEXES)
    assert len(user_ids(stores[0])) == 6
    stores[0].close()


def test_an_index_is_built_over_positions_of_several_sizes(open_store, postgres_url, monkeypatch):
    monkeypatch.setattr(building, "SLICE", 20)
    store = open_store(INDEXES)
    for number, last in enumerate((0, 2**15 - 150, 2**31 - 150)):
        with psycopg.connect(postgres_url) as connection:
            connection.execute("UPDATE tinyscim.kinds SET last = %s", [last])
        with store.writing() as tx:
            for one in range(number * 300, number * 300 + 300):
                tx.insert("User", user(one, city="Redmond"))
    assert found(open_store([*INDEXES, CITY]), "Redmond") == [f"u{one}" for one in range(900)]


def test_tables_of_a_newer_version_are_refused(open_store, postgres_url):
    open_store(INDEXES)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("INSERT INTO tinyscim.migrations (name) VALUES ('9999-future')")
    with pytest.raises(StoreError, match="newer version"):
        open_store(INDEXES)


def test_an_index_declared_later_is_built(filled, open_store):
    store = open_store([*INDEXES, CITY])
    assert found(store, "City 1") == [f"u{number}" for number in range(1, 1_051, 7) if number != 8]
    insert(store, 0, city="City 1")
    assert found(store, "City 1")[-1] == "u0"
    with store.reading() as reader:
        assert ids_of(reader.scan_sorted("User", "city", offset=149, limit=2)) == ["u1050", "u1"]


def test_what_others_write_while_an_index_is_built_is_in_it(filled, open_store):
    changes = iter([lambda tx: tx.insert("User", user(0, city="new")), lambda tx: tx.delete("User", "u1")])

    def keys(document):
        for change in changes:
            with filled.writing() as tx:
                change(tx)
                tx.replace("User", user(2, city="moved"))
        return [document["city"]]

    store = open_store([*INDEXES, replace(CITY, keys=keys)])
    assert found(store, "new") == ["u0"]
    assert found(store, "moved") == ["u2"]
    assert "u2" not in found(store, "City 2")
    assert "u1" not in found(store, "City 1")


def test_a_process_whose_indexes_are_no_longer_kept_up_is_refused(filled, open_store):
    open_store([*INDEXES, CITY])
    with pytest.raises(Unavailable, match="restart"):
        user_ids(filled)
    with pytest.raises(Unavailable, match="restart"):
        insert(filled, 9_999)


def test_an_index_that_is_no_longer_declared_is_removed(filled, open_store, postgres_url):
    open_store([*INDEXES, CITY])
    store = open_store(INDEXES)
    with pytest.raises(KeyError):
        found(store, "City 1")
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT number FROM tinyscim.entries EXCEPT SELECT number FROM tinyscim.indexes")
        assert rows.fetchall() == []
    assert len(found(store, "user7@example.com", "userName")) == 1


def test_an_index_with_another_definition_is_built_again(filled, open_store):
    open_store([*INDEXES, CITY])
    exact = replace(CITY, keys=lambda user: [user["city"].upper()], definition="upper case")
    store = open_store([*INDEXES, exact])
    assert found(store, "City 1") == []
    assert len(found(store, "CITY 1")) == 149


def test_documents_that_shared_a_key_before_it_was_unique_keep_it(filled, open_store):
    store = open_store([*INDEXES, UNIQUE_CITY])
    assert len(found(store, "City 1")) == 149
    with pytest.raises(Duplicate):
        insert(store, 9_999, city="City 1")
    with store.writing() as tx:
        tx.replace("User", user(1, city="Other"))
        tx.replace("User", user(2, city="City 2", title="x"))
        tx.delete("User", "u15")
    assert len(found(store, "City 1")) == 147


def test_building_that_was_interrupted_begins_again(filled, open_store):
    def fail(document):
        if document["id"] == "u1000":
            raise ZeroDivisionError
        return [document["city"]]

    with pytest.raises(ZeroDivisionError):
        open_store([*INDEXES, replace(CITY, keys=fail)])
    insert(filled, 0, city="City 1")
    assert len(found(open_store([*INDEXES, CITY]), "City 1")) == 150


def test_a_command_does_not_change_the_indexes(filled, postgres_url):
    store = PostgresStore(postgres_url)
    with pytest.raises(StoreError, match="other indexes"):
        store.attach([*INDEXES, CITY])
    store.attach(INDEXES)
    assert len(user_ids(store)) == 1_049
    store.close()


def test_long_keys_and_ids_are_kept_apart(open_store):
    store = open_store(INDEXES)
    longs = ["é" * 5_000 + end for end in "abc"]
    with store.writing() as tx:
        for number, long in enumerate(longs):
            tx.insert("User", {"id": long, "userName": long, "title": "x" * number})
        with pytest.raises(Duplicate) as caught:
            tx.insert("User", {"id": "other", "userName": longs[0]})
    assert (caught.value.index, caught.value.key) == ("userName", longs[0])
    with store.reading() as reader:
        for long in longs:
            assert reader.get("User", long).data["userName"] == long
            assert ids_of(reader.lookup("User", "userName", long)) == [long]


@pytest.mark.parametrize("descending", [False, True])
def test_the_order_of_keys_is_that_of_code_points(open_store, descending):
    titles = ["", "\0", "a", "a\0", "ab", "z", "é", "\ud800", "\uffff", "\U0001f600"]
    indexes = [Index("User", "title", lambda user: [user["title"]])]
    store = open_store(indexes)
    with store.writing() as tx:
        for number, title in enumerate(reversed(titles)):
            tx.insert("User", {"id": str(number), "title": title})
    with store.reading() as reader:
        got = [one.data["title"] for one in reader.scan_sorted("User", "title", descending=descending)]
    assert got == sorted(titles, reverse=descending)


def test_a_statement_planned_for_an_empty_table_does_not_read_all_of_a_full_one(open_store):
    store = open_store(INDEXES)
    with store.writing() as tx:
        for start in range(0, 2_000, 1_000):
            tx.insert("User", *map(user, range(start, start + 1_000)))
        before = fetched(tx)
        tx.insert("User", user(2_001))
        tx.prefetch("User", ["u1", "u2"])
        tx.delete("User", "u3")
        assert fetched(tx) - before < 100


def fetched(tx):
    """Return how many rows the transaction has read through indexes."""
    ((number,),) = tx._connection.execute("SELECT sum(idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables")
    return number
