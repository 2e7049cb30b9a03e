import errno
import hashlib
import os
import time
import tomllib
from pathlib import Path

import pytest

import config
from app import create_app
from config import edit
from storage.memory import MemoryStore
from tests.support.past import settle

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
LIMITS = 'scope="read-write", expires="never"'
ENABLED = "\n[connection]\nenabled = true\n"


def tokens(config_path):
    return tomllib.loads(config_path.read_text()).get("tokens", [])


def in_one_array():
    tables = (f'{{name="{name}", sha256="{letter * 64}", {LIMITS}}}' for name, letter in (("old", "a"), ("two", "b")))
    return f"tokens = [ {', '.join(tables)} ]\n{ENABLED}"


def status(app, token, method="GET", path="/Users"):
    headers = {"Authorization": f"Bearer {token}"}
    return app.test_client().open("/api/scim/v2" + path, method=method, headers=headers, json={}).status_code


def test_a_new_token_is_printed_and_only_its_hash_is_stored(flask, config_path):
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
    text = in_one_array()
    old, two = tomllib.loads(text)["tokens"]
    settle(config_path, text)
    assert flask("token", "new", "--name", "new").returncode == 0
    assert tokens(config_path)[:-1] == [old, two]
    assert flask("token", "revoke", "old").returncode == 0
    assert [table["name"] for table in tokens(config_path)] == ["two", "new"]


def test_a_token_can_be_made_when_one_of_an_array_has_been_revoked(flask, config_path):
    settle(config_path, in_one_array())
    assert flask("token", "revoke", "old").returncode == 0
    assert config_path.read_text().endswith("\n")
    run = flask("token", "new", "--name", "new")
    assert (run.returncode, run.stderr) == (0, "")
    assert [table["name"] for table in tokens(config_path)] == ["two", "new"]


@pytest.mark.parametrize("end", ["", " # mine\n# more"])
def test_a_token_can_be_added_to_a_file_whose_last_line_has_no_end(flask, config_path, end):
    limits = LIMITS.replace(", ", "\n")
    settle(config_path, f'{ENABLED}[[tokens]]\nname = "old"\n{limits}\nsha256 = "{"a" * 64}"{end}')
    run = flask("token", "new", "--name", "new")
    assert (run.returncode, run.stderr) == (0, "")
    assert [table["name"] for table in tokens(config_path)] == ["old", "new"]
    assert end in config_path.read_text()


def test_comments_in_one_array_of_tokens_stay_in_the_file(flask, config_path):
    table = f'{{name="no # comment", sha256="{"a" * 64}", {LIMITS}}}'
    settle(
        config_path,
        f"# top\ntokens = [ # mine\n  {table}, # Entra's\n  # no more\n] # end\n{ENABLED}\n[store]\npath='x'\n",
    )
    assert flask("token", "revoke", "no # comment").returncode == 0
    comments = [line for line in config_path.read_text().splitlines() if line.startswith("#")]
    assert comments == ["# top", "# mine", "# Entra's", "# no more", "# end"]
    assert "[store]\npath='x'\n" in config_path.read_text()


def test_several_tokens_are_valid_until_one_is_revoked(flask, config_path):
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


def test_a_running_app_accepts_a_new_token_within_a_second(flask, config_path):
    app = create_app(config_path, store=MemoryStore())
    token = flask("token", "new", "--name", "late").stdout.strip()
    deadline = time.monotonic() + 1
    while status(app, token) != 200:
        assert time.monotonic() < deadline


def test_an_app_that_has_just_reloaded_accepts_a_new_token_at_once(flask, config_path):
    first = flask("token", "new", "--name", "first").stdout.strip()
    app = create_app(config_path, store=MemoryStore())
    for name in ("second", "third", "fourth"):
        assert status(app, first) == 200
        token = edit.add_token(config_path, name)
        assert status(app, token) == 200


def test_an_invalid_file_changes_nothing(flask, config_path, caplog):
    token = flask("token", "new", "--name", "entra").stdout.strip()
    app = create_app(config_path, store=MemoryStore())
    config_path.write_text(config_path.read_text() + "\n[oops")
    assert status(app, token) == 200
    assert "is not in use" in caplog.text


def test_without_a_token_every_request_is_refused(config_path):
    app = create_app(config_path, store=MemoryStore())
    assert status(app, "anything") == 401


