"""Options from the environment, in-process calls, and `flask config show`."""

import os
import re
import subprocess
import sys

import httpx
import pytest

from app import create_app
from config import ConfigError, edit, read
from storage.memory import MemoryStore
from tests.support.serving import ROOT

HASH = f"scrypt:1024:8:1$a${'0' * 128}"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[server]\nworkers = 4\nthreads = 5\n[limits]\nmax_page_size = 50\npage_size = 20\n")
    path.chmod(0o600)
    return path


def test_a_variable_has_precedence_over_the_file_and_the_file_over_the_default(path, monkeypatch):
    monkeypatch.setenv("TINYSCIM_SERVER__WORKERS", "8")
    server = read(path).server
    assert (server.workers, server.threads, server.request_timeout) == (8, 5, 30)


@pytest.mark.parametrize(
    ("variable", "text", "table", "option", "value"),
    [
        ("SERVER__BIND", "[::1]:9", "server", "bind", "[::1]:9"),
        ("SERVER__HOSTS", '["a.example", "b.example"]', "server", "hosts", ("a.example", "b.example")),
        ("CONNECTION__ENABLED", "false", "connection", "enabled", False),
        ("STORE__COMPACT_AFTER", "20_000", "store", "compact_after", 20_000),
        ("ATTRIBUTE_NAMES__EXTRAATTRIBUTE1", "true", "attribute_names", "extraAttribute1", "true"),
        ("LOG__RECORD_READS_UNTIL", "2030-01-31T12:00:00Z", "log", "record_reads_until", "2030-01-31T12:00:00Z"),
    ],
)
def test_each_type_is_read_as_toml_and_text_as_it_is(path, monkeypatch, variable, text, table, option, value):
    monkeypatch.setenv(f"TINYSCIM_{variable}", text)
    assert getattr(getattr(read(path), table), option) == value


def test_a_secret_is_read_from_the_file_that_the_variable_names(path, tmp_path, monkeypatch):
    (tmp_path / "hash").write_text(f"{HASH}\n")
    monkeypatch.setenv("TINYSCIM_PANEL__PASSWORD_HASH_FILE", str(tmp_path / "hash"))
    assert read(path).panel.password_hash == HASH


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SERVER__PORT": "1"}, "TINYSCIM_SERVER__PORT: there is no such option"),
        ({"SERVER__WORKERS": "many"}, "TINYSCIM_SERVER__WORKERS: write the value as in the file"),
        ({"SERVER__WORKERS": "1\nthreads = 2"}, "TINYSCIM_SERVER__WORKERS: write the value as in the file"),
        ({"SERVER__WORKERS": '"2"'}, "TINYSCIM_SERVER__WORKERS: [server] workers must be a whole number"),
        ({"SERVER__WORKERS": "0"}, "TINYSCIM_SERVER__WORKERS: [server] workers must be from 1 to 64, not 0"),
        ({"LIMITS__PAGE_SIZE": "60"}, "TINYSCIM_LIMITS__PAGE_SIZE: [limits] page_size must not be above max_page_size"),
        ({"PANEL__SECRET_FILE": "/nowhere"}, "TINYSCIM_PANEL__SECRET_FILE: /nowhere: No such file or directory"),
        ({"PANEL__SECRET_FILE": "/dev/zero"}, "TINYSCIM_PANEL__SECRET_FILE: /dev/zero: this is not a regular file"),
        (
            {"SERVER__BIND": "a:1", "SERVER__BIND_FILE": "b"},
            "TINYSCIM_SERVER__BIND_FILE: b: No such file or directory",
        ),
    ],
)
def test_an_error_names_the_variable(path, monkeypatch, variables, reason):
    for variable, text in variables.items():
        monkeypatch.setenv(f"TINYSCIM_{variable}", text)
    with pytest.raises(ConfigError) as stopped:
        read(path)
    assert reason in str(stopped.value)


def test_two_variables_for_one_option_are_an_error(path, tmp_path, monkeypatch):
    (tmp_path / "bind").write_text("a:1")
    monkeypatch.setenv("TINYSCIM_SERVER__BIND", "a:1")
    monkeypatch.setenv("TINYSCIM_SERVER__BIND_FILE", str(tmp_path / "bind"))
    with pytest.raises(ConfigError, match="TINYSCIM_SERVER__BIND and TINYSCIM_SERVER__BIND_FILE set the same option"):
        read(path)


def test_a_file_with_a_value_has_a_maximum_size(path, tmp_path, monkeypatch):
    (tmp_path / "long").write_text("x" * 70_000)
    monkeypatch.setenv("TINYSCIM_SERVER__BIND_FILE", str(tmp_path / "long"))
    with pytest.raises(ConfigError, match="has more than 65536 bytes"):
        read(path)


