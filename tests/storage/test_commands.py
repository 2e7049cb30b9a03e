"""`flask store ...` over small files."""

import csv
import io
import json

import pytest
from tinydb import TinyDB

from storage.memory import MemoryStore
from storage.tinydb_store import TinyDBStore
from tests.support.storage import flip, journal_of, membership, opened, state, user
from tests.support.store_commands import runner


@pytest.fixture
def flask(path):
    return runner(TinyDBStore(path))


@pytest.fixture
def filled(path):
    store = opened(path)
    for number in range(1, 6):
        with store.writing() as tx:
            tx.insert("User", user(number, name={"givenName": "Änn"}, emails=[{"value": "a@b", "primary": True}]))
            tx.insert("Membership", membership("g", f"u{number}"))
        if number == 3:
            store.compact()
    store.close()
    return path


def test_check_reports_intact_files(filled, flask):
    result = flask("check")
    assert (result.exit_code, result.output) == (0, "OK: 5 users, 5 memberships\n")


def test_check_names_file_and_line_of_what_is_wrong(filled, flask):
    flip(journal_of(filled), 80)
    before = journal_of(filled).read_bytes()
    result = flask("check")
    assert result.exit_code == 1
    assert f"{journal_of(filled)}, line 2: the line does not match its checksum" in result.output
    assert "flask store repair" in result.output
    assert journal_of(filled).read_bytes() == before


def test_check_works_while_the_service_runs(filled, flask):
    store = opened(filled)
    assert flask("check").exit_code == 0
    store.close()


def test_check_before_the_first_start_finds_nothing_wrong(flask, path):
    result = flask("check")
    assert (result.exit_code, result.output) == (0, "OK: the store is empty\n")
    assert not path.parent.exists()


def test_check_misses_a_snapshot_whose_journal_is_there(filled, flask):
    filled.unlink()
    result = flask("check")
    assert result.exit_code == 1
    assert f"{filled}, line 1: the file is missing" in result.output


def test_check_notes_keys_that_are_shared(path, flask):
    path.parent.mkdir()
    path.write_text(json.dumps({"User": {"1": user(1), "2": user(2) | {"userName": "user1@EXAMPLE.com"}}}))
    result = flask("check")
    assert result.exit_code == 0
    assert "note: User 1 and 2 share the userName 'user1@example.com'" in result.output


def test_repair_saves_all_lines_but_the_damaged_one(filled, flask):
    journal = journal_of(filled)
    damaged = journal.read_bytes().splitlines(keepends=True)
    flip(journal, len(damaged[0]) + 30)
    result = flask("repair")
    assert result.exit_code == 0
    assert f"left out: {journal}, line 2" in result.output
    assert "Recovered: 4 users, 4 memberships" in result.output
    (folder,) = filled.parent.glob("*.aside.*")
    assert (folder / "left-out").read_bytes().count(b'"u4"') == 2
    assert {file.name for file in folder.iterdir()} == {filled.name, journal.name, "left-out"}
    assert [(place, document["id"]) for place, document in state(filled)["User"]] == [
        (1, "u1"), (2, "u2"), (3, "u3"), (5, "u5"),
    ]  # fmt: skip
    assert flask("check").exit_code == 0


@pytest.mark.parametrize("keep", [5, 200, 500, -40, -2])
def test_repair_saves_what_is_left_of_a_cut_snapshot(filled, flask, keep):
    whole = state(filled)
    filled.write_bytes(filled.read_bytes()[:keep])
    assert flask("repair").exit_code == 0
    assert flask("check").exit_code == 0
    saved = state(filled)
    assert saved["User"][-2:] == whole["User"][-2:]
    assert all(row in whole["User"] for row in saved["User"])
    store = opened(filled)
    with store.writing() as tx:
        tx.insert("User", user(6))
        assert tx.position("User", "u6") == 6
    store.close()


