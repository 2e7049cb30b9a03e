"""A service whose database cannot be used for a while."""

import psycopg
import pytest

from app import WORKER_BOOT_ERROR, create_app, open_store
from config.tokens import new_token
from storage.postgres_store import PostgresStore
from tests.support import postgres
from tests.support.scim_client import Scim, in_process
from tests.support.storage import INDEXES


@pytest.fixture
def serve():
    apps = []

    def serve(url):
        token, table = new_token("tests")
        apps.append(create_app({"tokens": [table], "store": {"url": url}}))
        return Scim(in_process(apps[-1]), token, app=apps[-1])

    yield serve
    for app in apps:
        app.extensions["tinyscim"].store.close()


def health(scim):
    return scim.app.test_client().get("/healthz").status_code


def test_a_service_that_starts_before_its_database_serves_once_that_is_there(serve, database, caplog):
    url = database + "_later"
    scim = serve(url)
    open_store(scim.app)
    assert "requests get 503 until it is" in caplog.text
    assert (health(scim), scim.get("/Users").status) == (503, 503)
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
        try:
            assert (health(scim), scim.get("/Users").status) == (200, 200)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_of_a_newer_version_stops_the_start(serve, database, capsys):
    store = PostgresStore(database)
    store.open(INDEXES)
    store.close()
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO tinyscim.migrations (name) VALUES ('9999-future')")
    with pytest.raises(SystemExit) as caught:
        open_store(serve(database).app)
    assert caught.value.code == WORKER_BOOT_ERROR
    assert "newer version" in capsys.readouterr().err
    postgres.empty(database)


def test_a_change_whose_commit_was_lost_says_that_it_may_be_saved(serve, database):
    scim = serve(database)
    user = scim.create_user()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER lose AFTER UPDATE ON tinyscim.documents DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION lose()"
        )
    answer = scim.patch_op(f"/Users/{user['id']}", {"op": "replace", "path": "title", "value": "x"})
    assert answer.status == 503
    assert "while it saved the change" in answer.body["detail"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP FUNCTION lose() CASCADE")
    assert scim.patch_op(f"/Users/{user['id']}", {"op": "replace", "path": "title", "value": "x"}).status == 200
