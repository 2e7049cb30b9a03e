"""The store of the tests that take any: in memory, or in PostgreSQL if TINYSCIM_TEST_STORE is "postgres"."""

import atexit
import os
from contextlib import AbstractContextManager

import psycopg
from psycopg import conninfo, sql

from storage.base import Store
from storage.memory import MemoryStore
from storage.postgres_store import PostgresStore
from tests.support import postgres

DATABASES: list[AbstractContextManager[str]] = []
FREE: list[str] = []  # URLs of databases that can be used again
USED: dict[Store, str] = {}
TABLES = "documents", "entries", "kinds", "removed", "log", "states"


def new_store() -> Store:
    """Return an empty store of the caller's own."""
    if os.environ.get("TINYSCIM_TEST_STORE") != "postgres":
        return MemoryStore()
    url = FREE.pop() if FREE else _create()
    store = PostgresStore(url)
    USED[store] = url
    return store


def release(store: Store) -> None:
    """Close a store, and let its database be used again."""
    if url := USED.pop(store, ""):
        store.close()
        with psycopg.connect(url) as connection:
            for table in TABLES:
                connection.execute(sql.SQL("DELETE FROM tinyscim.{}").format(sql.Identifier(table)))
        FREE.append(url)


def drop_databases() -> None:
    """Drop what was created, unless that goes with its server."""
    for database in DATABASES if "TINYSCIM_TEST_POSTGRES" in os.environ else ():
        database.__exit__(None, None, None)


def _create() -> str:
    """Create a database whose idle connections the server ends, since some tests leave their stores open."""
    if not DATABASES:
        atexit.register(drop_databases)
    DATABASES.append(postgres.database())
    url = DATABASES[-1].__enter__()
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(conninfo.conninfo_to_dict(url)["dbname"])
        connection.execute(sql.SQL("ALTER DATABASE {} SET idle_session_timeout = '2s'").format(name))
    return url