def test_repair_goes_on_without_a_journal_that_is_missing(filled, flask):
    journal_of(filled).unlink()
    result = flask("repair")
    assert "journal.2, line 1: the file is missing" in result.output
    assert len(state(filled)["User"]) == 3


def test_repair_leaves_sound_files_alone(filled, flask):
    before = {file: file.read_bytes() for file in filled.parent.iterdir() if file.is_file()}
    assert "Nothing to repair" in flask("repair").output
    assert {file: file.read_bytes() for file in filled.parent.iterdir() if file.is_file()} == before


@pytest.mark.parametrize("command", [("repair",), ("restore", "--yes")])
def test_what_replaces_files_waits_for_the_service_to_stop(filled, flask, command, tmp_path):
    assert flask("backup", tmp_path / "copy").exit_code == 0
    store = opened(filled)
    result = flask(*command, *([tmp_path / "copy"] if command[0] == "restore" else []))
    store.close()
    assert result.exit_code == 1
    assert "stop the service first" in result.output


def test_compact_leaves_a_file_that_tinydb_reads_whole(filled, flask):
    assert flask("compact").exit_code == 0
    with TinyDB(filled) as db:
        assert len(db.table("User")) == len(db.table("Membership")) == 5


def test_a_backup_is_a_file_that_can_be_restored_or_served(filled, flask, tmp_path):
    whole, copy = state(filled), tmp_path / "backup.json"
    assert flask("backup", copy).output == f"Wrote 10 documents to {copy}\n"
    store = opened(filled)
    with store.writing() as tx:
        tx.delete("User", "u1")
        tx.insert("User", user(6))
    store.close()
    assert "Restored 10 documents; the previous files are in" in flask("restore", "--yes", copy).output
    assert state(filled) == whole
    assert state(copy) == whole
    store = opened(filled)
    with store.writing() as tx:
        tx.insert("User", user(7))
        assert tx.position("User", "u7") == 7
    store.close()


def test_a_backup_can_be_restored_over_damaged_files(filled, flask, tmp_path):
    whole = state(filled)
    flask("backup", tmp_path / "copy")
    filled.write_text("nonsense")
    journal_of(filled).unlink()
    assert flask("restore", "--yes", tmp_path / "copy").exit_code == 0
    assert state(filled) == whole


def test_a_file_of_tinydb_can_be_restored_where_there_is_nothing(path, flask, tmp_path):
    with TinyDB(tmp_path / "stock.json") as db:
        db.table("User").insert(user(1))
    assert flask("restore", "--yes", tmp_path / "stock.json").output == "Restored 1 document\n"
    assert state(path)["User"] == [(1, user(1))]


def test_a_file_that_was_never_served_is_kept_when_another_is_restored(path, flask, tmp_path):
    path.parent.mkdir()
    path.write_text("{}")
    (tmp_path / "stock.json").write_text(json.dumps({"User": {"1": user(1)}}))
    assert "the previous files are in" in flask("restore", "--yes", tmp_path / "stock.json").output


def test_a_damaged_backup_is_not_restored(filled, flask, tmp_path):
    whole, copy = state(filled), tmp_path / "copy"
    flask("backup", copy)
    copy.write_bytes(copy.read_bytes()[:-60])
    result = flask("restore", "--yes", copy)
    assert result.exit_code == 1
    assert "nothing was restored" in result.output
    assert state(filled) == whole


def test_a_backup_never_overwrites_the_store(filled, flask):
    for file in (filled, journal_of(filled)):
        assert "one of the service's own files" in flask("backup", file).output
    assert flask("check").exit_code == 0


def test_a_backup_where_nothing_can_be_written_says_why(filled, flask, tmp_path):
    result = flask("backup", tmp_path / "nowhere" / "copy")
    assert result.exit_code == 1
    assert "Error: No such file or directory" in result.output


