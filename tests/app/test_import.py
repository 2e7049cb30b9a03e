import json

import pytest

from app import create_app
from storage.base import Unavailable
from tests.support.urns import ENT, USER

GOOD_META = {
    "resourceType": "User",
    "created": "2026-01-01T00:00:00Z",
    "lastModified": "2026-01-01T00:00:00Z",
    "version": 'W/"1"',
}
NICKED = {"givenName": "g", "nick": "n"}


def test_an_export_can_be_imported(flask, tmp_path):
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


@pytest.mark.parametrize("urn", ["urn:example:gone:2.0:User", f"{ENT}:contoso", f"{ENT}.1"])
def test_an_extension_that_was_removed_from_the_configuration_can_be_imported(flask, tmp_path, urn):
    user = {"id": "u", "userName": "a@example.com", urn: {"badge": 5}, "meta": GOOD_META}
    (tmp_path / "in.jsonl").write_text(json.dumps({"kind": "User", "document": user}))
    assert "1 inserted" in flask("store", "import", str(tmp_path / "in.jsonl")).stdout
    (tmp_path / "out.jsonl").write_text(flask("store", "export").stdout)
    assert "1 unchanged" in flask("store", "import", str(tmp_path / "out.jsonl")).stdout


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"kind": "User", "document": {"id": "1"}}, 'a User needs "meta"'),
        ({"kind": "User", "document": {"id": "1", "meta": GOOD_META}}, "userName is required"),
        ({"kind": "User", "document": {"id": "1", "userName": 5, "meta": GOOD_META}}, "userName must be a string"),
        (
            {"kind": "User", "document": {"id": "1", "userName": "a" * 10_001, "meta": GOOD_META}},
            "userName must have at most 10000 characters (max_text_length), not 10001",
        ),
        (
            {"kind": "User", "document": {"id": "1", "userName": "a", "meta": GOOD_META | {"version": "x"}}},
            "is not a version",
        ),
        ({"kind": "User", "document": {"id": "1", "meta": GOOD_META | {"created": "soon"}}}, "not a valid dateTime"),
        (
            {"kind": "User", "document": {"id": "a/b", "userName": "a", "meta": GOOD_META}},
            "the id 'a/b' cannot",
        ),
        *(
            ({"kind": "User", "document": {"id": id, "userName": "a", "meta": GOOD_META}}, f"the id {id!r} cannot")
            for id in ("", ".", "..", ".search", "a\nb", "a\x00")
        ),
        (
            {"kind": "User", "document": {"id": "1", "USERNAME": "a", "meta": GOOD_META}},
            "USERNAME is not an attribute of User",
        ),
        (
            {"kind": "User", "document": {"id": "1", "userName": "a", "name": NICKED, "meta": GOOD_META}},
            "nick is not an attribute of User",
        ),
        *(
            ({"kind": "User", "document": {"id": "1", "userName": "a", name: value, "meta": GOOD_META}}, f"{name} is")
            for name, value in [
                (f"{ENT}:department", "Dock"),
                (f"{ENT.lower()}.manager", {"value": "1"}),
                (f"{USER}:title", "Dock"),
                ("urn:example:gone:2.0:User", "Dock"),
                ("x:y", {"z": 5}),
            ]
        ),
        ({"kind": "User", "document": []}, 'a document needs an "id"'),
        ({"kind": "Person", "document": {"id": "1"}}, 'unknown resource type "Person" (try User, Group)'),
        ({"kind": "Membership", "document": {"id": "1", "group": "g", "member": "u"}}, "a membership needs"),
        ({"kind": "Membership", "document": {"id": "g.g.u", "group": "g.g", "member": "u"}}, "without a dot"),
        (
            {
                "kind": "Group",
                "document": {"id": "g.g", "displayName": "G", "meta": GOOD_META | {"resourceType": "Group"}},
            },
            "contains a dot",
        ),
        ({"document": {"id": "1"}}, 'it needs a "kind" and a "document"'),
        ([], 'it needs a "kind" and a "document"'),
    ],
)
def test_documents_that_the_service_would_not_store_are_refused(config_path, tmp_path, entry, reason):
    (tmp_path / "in.jsonl").write_text(json.dumps(entry))
    runner = create_app(config_path).test_cli_runner()
    run = runner.invoke(args=["store", "import", str(tmp_path / "in.jsonl")])
    assert run.exit_code == 1
    assert "line 1: " in run.output
    assert reason in run.output
    assert runner.invoke(args=["store", "export"]).output == ""


def test_an_unknown_type_is_named_with_those_that_are_there(flask, tmp_path):
    run = flask("store", "export", "--type", "Nope")
    assert (run.returncode, run.stderr) == (1, "Error: The store is empty.\n")
    (tmp_path / "in.jsonl").write_text(
        "\n".join(
            json.dumps({"kind": "User", "document": {"id": id, "userName": id, "meta": GOOD_META}}) for id in ("a", "b")
        )
        + '\n{"kind": "Disabled", "document": {"id": "a", "since": "2026-01-01T00:00:00Z"}}\n'
    )
    assert "3 inserted" in flask("store", "import", str(tmp_path / "in.jsonl")).stdout
    assert flask("store", "check").stdout == "OK: 2 users (1 disabled)\n"
    for kind, known in (("user", "User"), ("Nope", "Disabled, User")):
        run = flask("store", "export", "--type", kind)
        assert (run.returncode, run.stderr) == (1, f'Error: Unknown resource type "{kind}" (try {known})\n')


