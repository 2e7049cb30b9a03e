"""What the commands of the administrator print."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from app import create_app
from config.edit import add_token, set_password
from entra.cli import main as entra
from provisioning_log import activity_of
from storage.memory import MemoryStore

ROOT = Path(__file__).parents[2]


def commands(group, path=()):
    """Yield each command of a group with the words that lead to it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        yield (*path, name), command


def test_help_lists_whole_sentences(config_path):
    ours = create_app(config_path, store=MemoryStore()).cli
    for words, command in [*commands(ours), *commands(entra)]:
        text = command.get_short_help_str(62)  # what fits beside the longest name in 80 columns
        assert text.endswith("."), words
        assert not text.endswith("..."), words
        assert text[0].isupper(), words


def test_every_option_has_a_help_of_whole_sentences(config_path):
    ours = create_app(config_path, store=MemoryStore()).cli
    for words, command in [*commands(ours), *commands(entra)]:
        for option in (one for one in command.params if isinstance(one, click.Option)):
            assert option.help, (words, option.name)
            assert option.help.split("  [")[0].endswith("."), (words, option.name)


def test_the_list_of_tokens_has_headings_and_the_last_use(config_path):
    token = add_token(config_path, "entra")
    add_token(config_path, "audit", read_only=True)
    app = create_app(config_path)
    listed = app.test_cli_runner().invoke(args=["token", "list"]).stdout.splitlines()
    assert listed[0].split("  ")[0] == "Name"
    columns = [listed[0].index(name) for name in ("Name", "Scope", "Created", "Expires", "Last used")]
    cells = [[line[a:b].strip() for a, b in zip(columns, [*columns[1:], None], strict=True)] for line in listed[1:]]
    assert [(name, scope, expires, used) for name, scope, _, expires, used in cells] == [
        ("entra", "read-write", "never", "never"),
        ("audit", "read-only", "never", "never"),
    ]
    answer = app.test_client().get("/api/scim/v2/Users", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    activity_of(app).flush()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    used, unused = create_app(config_path).test_cli_runner().invoke(args=["token", "list"]).stdout.splitlines()[1:]
    assert used[columns[-1] :].startswith(today)
    assert unused.endswith("never")


def test_an_expired_token_is_marked(config_path):
    with config_path.open("a") as file:
        file.write(f'[[tokens]]\nname = "old"\nsha256 = "{"a" * 64}"\nscope = "read-only"\n')
        file.write("created = 2025-01-31T12:00:00Z\nexpires = 2026-01-31T12:00:00Z\n")
    listed = create_app(config_path).test_cli_runner().invoke(args=["token", "list"]).stdout
    assert listed.splitlines()[1].split("  ") == [
        "old", " read-only", "2025-01-31 12:00 UTC", "2026-01-31 12:00 UTC (expired)", "never",
    ]  # fmt: skip


@pytest.mark.parametrize("has_panel", [True, False])
def test_a_later_setup_prints_the_addresses_and_changes_nothing(config_path, has_panel):
    if has_panel:
        set_password(config_path, "correct horse battery")
    add_token(config_path, "entra")
    before = config_path.read_bytes()
    said = create_app(config_path).test_cli_runner().invoke(args=["setup"])
    assert "Tenant URL:    http://127.0.0.1:8000/api/scim/v2\n" in said.stdout
    assert ("Web panel:     http://127.0.0.1:8000/panel/" in said.stdout) is has_panel
    assert ("flask panel password" in said.stdout) is not has_panel
    assert config_path.read_bytes() == before


def test_a_backup_overwrites_only_on_request_and_says_what_it_leaves_out(config_path, tmp_path):
    run = create_app(config_path).test_cli_runner().invoke
    copy = tmp_path / "copy.json"
    first = run(args=["store", "backup", str(copy)])
    log = config_path.parent / "data" / "provisioning.jsonl"
    secrets = "the secrets of the configuration (include them with --with-secrets)"
    left_out = f"Not in the backup: {secrets} and the provisioning log ({log})."
    assert first.exit_code == 0
    assert left_out in first.stderr
    copy.write_text("mine")
    refused = run(args=["store", "backup", str(copy)])
    assert (refused.exit_code, copy.read_text()) == (1, "mine")
    assert f"Error: {copy} exists. Choose another name, or replace it with --overwrite.\n" in refused.stderr
    assert run(args=["store", "backup", "--overwrite", str(copy)]).exit_code == 0
    assert copy.read_text() != "mine"
    left_out = f"Not in the backup: the configuration ({config_path}) and the provisioning log ({log})."
    assert left_out in run(args=["store", "backup", "-"]).stderr


def serve(config_path, *command):
    environment = {**os.environ, "SCIM_CONFIG": str(config_path)}
    command = [sys.executable, "-m", *command]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_taken_port_is_reported_in_one_line_with_the_option_to_change(config_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        config_path.write_text(config_path.read_text().replace("127.0.0.1:8000", bind))
        run = serve(config_path, "gunicorn", "app:create_app()")
    assert run.returncode != 0
    (line,) = (line for line in run.stderr.splitlines() if "INFO" not in line)
    assert line == (
        f"tinyscim: cannot listen on {bind}: another program uses this address. Stop that program, or set bind under"
        f" [server] in {config_path} to another address."
    )


def test_flask_run_warns_of_a_configuration_that_others_may_read(config_path):
    config_path.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:  # so that the command ends by itself
        run = serve(config_path, "flask", "run", "--port", str(taken.getsockname()[1]))
    assert run.stderr.count(f"Warning: {config_path}: other users may read this file") == 1