def test_what_was_exported_can_be_imported_twice(filled, flask, tmp_path):
    whole, file = state(filled), tmp_path / "all.jsonl"
    assert flask("export", "--output", file).exit_code == 0
    other = runner(TinyDBStore(tmp_path / "other" / "data.json"))
    assert "10 inserted, 0 replaced, 0 unchanged" in other("import", file).output
    assert state(tmp_path / "other" / "data.json") == whole
    assert "0 inserted, 0 replaced, 10 unchanged" in other("import", file).output
    file.write_text(json.dumps({"kind": "User", "document": user(1)}))
    assert "0 inserted, 1 replaced, 0 unchanged" in other("import", file).output


def test_exports_are_private(filled, flask, tmp_path):
    for command in (("backup",), ("export", "--output")):
        assert flask(*command, tmp_path / command[0]).exit_code == 0
        assert (tmp_path / command[0]).stat().st_mode & 0o777 == 0o600


def test_export_takes_one_type(filled, flask):
    lines = [json.loads(line) for line in flask("export", "--type", "Membership").output.splitlines()]
    assert [line["kind"] for line in lines] == ["Membership"] * 5
    assert lines[0]["document"] == membership("g", "u1")


def test_export_as_a_table_has_a_column_for_each_value(filled, flask):
    store = opened(filled)
    with store.writing() as tx:
        tx.insert("User", {"id": "x", "userName": 'a "quoted", name\n\ud800', "active": False, "title": None})
    store.close()
    rows = list(csv.DictReader(io.StringIO(flask("export", "--format", "csv", "--type", "User").output)))
    assert list(rows[0]) == [
        "id",
        "userName",
        "name.givenName",
        "emails[0].value",
        "emails[0].primary",
        "active",
    ]
    assert rows[0]["name.givenName"] == "Änn"
    assert (rows[0]["emails[0].primary"], rows[0]["active"]) == ("true", "")
    assert (rows[5]["userName"], rows[5]["active"]) == ('a "quoted", name\n\\ud800', "false")


def test_a_table_has_no_formulas(filled, flask):
    store = opened(filled)
    with store.writing() as tx:
        tx.insert("User", {"id": "x", "userName": "=cmd()", "+1": "@x"})
    store.close()
    rows = list(csv.DictReader(io.StringIO(flask("export", "--format", "csv", "--type", "User").output)))
    assert (rows[5]["userName"], rows[5]["'+1"]) == ("'=cmd()", "'@x")


def test_a_table_needs_a_type(filled, flask):
    result = flask("export", "--format", "csv")
    assert result.exit_code == 2
    assert "--type User" in result.output


@pytest.mark.parametrize("line", ["{", "[]", '{"kind": "User"}', '{"kind": "User", "document": {"userName": "a"}}'])
def test_a_line_that_cannot_be_imported_is_named(flask, tmp_path, line):
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"kind": "User", "document": user(1)}) + "\n\n" + line + "\n")
    result = flask("import", file)
    assert result.exit_code == 1
    assert "line 3:" in result.output


def test_importing_a_taken_name_is_refused_with_its_line(filled, flask, tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"kind": "User", "document": user(1) | {"id": "other"}}))
    result = flask("import", file)
    assert result.exit_code == 1
    assert "line 1: another User has the userName" in result.output


def test_a_damaged_store_is_an_error_and_no_traceback(filled, flask, tmp_path):
    flip(journal_of(filled), 80)
    for command in (("compact",), ("backup", tmp_path / "copy"), ("export",)):
        result = flask(*command)
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
        assert "line 2" in result.output


def test_a_service_that_keeps_nothing_has_no_files_to_look_after():
    result = runner(MemoryStore())("check")
    assert result.exit_code == 1
    assert "in memory" in result.output


@pytest.mark.parametrize("command", ["check", "repair", "compact", "backup", "restore", "export", "import"])
def test_every_command_has_a_help_text(flask, command):
    result = flask(command, "--help")
    assert result.exit_code == 0
    assert "The service" in result.output
