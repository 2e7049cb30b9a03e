"""Other users of the machine neither read nor change what the service keeps."""

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys

import httpx
import pytest

from config.ownership import others_may, warning
from tests.support.past import settle
from tests.support.serving import ROOT, free_port, serving, wait_until_healthy

CONFIG = '[server]\nbind = "{bind}"\n[store]\npath = "kept/data/tinyscim.json"\n[log]\npath = "logs/deep/log.jsonl"\n'
COMMANDS = [
    "setup",
    "token new --name other",
    "panel password --password-stdin",
    "store compact",
    "store check",
    "store repair",
    "store backup {folder}/backup",
    "store export -o {folder}/export",
    "store import {folder}/in.jsonl",
    "store restore --yes {folder}/in.json",
    "log export -o {folder}/log-export",
]


@pytest.fixture
def folder(config_path):
    settle(config_path, CONFIG.format(bind=f"127.0.0.1:{free_port()}"))
    for name, text in {"in.json": "{}", "in.jsonl": ""}.items():
        (config_path.parent / name).write_text(text)
        (config_path.parent / name).chmod(0o600)
    return config_path.parent


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def assert_private(folder):
    found = {str(path): oct(mode(path)) for path in folder.rglob("*")}
    wanted = {str(path): oct(0o700 if path.is_dir() else 0o600) for path in folder.rglob("*")}
    assert found == wanted


def test_no_command_leaves_anything_to_other_users_whatever_the_umask(flask, folder):
    for command in COMMANDS:
        if "repair" in command:
            (folder / "kept" / "data" / "tinyscim.json").write_text("nonsense\n")
        text = "a password of the panel\n" if "stdin" in command else ""
        run = flask(*command.format(folder=folder).split(), umask=0, input=text)
        assert run.returncode == 0, run.stderr
        assert_private(folder)
    assert {path.name for path in folder.rglob("*")} >= {"tinyscim.json.locks", "tinyscim.json.aside.1", "left-out"}


def gunicorn(folder, log):
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "app:create_app()"],
        cwd=ROOT,
        env={**os.environ, "SCIM_CONFIG": str(folder / "config.toml")},
        stdout=log,
        stderr=subprocess.STDOUT,
        umask=0,
    )


def test_the_service_leaves_nothing_to_other_users_whatever_the_umask(folder, tmp_path_factory):
    bind = (folder / "config.toml").read_text().split('"')[1]
    output = tmp_path_factory.mktemp("output") / "log"
    with (
        output.open("w") as log,
        gunicorn(folder, log) as process,
        httpx.Client(base_url=f"http://{bind}") as client,
    ):
        try:
            wait_until_healthy(client, process, output)
            assert client.get("/api/scim/v2/Users").status_code == 401
        finally:
            process.send_signal(signal.SIGTERM)
    assert {path.name for path in folder.rglob("*")} >= {"kept", "data", "tinyscim.json.locks", "logs", "deep"}
    assert_private(folder)


def test_a_folder_of_locks_that_others_could_write_into_is_closed(flask, folder):
    assert flask("store", "compact").returncode == 0
    locks = folder / "kept" / "data" / "tinyscim.json.locks"
    locks.chmod(0o777)
    assert flask("store", "compact").returncode == 0
    assert mode(locks) == 0o700


@pytest.mark.parametrize("bits", [0o602, 0o622, 0o666, 0o1666, 0o777])
def test_a_configuration_that_others_may_write_is_refused_until_its_mode_is_right(flask, folder, bits):
    path = folder / "config.toml"
    path.chmod(bits)
    run = flask("token", "list")
    assert (run.returncode, run.stderr.count("\n"), run.stdout) == (3, 1, "")
    assert f"{path}: other users may change this file" in run.stderr
    command = shlex.split(run.stderr.partition("Run: ")[2])
    assert command == ["chmod", "go-w", str(path)]
    subprocess.run(command, check=True)
    assert flask("token", "list").returncode == 0


def test_the_service_refuses_a_configuration_that_others_may_write(folder):
    (folder / "config.toml").chmod(0o666)
    with gunicorn(folder, subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert (output.count(b"\n"), b"Run: chmod go-w" in output) == (1, True)
    assert sorted(path.name for path in folder.iterdir()) == ["config.toml", "in.json", "in.jsonl"]


@pytest.mark.parametrize("place", [".", "kept/data", "logs/deep"])
def test_a_folder_that_others_may_write_into_is_refused(flask, folder, place):
    (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / place).chmod(0o777)
    run = flask("store", "compact")
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
    assert shlex.split(run.stderr.partition("Run: ")[2]) == ["chmod", "go-w", str(folder / place)]
    (folder / place).chmod(0o755)
    assert flask("store", "compact").returncode == 0


@pytest.mark.parametrize("bits", [0o604, 0o644, 0o640])
def test_a_configuration_that_others_may_read_is_warned_of_at_every_start(flask, folder, bits):
    path = folder / "config.toml"
    if bits == 0o640 and os.geteuid() == 0:
        pytest.skip("root's file may be in a group for the service to read it")
    if bits == 0o640 and not others_may(stat.S_IROTH, path.stat()):
        pytest.skip("the group is this user's own")
    path.chmod(bits)
    for command in (["setup"], ["token", "list"], ["store", "check"], ["panel", "password", "--password-stdin"]):
        run = flask(*command, input="a password of the panel\n")
        assert run.returncode == 0, run.stderr
        assert run.stderr.count(f"Warning: {path}: other users may read this file") == 1
        assert f"chmod go-rwx {path}" in run.stderr
    assert mode(path) == bits  # which is the administrator's to choose


def test_the_service_warns_once_at_its_start(tmp_path, monkeypatch):
    usual = os.chmod
    monkeypatch.setattr(os, "chmod", lambda path, bits, **options: usual(path, bits | 0o044, **options))
    with serving(tmp_path):
        pass
    assert (tmp_path / "log").read_text().count("config.toml: other users may read this file") == 1


def test_a_private_configuration_is_not_warned_of(flask, folder):
    assert flask("token", "new", "--name", "entra").stderr == ""
    assert warning(folder / "config.toml") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other groups")
@pytest.mark.parametrize(("user", "group", "bits", "outcome"), [
    (0, 65_534, 0o640, "fine"),  # the service reads root's file by its group
    (0, 65_534, 0o660, "refused"),
    (65_533, 65_534, 0o640, "warned"),
    (65_533, 65_534, 0o660, "refused"),
    (0, 0, 0o660, "fine"),  # the group is root's own
])  # fmt: skip
def test_a_group_is_other_users_unless_it_is_the_owners_own(flask, folder, user, group, bits, outcome):
    path = folder / "config.toml"
    os.chown(path, user, group)
    path.chmod(bits)
    if outcome == "refused":
        assert flask("token", "list").returncode == 3
    else:
        assert ("other users may read" in warning(path)) is (outcome == "warned")


def test_a_name_with_a_space_is_quoted(flask, folder, tmp_path):
    path = tmp_path / "with space"
    path.mkdir()
    shutil.copy(folder / "config.toml", path)
    path.chmod(0o777)
    run = subprocess.run(
        [sys.executable, "-m", "flask", "token", "list"],
        cwd=ROOT,
        env={**os.environ, "SCIM_CONFIG": str(path / "config.toml")},
        capture_output=True,
        text=True,
    )
    assert shlex.split(run.stderr.partition("Run: ")[2]) == ["chmod", "go-w", str(path)]
