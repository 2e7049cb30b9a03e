"""PostgreSQL: lost connections, timeouts, and databases that cannot be used."""

import os
import secrets
import signal
import threading
from dataclasses import replace

import psycopg
import pytest

from storage.base import StoreError, Unavailable
from storage.postgres import connections, migration
from storage.postgres_store import PostgresStore
from tests.support import postgres
from tests.support.storage import INDEXES, insert, user, user_ids

OURS = "application_name = 'tinyscim' AND datname = current_database()"


@pytest.fixture
def store(postgres_url):
    store = PostgresStore(postgres_url, size=3)
    store.open(INDEXES)
    yield store
    store.close()


@pytest.fixture
def administrator(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def terminate(administrator, which="true"):
    """End the store's connections, and wait until the server has."""
    rows = administrator.execute(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {OURS} AND {which}"
    )
    assert {ended for (ended,) in rows} == {True}


def test_after_lost_connections_the_next_transactions_work(store, administrator):
    insert(store, 1)
    with store.reading(), store.reading(), store.reading():
        pass
    terminate(administrator)
    assert user_ids(store) == ["u1"]
    terminate(administrator)
    insert(store, 2)
    assert user_ids(store) == ["u1", "u2"]


def test_a_connection_lost_within_a_transaction_changes_nothing(store, administrator):
    def lose():
        with store.writing() as tx:
            tx.insert("User", user(1))
            terminate(administrator)
            tx.insert("User", user(2))

    with pytest.raises(Unavailable) as caught:
        lose()
    assert not caught.value.is_unknown
    assert user_ids(store) == []
    insert(store, 1)


def test_a_connection_lost_in_a_commit_leaves_its_outcome_unknown(store, administrator):
    def lose():
        with store.writing() as tx:
            tx.insert("User", user(1))
            terminate(administrator)

    insert(store, 0)
    with pytest.raises(Unavailable) as caught:
        lose()
    assert caught.value.is_unknown


def test_a_failed_statement_cannot_be_committed(store):
    def fail_and_go_on():
        with store.writing() as tx:
            tx.insert("User", user(1))
            with pytest.raises(psycopg.Error):
                tx._connection.execute("SELECT 1 / 0")

    insert(store, 0)
    with pytest.raises(Unavailable, match="rolled"):
        fail_and_go_on()
    assert user_ids(store) == ["u0"]


def test_a_writer_that_waits_too_long_is_refused(postgres_url, monkeypatch):
    hasty = "storage.postgres.connections.SESSION"
    monkeypatch.setattr(hasty, "SET lock_timeout = '100ms'")
    store = PostgresStore(postgres_url)
    store.open(INDEXES)
    with store.writing(), pytest.raises(Unavailable, match="lock timeout"):
        insert(store, 1)
    insert(store, 2)
    assert user_ids(store) == ["u2"]
    store.close()


def test_a_server_that_does_not_answer_is_given_up(store, monkeypatch):
    monkeypatch.setattr(connections.Connection, "patience", 0.1)
    monkeypatch.setattr(connections, "ANSWERS", 0.1)

    def hang():
        with store.writing() as tx:
            tx.insert("User", user(1))
            tx._connection.execute("SELECT pg_sleep(5)")

    with pytest.raises(Unavailable) as caught:
        hang()
    assert not caught.value.is_unknown
    assert user_ids(store) == []


def test_a_connection_lost_at_the_end_of_a_reader_does_not_matter(store, administrator):
    with store.reading() as reader:
        assert reader.count("User") == 0
        terminate(administrator)
    assert user_ids(store) == []


@pytest.mark.skipif("TINYSCIM_TEST_POSTGRES" in os.environ, reason="the server may be on another machine")
def test_a_server_that_does_not_answer_the_end_of_a_reader_is_given_up(store, monkeypatch):
    monkeypatch.setattr(connections, "BEGINS", 0.1)
    with store.reading() as reader:
        backend = reader._connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
    try:
        assert user_ids(store) == []
    finally:
        os.kill(backend, signal.SIGCONT)


def test_a_process_has_no_more_connections_than_its_size(store, monkeypatch):
    monkeypatch.setattr("storage.postgres.connections.WAIT", 0.1)
    with store.reading(), store.reading(), store.reading(), pytest.raises(Unavailable, match="threads"):
        user_ids(store)
    assert user_ids(store) == []


def test_a_store_that_is_not_open_is_an_error(postgres_url):
    store = PostgresStore(postgres_url)
    with pytest.raises(RuntimeError, match="not open"), store.reading():
        pass


def test_a_database_set_to_read_only_is_reported(postgres_url, administrator):
    name = administrator.info.dbname
    store = PostgresStore(postgres_url)
    store.open(INDEXES)
    assert store.read_only == ""
    store.close()
    administrator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        store.attach(INDEXES)
        assert user_ids(store) == []
        assert "read-only" in store.read_only
        with pytest.raises(Unavailable, match="read-only"):
            insert(store, 1)
        store.close()
    finally:
        with psycopg.connect(
            postgres_url, autocommit=True, options="-cdefault_transaction_read_only=off"
        ) as connection:
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def test_a_database_that_cannot_be_reached_is_unavailable(postgres_url):
    port = psycopg.conninfo.conninfo_to_dict(postgres_url)["port"]
    for url in (postgres_url.replace(f":{port}", ":1"), postgres_url + "_missing", "postgresql://nobody.invalid/x"):
        with pytest.raises(Unavailable) as caught:
            PostgresStore(url).open(INDEXES)
        assert "postgres:" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_url_that_libpq_cannot_read_is_refused_without_showing_it():
    with pytest.raises(StoreError, match="url") as caught:
        PostgresStore("postgresql://ann:s3cret%zz@localhost/x")
    assert "s3cret" not in str(caught.value)


def test_a_database_of_another_encoding_is_refused():
    with postgres.database(encoding="SQL_ASCII") as url, pytest.raises(StoreError, match="UTF8"):
        PostgresStore(url).open(INDEXES)


def test_transactions_in_many_threads_share_the_connections(store):
    threads = [threading.Thread(target=insert, args=(store, number)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(user_ids(store)) == 20


def test_the_owner_of_the_schema_needs_no_right_to_create_one(postgres_url, administrator):
    role, password = f"tinyscim_{secrets.token_hex(8)}", secrets.token_hex()
    administrator.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    try:
        url = psycopg.conninfo.make_conninfo(postgres_url, user=role, password=password)
        with pytest.raises(Unavailable, match="permission denied"):
            PostgresStore(url).open(INDEXES)
        administrator.execute(f"CREATE SCHEMA tinyscim AUTHORIZATION {role}")
        store = PostgresStore(url)
        store.open(INDEXES)
        insert(store, 1)
        store.close()
    finally:
        administrator.execute(f"DROP OWNED BY {role}")
        administrator.execute(f"DROP ROLE {role}")


def test_a_process_does_not_wait_for_one_that_changes_tables_for_long(postgres_url, administrator, monkeypatch):
    monkeypatch.setattr(connections, "SESSION", "SET lock_timeout = '100ms'")
    administrator.execute("SELECT pg_advisory_lock(%s)", [migration.LOCK])
    with pytest.raises(Unavailable, match="another process"):
        PostgresStore(postgres_url).open(INDEXES)
    administrator.execute("SELECT pg_advisory_unlock(%s)", [migration.LOCK])
    store = PostgresStore(postgres_url)
    store.open(INDEXES)
    store.close()


def test_a_check_does_not_keep_processes_from_starting(store, postgres_url, monkeypatch):
    monkeypatch.setattr(connections, "SESSION", "SET lock_timeout = '100ms'")
    insert(store, 1)

    def keys(document):
        other = PostgresStore(postgres_url)
        other.open(INDEXES)
        other.close()
        return INDEXES[0].keys(document)

    assert store.check([replace(INDEXES[0], keys=keys), *INDEXES[1:]]).problems == []