def test_a_file_that_is_not_an_export_is_named(flask, tmp_path):
    (tmp_path / "README.md").write_text("# Tinyscim\n")
    run = flask("store", "import", str(tmp_path / "README.md"))
    assert run.returncode == 1
    assert f"Error: {tmp_path / 'README.md'} is not an export of `flask store export`\n" in run.stderr


def test_an_export_overwrites_only_regular_files_that_are_not_the_services(flask, config_path):
    flask("store", "compact")
    snapshot = config_path.parent / "data" / "tinyscim.json"
    before = snapshot.read_bytes()
    for command in (["export", "--output"], ["backup"]):
        for target in (snapshot, config_path.parent / "data" / ".." / "data" / "tinyscim.json", "/dev/full"):
            run = flask("store", *command, str(target))
            assert run.returncode == 1, (command, target)
            assert "Traceback" not in run.stderr
    assert snapshot.read_bytes() == before
    assert "OK: " in flask("store", "check").stdout


@pytest.mark.parametrize("command", [["store", "backup"], ["store", "export", "-o"], ["log", "export", "-o"]])
def test_the_configuration_is_never_overwritten(config_path, command):
    before = config_path.read_bytes()
    for target in (config_path, config_path.parent / "data" / ".." / "config.toml"):
        run = create_app(config_path).test_cli_runner().invoke(args=[*command, str(target)])
        assert (run.exit_code, run.output) == (1, f"Error: {target} is one of the service's own files\n")
    assert config_path.read_bytes() == before


BESIDE_STORE = (
    "secret",
    "counts.json",
    "counts.json.lock",
    "sessions.json",
    "sessions.json.lock",
    "clients.json",
    "keys.json",
    "assertions.json",
    "warnings.json",
)
OF_LOG = ("", "-refused", ".20260131-120000000000", "-refused.20260131-120000000000")


@pytest.mark.parametrize("command", [["store", "backup"], ["store", "export", "-o"], ["log", "export", "-o"]])
def test_the_services_own_files_are_never_overwritten(config_path, command):
    data = config_path.parent / "data"
    run = create_app(config_path).test_cli_runner().invoke
    assert run(args=["store", "compact"]).exit_code == 0
    kept = [data / f"tinyscim.{end}" for end in BESIDE_STORE] + [data / f"provisioning{end}.jsonl" for end in OF_LOG]
    kept.append(config_path.with_name("config.toml.lock"))
    for path in kept:
        path.write_text("kept")
    kept += [config_path, data / "tinyscim.json", *data.glob("tinyscim.json.journal.*")]
    before = [path.read_bytes() for path in kept]
    hard, symbolic = config_path.with_name("hard"), config_path.with_name("symbolic")
    unread = [data / name for name in ("tinyscim.json.new", "tinyscim.json.locks/board", "provisioning.jsonl.lock")]
    for path in kept + unread:
        path.touch()
        hard.hardlink_to(path)
        symbolic.symlink_to(path)
        for target in (path, symbolic, hard)[: 3 if path in kept else 2]:
            answer = run(args=[*command, str(target)])
            assert (answer.exit_code, answer.output) == (1, f"Error: {target} is one of the service's own files\n")
        hard.unlink()
        symbolic.unlink()
    assert [path.read_bytes() for path in kept] == before


def test_other_files_in_the_data_folder_may_be_written(config_path):
    run = create_app(config_path).test_cli_runner().invoke
    for name in ("tinyscim.json.bak", "tinyscim.csv", "provisioning.old.jsonl"):
        target = config_path.parent / "data" / name
        assert run(args=["store", "backup", str(target)]).exit_code == 0
        assert target.exists()


def test_a_damaged_secret_is_named(flask, config_path):
    flask("store", "compact")
    (config_path.parent / "data" / "tinyscim.secret").write_bytes(b"")
    service = create_app(config_path).extensions["tinyscim"]
    with pytest.raises(Unavailable, match=r"tinyscim.secret is damaged"):
        service.open()
    service.store.close()


def test_repair_removes_a_document_that_stops_the_start(flask, config_path):
    data = config_path.parent / "data"
    data.mkdir()
    sound = {"id": "a", "userName": "a", "meta": GOOD_META}
    (data / "tinyscim.json").write_text(json.dumps({"User": {"1": {"id": "z", ENT: "q"}, "2": sound}}))
    assert flask("store", "export").returncode == 1
    assert flask("store", "check").returncode == 1
    repaired = flask("store", "repair")
    assert repaired.returncode == 0, repaired.stderr
    assert "left out" in repaired.stdout
    assert json.loads(flask("store", "export").stdout) == {"kind": "User", "document": sound}
