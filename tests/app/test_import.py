import json

import pytest

from app import create_app
from storage.base import Unavailable

GOOD_META = {
    "resourceType": "User",
    "created": "2026-01-01T00:00:00Z",
    "lastModified": "2026-01-01T00:00:00Z",
    "version": 'W/"1"',
}
NICKED = {"givenName": "g", "nick": "n"}


def test_what_was_exported_comes_in_again(flask, tmp_path):
    user = {"id": "u", "userName": "a@example.com", "meta": GOOD_META}
    lines = [
        {"kind": "User", "document": user},
        {"kind": "Membership", "document": {"id": "g.u", "group": "g", "member": "u"}},
        {"kind": "Disabled", "document": {"id": "u", "since": "2026-01-01T00:00:00Z"}},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    run = flask("store", "import", str(tmp_path / "in.jsonl"))
    assert "3 inserted" in run.stdout, run.stderr
    assert [json.loads(line) for line in flask("store", "export").stdout.splitlines()] == sorted(
        lines, key=lambda line: line["kind"]
    )
    assert "3 unchanged" in flask("store", "import", str(tmp_path / "in.jsonl")).stdout


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"kind": "User", "document": {"id": "1"}}, 'a User needs "meta"'),
        ({"kind": "User", "document": {"id": "1", "meta": GOOD_META}}, "userName is required"),
        ({"kind": "User", "document": {"id": "1", "userName": 5, "meta": GOOD_META}}, "userName must be a string"),
        (
            {"kind": "User", "document": {"id": "1", "userName": "a", "meta": GOOD_META | {"version": "x"}}},
            "no version",
        ),
        ({"kind": "User", "document": {"id": "1", "meta": GOOD_META | {"created": "soon"}}}, "no dateTime"),
        (
            {"kind": "User", "document": {"id": "a/b", "userName": "a", "meta": GOOD_META}},
            "the id 'a/b' cannot",
        ),
        (
            {"kind": "User", "document": {"id": "..", "userName": "a", "meta": GOOD_META}},
            "the id '..' cannot",
        ),
        ({"kind": "User", "document": {"id": "1", "USERNAME": "a", "meta": GOOD_META}}, "USERNAME is kept for no User"),
        (
            {"kind": "User", "document": {"id": "1", "userName": "a", "name": NICKED, "meta": GOOD_META}},
            "nick is kept for no User",
        ),
        ({"kind": "User", "document": []}, 'a document needs an "id"'),
        ({"kind": "Person", "document": {"id": "1"}}, "there is no resource type Person; there are User, Group"),
        ({"kind": "Membership", "document": {"id": "1", "group": "g", "member": "u"}}, "a membership needs"),
        ({"document": {"id": "1"}}, 'it needs a "kind" and a "document"'),
        ([], 'it needs a "kind" and a "document"'),
    ],
)
def test_what_could_not_have_been_stored_does_not_come_in(flask, tmp_path, entry, reason):
    (tmp_path / "in.jsonl").write_text(json.dumps(entry))
    run = flask("store", "import", str(tmp_path / "in.jsonl"))
    assert run.returncode == 1
    assert f"line 1: {reason}" in run.stderr or (reason in run.stderr and "line 1: " in run.stderr)
    assert flask("store", "export").stdout == ""


def test_a_type_that_is_not_there_is_named(flask):
    run = flask("store", "export", "--type", "Nope")
    assert run.returncode == 1
    assert "there is no Nope" in run.stderr


def test_an_export_writes_over_nothing_odd(flask, config_path):
    flask("store", "compact")
    snapshot = config_path.parent / "data" / "tinyscim.json"
    before = snapshot.read_bytes()
    for command in (["export", "--output"], ["backup"]):
        for target in (snapshot, config_path.parent / "data" / ".." / "data" / "tinyscim.json", "/dev/full"):
            run = flask("store", *command, str(target))
            assert run.returncode == 1, (command, target)
            assert "Traceback" not in run.stderr
    assert snapshot.read_bytes() == before
    assert "sound" in flask("store", "check").stdout


@pytest.mark.parametrize("command", [["store", "backup"], ["store", "export", "-o"], ["log", "export", "-o"]])
def test_nothing_is_written_over_the_configuration(config_path, command):
    before = config_path.read_bytes()
    for target in (config_path, config_path.parent / "data" / ".." / "config.toml"):
        run = create_app(config_path).test_cli_runner().invoke(args=[*command, str(target)])
        assert (run.exit_code, run.output) == (1, f"Error: {target} is the configuration\n")
    assert config_path.read_bytes() == before


def test_a_damaged_secret_is_named(flask, config_path):
    flask("store", "compact")
    (config_path.parent / "data" / "tinyscim.secret").write_bytes(b"")
    service = create_app(config_path).extensions["tinyscim"]
    with pytest.raises(Unavailable, match=r"tinyscim.secret is damaged"):
        service.open()
    service.store.close()


def test_a_document_that_stops_the_start_is_found_and_put_aside(flask, config_path):
    data = config_path.parent / "data"
    data.mkdir()
    sound = {"id": "a", "userName": "a", "meta": GOOD_META}
    (data / "tinyscim.json").write_text(json.dumps({"User": {"1": {"id": "z", "emails": "q"}, "2": sound}}))
    assert flask("store", "export").returncode == 1
    assert flask("store", "check").returncode == 1
    repaired = flask("store", "repair")
    assert repaired.returncode == 0, repaired.stderr
    assert "left out" in repaired.stdout
    assert json.loads(flask("store", "export").stdout) == {"kind": "User", "document": sound}
