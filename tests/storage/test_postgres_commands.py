"""`flask store ...` over a PostgreSQL database."""

import json

import psycopg
import pytest

from app import create_app
from config.tokens import new_token
from tests.support.scim_client import Scim, in_process


@pytest.fixture
def app(postgres_url):
    token, table = new_token("tests")
    app = create_app({"tokens": [table], "store": {"url": postgres_url}})
    app.extensions["tinyscim.tests"] = token
    yield app
    app.extensions["tinyscim"].store.close()


@pytest.fixture
def scim(app):
    """A client of the service, with two users, one of them disabled, and a group."""
    scim = Scim(in_process(app), app.extensions["tinyscim.tests"])
    scim.delete(f"/Users/{scim.create_user()['id']}")
    ann, _ = scim.create_user(), scim.create_user(active=False)
    scim.post("/Groups", {"displayName": "Team", "members": [{"value": ann["id"]}]})
    return scim


@pytest.fixture
def flask(postgres_url):
    """Run a command as another process does, whose configuration is the same."""

    def run(*args, **tables):
        app = create_app({"store": {"url": postgres_url}, **tables})
        return app.test_cli_runner().invoke(args=["store", *map(str, args)])

    return run


def test_check_counts_what_there_is_and_names_the_database(scim, flask, postgres_url):
    result = flask("check")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("OK: 2 users (1 disabled), 1 group, 1 membership in postgresql://")
    password = psycopg.conninfo.conninfo_to_dict(postgres_url).get("password")
    assert not password or password not in result.output


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM tinyscim.entries WHERE is_unique", "is missing in an index"),
        ("INSERT INTO tinyscim.entries SELECT number, 'x', 99, false FROM tinyscim.entries LIMIT 1", "too many"),
        ("UPDATE tinyscim.kinds SET count = 9", "documents of the kind"),
        ("DELETE FROM tinyscim.removed", "documents of the kind"),
        ("UPDATE tinyscim.documents SET document = '{' WHERE kind = 'Disabled'", "cannot be read"),
        ("UPDATE tinyscim.documents SET id = 'x' WHERE kind = 'Group'", "under another id"),
    ],
)
def test_check_finds_damage(scim, flask, postgres_url, damage, problem):
    with psycopg.connect(postgres_url) as connection:
        connection.execute(damage)
    result = flask("check")
    assert result.exit_code == 1
    assert problem in result.output
    assert "flask store repair" in result.output


def test_repair_builds_indexes_and_counts_again(scim, flask, postgres_url):
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DELETE FROM tinyscim.entries")
        connection.execute("UPDATE tinyscim.kinds SET count = 9")
        connection.execute("DELETE FROM tinyscim.removed")
    result = flask("repair")
    assert result.exit_code == 0, result.output
    assert flask("check").exit_code == 0


def test_a_directory_moves_to_a_file_and_back(scim, flask, tmp_path, postgres_url):
    before = flask("export").output
    (tmp_path / "first.jsonl").write_text(before)
    path = tmp_path / "data" / "tinyscim.json"
    file = create_app({"store": {"path": str(path)}}).test_cli_runner()
    assert file.invoke(args=["store", "import", str(tmp_path / "first.jsonl")]).exit_code == 0
    after = file.invoke(args=["store", "export"]).output
    assert after == before
    assert len(after.splitlines()) == 5
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DROP SCHEMA tinyscim CASCADE")
    (tmp_path / "second.jsonl").write_text(after)
    result = flask("import", tmp_path / "second.jsonl")
    assert "5 inserted" in result.output
    assert flask("export").output == before
    assert flask("check").exit_code == 0


def test_one_type_is_exported_as_csv(scim, flask):
    lines = flask("export", "--format", "csv", "--type", "Group").output.splitlines()
    assert len(lines) == 2
    assert "Team" in lines[1]


def test_commands_for_files_say_what_to_use_instead(scim, flask, tmp_path):
    export = tmp_path / "export.json"
    export.write_text(json.dumps({}))
    for command, instead in (("backup", "pg_dump"), ("restore", "pg_restore"), ("compact", "autovacuum")):
        result = flask(command, *{"backup": [tmp_path / "b"], "restore": [export, "--yes"]}.get(command, []))
        assert result.exit_code == 1
        assert instead in result.output
        assert "postgresql://" in result.output
    assert not (tmp_path / "b").exists()


def test_a_command_with_other_indexes_is_refused_while_the_store_has_some(scim, flask):
    result = flask("check", directory={"indexed_attributes": ["title"]})
    assert result.exit_code == 1
    assert "other indexes" in result.output
    assert scim.get("/Users").body["totalResults"] == 2