def test_an_invalid_secret_is_not_shown(path, monkeypatch):
    monkeypatch.setenv("TINYSCIM_PANEL__PASSWORD_HASH", "hush")
    with pytest.raises(ConfigError) as stopped:
        read(path)
    assert "TINYSCIM_PANEL__PASSWORD_HASH" in str(stopped.value)
    assert "hush" not in str(stopped.value)


def test_variables_that_kubernetes_sets_are_ignored(path, monkeypatch):
    monkeypatch.setenv("TINYSCIM_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("TINYSCIM_PORT_8000_TCP_PORT", "8000")
    assert read(path).server.workers == 4


def test_an_application_of_tables_does_not_read_the_environment(monkeypatch):
    monkeypatch.setenv("TINYSCIM_SERVER__BASE_PATH", "/other")
    client = create_app({}, store=MemoryStore()).test_client()
    assert client.get("/api/scim/v2/Users").status_code == 401


def test_the_file_cannot_change_what_a_variable_sets(path, monkeypatch):
    monkeypatch.setenv("TINYSCIM_CONNECTION__ENABLED", "true")
    before = path.read_text()
    with pytest.raises(edit.Refused, match="TINYSCIM_CONNECTION__ENABLED sets enabled under"):
        edit.set_enabled(path, False)
    assert path.read_text() == before
    edit.add_token(path, "entra")
    assert [token.name for token in read(path).tokens] == ["entra"]


def test_a_variable_does_not_get_into_the_file_when_it_is_changed(path, monkeypatch):
    monkeypatch.setenv("TINYSCIM_PANEL__ALLOW", '["10.0.0.0/8"]')
    edit.set_up(path, "entra", "a password of many words")
    edit.restore_panel(path, read(path).panel)
    assert read(path).panel.allow == ("10.0.0.0/8",)
    assert "10.0.0.0" not in path.read_text()


def test_config_show_prints_each_value_with_its_source(flask, config_path, monkeypatch):
    edit.set_up(config_path, "entra", "a password of many words")
    monkeypatch.setenv("TINYSCIM_SERVER__WORKERS", "8")
    config_path.write_text(config_path.read_text().replace("threads = 3", "threads = 4").replace("days = 90", ""))
    run = flask("config", "show")
    shown = {line.split("  ")[0]: line.split()[-2:] for line in run.stdout.splitlines()}
    assert shown["[server] workers"] == ["TINYSCIM_SERVER__WORKERS", "8"]
    assert shown["[server] threads"] == ["file", "4"]
    assert shown["[log] days"] == ["default", "90"]
    assert shown["[panel] password_hash"] == ["file", "(hidden)"]
    assert shown["[[tokens]]"] == ["file", "1"]
    assert "scrypt" not in run.stdout


def test_an_invalid_configuration_raises_an_error_in_process():
    with pytest.raises(ConfigError, match=r"configuration: \[server\] workers must be from 1 to 64, not 0"):
        create_app({"server": {"workers": 0}}, store=MemoryStore())


def test_a_service_in_memory_writes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = create_app({}, store=MemoryStore()).test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/api/scim/v2/Users").status_code == 401
    assert not list(tmp_path.iterdir())


def test_a_command_prints_an_error_of_the_environment_in_one_line(flask, monkeypatch):
    monkeypatch.setenv("TINYSCIM_SERVER__WORKERS", "0")
    run = flask("token", "list")
    reason = "TINYSCIM_SERVER__WORKERS: [server] workers must be from 1 to 64, not 0"
    assert (run.returncode, run.stderr) == (3, f"tinyscim: {reason}\n")


def test_port_0_is_a_free_port_that_the_service_prints(tmp_path):
    (tmp_path / "config.toml").write_text('[server]\nbind = "127.0.0.1:0"\n')
    (tmp_path / "config.toml").chmod(0o600)
    environment = {**os.environ, "SCIM_CONFIG": str(tmp_path / "config.toml")}
    command = [sys.executable, "-m", "gunicorn", "app:create_app()"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        listening = next(line for line in process.stderr if "Listening at" in line)
        url = re.search(r"http://127\.0\.0\.1:[1-9]\d+", listening)[0]
        status = httpx.get(f"{url}/healthz", timeout=30).status_code
        process.terminate()
        process.stderr.read()
    assert status == 200


def test_setup_shows_that_the_port_is_chosen_later(flask, config_path):
    config_path.write_text(config_path.read_text().replace("127.0.0.1:8000", "127.0.0.1:0"))
    assert "http://127.0.0.1:<port>/api/scim/v2" in flask("setup").stdout
