"""Backups have what a restore needs, are verified, and are kept in number."""

import os
import subprocess
import sys
import tomllib

import pytest

from app import create_app
from config.edit import add_token, set_metrics_token, set_password
from config.tokens import hash_token, new_token
from fileio import atomic
from storage.maintenance import transfer
from tests.support.running_service import running
from tests.support.serving import ROOT


@pytest.fixture
def run(config_path):
    return lambda *args: create_app(config_path).test_cli_runner().invoke(args=["store", *map(str, args)])


@pytest.fixture
def secrets(config_path):
    """A configuration with each kind of secret, and the texts that must not be in a backup without them."""
    token = add_token(config_path, "entra")
    set_password(config_path, "correct horse battery")
    set_metrics_token(config_path)
    _, table = new_token("client")
    with config_path.open("a") as file:
        file.write(
            f'# token: {token}\n[[clients]]\nid = "c"\nname = "c"\nscope = "read-only"\n[[clients.secrets]]\nid = "s"\n'
        )
        file.write(f'sha256 = "{table["sha256"]}"\nexpires = "never"\n')
    tables = tomllib.loads(config_path.read_text())
    panel = tables["panel"]
    hashes = [panel["password_hash"], panel["secret"], tables["metrics"]["sha256"], table["sha256"]]
    return [token, hash_token(token), *hashes]


def test_a_backup_has_the_configuration_without_secrets(run, config_path, tmp_path, secrets):
    assert run("backup", tmp_path / "copy.json").exit_code == 0
    text = (tmp_path / "copy.json.toml").read_text()
    assert not [secret for secret in secrets if secret in text]
    tables, before = tomllib.loads(text), tomllib.loads(config_path.read_text())
    assert tables["clients"] == [{"id": "c", "name": "c", "scope": "read-only"}]
    assert "tokens" not in tables
    assert (tables["server"], tables["directory"]) == (before["server"], before["directory"])
    create_app(tmp_path / "copy.json.toml")


def test_a_backup_has_the_whole_configuration_if_that_is_asked_for(run, config_path, tmp_path, secrets):
    assert "secrets" not in run("backup", "--with-secrets", tmp_path / "copy.json").stderr
    assert (tmp_path / "copy.json.toml").read_bytes() == config_path.read_bytes()
    assert (tmp_path / "copy.json.toml").stat().st_mode & 0o777 == 0o600


def test_a_configuration_is_overwritten_only_on_request(run, tmp_path):
    (tmp_path / "copy.json.toml").write_text("mine")
    assert "copy.json.toml exists" in run("backup", tmp_path / "copy.json").stderr
    assert (tmp_path / "copy.json.toml").read_text() == "mine"
    assert not (tmp_path / "copy.json").exists()


def test_as_many_copies_are_kept_as_asked_and_other_files_stay(run, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    old = [f"tinyscim-2026010{day}T000000Z.json" for day in range(1, 6)]
    others = ["tinyscim-mine.json", "tinyscim-20260101T000000Z.json.bak"]
    for name in [*old, *(f"{name}.toml" for name in old), *others]:
        (folder / name).touch()
    assert run("backup", "--keep", 3, folder).exit_code == 0
    left = {path.name for path in folder.iterdir()} - set(others)
    assert len(left) == 6
    assert {name for name in left if name in old} == set(old[-2:])
    assert set(others) <= {path.name for path in folder.iterdir()}


def test_a_backup_that_does_not_read_back_is_reported_and_removes_no_copy(run, tmp_path, monkeypatch):
    assert run("backup", "--keep", 1, tmp_path / "copies").exit_code == 0
    before = set((tmp_path / "copies").iterdir())

    def damage(path, pieces, **options):
        atomic.replace_atomically(path, [b"".join(pieces)[:-5]], **options)

    monkeypatch.setattr(transfer, "replace_atomically", damage)
    monkeypatch.setattr("commands.backup.new_copy", lambda folder: folder / "tinyscim-20990101T000000Z.json")
    result = run("backup", "--keep", 1, tmp_path / "copies")
    assert result.exit_code == 1
    assert "the backup is unusable" in result.stderr
    assert before <= set((tmp_path / "copies").iterdir())


def test_a_document_that_is_not_what_the_store_has_is_found(run, config_path, tmp_path, monkeypatch):
    token = add_token(config_path, "entra")
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@contoso.example"}
    client = create_app(config_path).test_client()
    made = client.post("/api/scim/v2/Users", json=body, headers={"Authorization": f"Bearer {token}"})
    assert made.status_code == 201

    def damage(path, pieces, **options):
        atomic.replace_atomically(path, [b"".join(pieces).replace(b"ada@", b"adb@")], **options)

    monkeypatch.setattr(transfer, "replace_atomically", damage)
    result = run("backup", tmp_path / "bad.json")
    assert (result.exit_code, "Check the disk" in result.stderr) == (1, True)


@pytest.mark.parametrize("option", [("--keep", "2"), ("--with-secrets",)])
def test_options_for_files_are_refused_on_stdout(run, option):
    assert run("backup", *option, "-").exit_code == 2


def test_the_time_of_the_last_backup_is_in_the_metrics(run, config_path, tmp_path):
    token, _ = set_metrics_token(config_path)
    client, headers = create_app(config_path).test_client(), {"Authorization": f"Bearer {token}"}
    never = "tinyscim_last_backup_timestamp_seconds 0.0"
    assert never in client.get("/metrics", headers=headers).text
    run("backup", tmp_path / "copy.json")
    text = client.get("/metrics", headers=headers).text
    assert "tinyscim_last_backup_timestamp_seconds" in text
    assert never not in text


def test_a_restore_on_another_machine_serves_the_same_users(tmp_path):
    """The restore drill of docs/operations.md."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with running(tmp_path / "first") as service:
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@contoso.example"}
        id = service.send("POST", "/Users", body).json()["id"]
        command(tmp_path / "first" / "config.toml", "store", "backup", "--keep", "7", tmp_path / "copies")
    (copy,) = (tmp_path / "copies").glob("tinyscim-*.json")
    config = tmp_path / "second" / "config.toml"
    config.write_bytes(copy.with_name(f"{copy.name}.toml").read_bytes())
    config.chmod(0o600)
    command(config, "store", "restore", "--yes", copy)
    assert "1 user" in command(config, "store", "check")
    token = command(config, "token", "new", "--name", "entra").strip()
    answer = (
        create_app(config).test_client().get(f"/api/scim/v2/Users/{id}", headers={"Authorization": f"Bearer {token}"})
    )
    assert answer.get_json()["userName"] == "ada@contoso.example"


def command(config, *arguments):
    run = subprocess.run(
        [sys.executable, "-m", "flask", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "SCIM_CONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout
