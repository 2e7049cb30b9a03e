import hashlib
import os
import time
import tomllib
from pathlib import Path

import pytest

from app import create_app
from panel.settings import add_token
from storage.memory import MemoryStore


def tokens(config_path):
    return tomllib.loads(config_path.read_text()).get("tokens", [])


def status(app, token, method="GET", path="/Users"):
    headers = {"Authorization": f"Bearer {token}"}
    return app.test_client().open("/api/scim/v2" + path, method=method, headers=headers, json={}).status_code


def test_new_token_prints_the_token_alone_and_keeps_its_hash_alone(flask, config_path):
    comments = [line for line in config_path.read_text().splitlines() if line.startswith("#")]
    run = flask("token", "new", "--name", "entra")
    token = run.stdout.strip()
    assert run.returncode == 0
    assert token.startswith("tscim_")
    assert len(token.removeprefix("tscim_")) == 43  # 256 bits in base64
    text = config_path.read_text()
    assert token not in text
    assert all(comment in text for comment in comments)
    (kept,) = tokens(config_path)
    assert kept["name"] == "entra"
    assert kept["sha256"] == hashlib.sha256(token.encode()).hexdigest()
    assert kept["scope"] == "read-write"


def test_tokens_in_one_array_stay_beside_a_new_one_and_can_be_revoked(flask, config_path):
    old, two = ({"name": name, "sha256": letter * 64} for name, letter in (("old", "a"), ("two", "b")))
    config_path.write_text(f'tokens = [ {{name="old", sha256="{"a" * 64}"}}, {{name="two", sha256="{"b" * 64}"}} ]')
    assert flask("token", "new", "--name", "new").returncode == 0
    assert tokens(config_path)[:-1] == [old, two]
    assert flask("token", "revoke", "old").returncode == 0
    assert [table["name"] for table in tokens(config_path)] == ["two", "new"]


def test_several_tokens_hold_at_once_until_one_is_revoked(flask, config_path):
    first = flask("token", "new", "--name", "old").stdout.strip()
    second = flask("token", "new", "--name", "new", "--read-only").stdout.strip()
    app = create_app(config_path, store=MemoryStore())
    assert [status(app, token) for token in (first, second)] == [200, 200]
    assert status(app, second, "POST") == 403
    listed = flask("token", "list").stdout
    assert "old" in listed
    assert "read-only" in listed
    assert flask("token", "revoke", "old").returncode == 0
    time.sleep(0.1)
    assert [status(app, token) for token in (first, second)] == [401, 200]


def test_a_running_app_takes_up_a_new_token_within_a_second(flask, config_path):
    app = create_app(config_path, store=MemoryStore())
    token = flask("token", "new", "--name", "late").stdout.strip()
    deadline = time.monotonic() + 1
    while status(app, token) != 200:
        assert time.monotonic() < deadline


def test_a_new_token_is_let_in_at_once_by_an_app_that_has_just_looked(flask, config_path):
    first = flask("token", "new", "--name", "first").stdout.strip()
    app = create_app(config_path, store=MemoryStore())
    for name in ("second", "third", "fourth"):
        assert status(app, first) == 200
        token = add_token(config_path, name)
        assert status(app, token) == 200


def test_a_file_that_has_become_wrong_changes_nothing(flask, config_path, caplog):
    token = flask("token", "new", "--name", "entra").stdout.strip()
    app = create_app(config_path, store=MemoryStore())
    config_path.write_text(config_path.read_text() + "\n[oops")
    assert status(app, token) == 200
    assert "not in force" in caplog.text


def test_without_a_token_every_request_is_refused(config_path):
    app = create_app(config_path, store=MemoryStore())
    assert status(app, "anything") == 401


def test_messages_of_what_goes_wrong(flask):
    flask("token", "new", "--name", "entra")
    again = flask("token", "new", "--name", "entra")
    assert again.returncode != 0
    assert again.stdout == ""
    assert 'There is a token "entra" already' in again.stderr
    assert 'There is no token "nobody"' in flask("token", "revoke", "nobody").stderr
    ours = flask("token", "new", "--name", "connection-test-mine")
    assert ours.returncode != 0
    assert "the panel's own tests" in ours.stderr
    assert "1 to 100 printable characters" in flask("token", "new", "--name", "a\nb").stderr
    flask("token", "revoke", "entra")
    assert "every request is refused" in flask("token", "list").stderr


@pytest.mark.parametrize("command", ["token new --name lost", "setup"])
def test_a_token_that_nobody_could_see_is_taken_back(flask, config_path, command):
    with Path("/dev/full").open("w") as full:
        run = flask(*command.split(), stdout=full)
    said = "Error: output: No space left on device; nobody has seen the token, so it is taken back\n"
    assert (run.returncode, run.stderr) == (1, said)
    assert tokens(config_path) == []


def test_setup_prints_url_and_token_once(flask, config_path):
    first = flask("setup")
    assert "http://127.0.0.1:8000/api/scim/v2" in first.stdout
    assert "tscim_" in first.stdout
    assert len(tokens(config_path)) == 1
    again = flask("setup")
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_service(flask, config_path):
    folder, nobody = config_path.parent, 65_534
    for path in (folder, folder / "data", folder / "data" / "tinyscim.json.locks"):
        path.mkdir(exist_ok=True)
        os.chown(path, nobody, nobody)
    os.chown(config_path, nobody, nobody)
    assert flask("token", "new", "--name", "entra").returncode == 0
    assert flask("store", "compact").returncode == 0
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"config.toml", "config.toml.lock", "tinyscim.json"} <= {path.name for path in files}
    assert {path.name: path.stat().st_uid for path in files} == {path.name: nobody for path in files}


def test_setup_on_a_socket_says_that_public_url_is_needed(config_path):
    config_path.write_text('[server]\nbind = "unix:/run/tinyscim.sock"\n')
    said = create_app(config_path, store=MemoryStore()).test_cli_runner().invoke(args=["setup"]).output
    assert "Tenant URL:    <public_url>/api/scim/v2" in said
    assert "Address:       <public_url>/panel/" in said
    assert "Set public_url under [server]" in said
    assert "unix:" not in said