def test_errors_say_what_is_wrong(flask):
    flask("token", "new", "--name", "entra")
    again = flask("token", "new", "--name", "entra")
    assert again.returncode != 0
    assert again.stdout == ""
    assert 'There is a token "entra" already' in again.stderr
    assert 'No such token: "nobody"' in flask("token", "revoke", "nobody").stderr
    ours = flask("token", "new", "--name", "connection-test-mine")
    assert ours.returncode != 0
    assert "the panel's own tests" in ours.stderr
    assert "1 to 100 printable characters" in flask("token", "new", "--name", "a\nb").stderr
    flask("token", "revoke", "entra")
    assert "every request is refused" in flask("token", "list").stderr


@pytest.mark.parametrize("command", ["token new --name lost", "setup"])
def test_a_token_that_could_not_be_shown_is_removed(flask, config_path, command):
    with Path("/dev/full").open("w") as full:
        run = flask(*command.split(), stdout=full)
    said = "Error: output: No space left on device; the token was not shown, so it was removed again\n"
    assert (run.returncode, run.stderr) == (1, said)
    assert tokens(config_path) == []


@pytest.mark.parametrize("command", ["token new --name lost", "setup"])
def test_no_token_is_created_if_stdout_is_closed(flask, config_path, command):
    before = config_path.read_bytes()
    run = flask(*command.split(), preexec_fn=lambda: os.close(1))
    said = "Error: output: stdout is closed, so the token could not be shown: it was not created\n"
    assert (run.returncode, run.stderr) == (1, said)
    assert config_path.read_bytes() == before


@pytest.mark.parametrize("text", [EXAMPLE.read_text(), "", '[panel]\nsecret = "0123456789abcdef0123456789abcdef"\n'])
def test_a_setup_that_could_not_be_shown_can_be_repeated(flask, config_path, text):
    settle(config_path, text)
    before = config.read(config_path)
    with Path("/dev/full").open("w") as full:
        assert flask("setup", stdout=full).returncode == 1
    assert config.read(config_path) == before
    again = flask("setup")
    assert again.returncode == 0
    for shown in ("Secret Token:  tscim_", "Address:       http://127.0.0.1:8000/panel/", "Password:      "):
        assert shown in again.stdout


def test_an_existing_password_stays_when_a_token_is_removed(flask, config_path):
    edit.set_password(config_path, "correct horse battery")
    before = config.read(config_path)
    with Path("/dev/full").open("w") as full:
        assert flask("setup", stdout=full).returncode == 1
    assert config.read(config_path) == before


def test_a_setup_without_a_password_creates_no_token(config_path, monkeypatch):
    usual = edit._replace

    def replace(path, text):
        if "password_hash" in text:
            raise OSError(errno.ENOSPC, "No space left on device")
        usual(path, text)

    settle(config_path, "")
    monkeypatch.setattr(edit, "_replace", replace)
    run = create_app(config_path, store=MemoryStore()).test_cli_runner().invoke(args=["setup"])
    assert (run.exit_code, run.stdout) == (1, "")
    assert config_path.read_text() == ""


@pytest.mark.parametrize("command", ["token new --name lost", "setup"])
def test_a_token_is_removed_whatever_prevents_it_from_being_shown(config_path, monkeypatch, command):
    def failing(text):
        raise UnicodeError("no letter of this terminal's")

    monkeypatch.setattr("click.echo", failing)
    before = config.read(config_path)
    run = create_app(config_path, store=MemoryStore()).test_cli_runner().invoke(args=command.split())
    assert isinstance(run.exception, UnicodeError)
    assert config.read(config_path) == before


def test_setup_prints_url_and_token_once(flask, config_path):
    first = flask("setup")
    assert "http://127.0.0.1:8000/api/scim/v2" in first.stdout
    assert "tscim_" in first.stdout
    assert len(tokens(config_path)) == 1
    again = flask("setup")
    urls = "Tenant URL:    http://127.0.0.1:8000/api/scim/v2\nWeb panel:     http://127.0.0.1:8000/panel/\n"
    assert (again.returncode, again.stdout) == (0, urls)
    assert len(tokens(config_path)) == 1


def test_setup_on_a_socket_says_that_public_url_is_needed(config_path):
    settle(config_path, '[server]\nbind = "unix:/run/tinyscim.sock"\n')
    said = create_app(config_path, store=MemoryStore()).test_cli_runner().invoke(args=["setup"]).output
    assert "Tenant URL:    <public_url>/api/scim/v2" in said
    assert "Address:       <public_url>/panel/" in said
    assert "Set public_url under [server]" in said
    assert "unix:" not in said
