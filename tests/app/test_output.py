"""The output of commands, for people and for pipes."""

import os
import subprocess
from pathlib import Path

import pytest

from app import create_app
from config.edit import add_token
from scim.directory.events import Event


@pytest.fixture
def used(config_path):
    """A service with a token, whose log has an entry."""
    add_token(config_path, "entra")
    log = create_app(config_path).extensions["tinyscim.log"]
    log.observe(Event("GET", "/api/scim/v2/Users", 401))
    log.flush()


@pytest.mark.parametrize("command", ["token list", "log tail", "log export", "log export --format csv", "store check"])
def test_unwritable_output_is_reported_in_one_line(used, flask, command):
    with Path("/dev/full").open("w") as full:
        run = flask(*command.split(), stdout=full)
    assert (run.returncode, run.stderr) == (1, "Error: output: No space left on device\n")


@pytest.mark.parametrize("command", ["log export", "store export", "log export --format csv"])
def test_an_export_to_a_closed_stdout_is_refused_in_one_line(used, flask, command):
    run = flask(*command.split(), preexec_fn=lambda: os.close(1))
    assert (run.returncode, run.stderr) == (1, "Error: output: stdout is closed\n")


@pytest.mark.parametrize("command", ["log export -o", "store export -o", "store backup"])
def test_a_link_to_itself_is_reported_without_a_traceback(used, flask, tmp_path, command):
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    run = flask(*command.split(), str(loop))
    reason = " exists. Choose another name" if command == "store backup" else ": Too many levels of symbolic links\n"
    assert run.returncode == 1
    assert run.stderr.startswith(f"Error: {loop}{reason}")


@pytest.mark.parametrize("command", ["log export", "store export"])
def test_only_a_lone_dash_is_stdout(used, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    app = create_app(tmp_path / "config.toml")
    named = app.test_cli_runner().invoke(args=[*command.split(), "-o", "./-"])
    assert (named.exit_code, named.output) == (0, "")
    dash = app.test_cli_runner().invoke(args=[*command.split(), "-o", "-"])
    assert dash.stdout == (tmp_path / "-").read_text()


def test_a_closed_pipe_ends_a_command_silently(used, flask):
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as gone:
        gone.wait()
        run = flask("log", "tail", stdout=gone.stdin)
    assert (run.returncode, run.stderr) == (1, "")
