"""A command that root runs becomes the files' owner, and never follows what the owner has planted."""

import itertools
import os
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.support.serving import free_port, wait_until_healthy
from tests.support.unprivileged import (
    COMMANDS,
    FLASK,
    GUNICORN,
    ROOT,
    SECRET,
    SERVICE,
    as_user,
    flask,
    identity,
    meanwhile,
    names,
    owners,
    plant,
    prepare,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user's identity")

STORE = {"config.toml.lock", "kept", "data", "tinyscim.json", "tinyscim.json.locks"}
PLACES = [
    "config.toml.lock",
    "config.toml.new",
    "kept",
    "kept/data",
    "kept/data/tinyscim.json",
    "kept/data/tinyscim.json.new",
    "kept/data/tinyscim.json.journal.1",
    "kept/data/tinyscim.json.journal.2",
    "kept/data/tinyscim.json.journal.2.new",
    "kept/data/tinyscim.json.locks",
    *(f"kept/data/tinyscim.json.locks/{name}" for name in ("open", "compact", "write", "sync")),
    "kept/data/tinyscim.secret",
    "kept/data/tinyscim.json.aside.1",
    "kept/data/tinyscim.json.backup.1",
    "logs",
    "logs/log.jsonl",
    "logs/log.jsonl.lock",
    "backup",
    "backup.new",
    "backup.toml",
    "backup.toml.new",
    "kept/data/tinyscim.backup.json",
    "kept/data/tinyscim.backup.json.new",
    "export",
    "log-export",
]
TELLING = {"token new", "store repair", "store restore", "log export"}  # one of each way to write


def attacked(names):
    return [name if name in TELLING else pytest.param(name, marks=pytest.mark.long) for name in names]


@pytest.mark.parametrize("name", COMMANDS)
def test_files_that_root_writes_belong_to_the_service(folder, name):
    prepare(folder, name)
    run = flask(folder, *COMMANDS[name])
    assert (run.returncode, "Traceback" in run.stderr) == (0, False), run.stderr
    assert set(owners(folder).values()) == {(SERVICE, SERVICE)}
    if name.startswith("store c") and name != "store check":
        assert owners(folder).keys() >= STORE


@pytest.mark.parametrize("name", attacked(COMMANDS))
def test_a_command_follows_no_link_that_was_planted(folder, victim, name):
    """Links to a file, to a folder and to nothing, in each place that a command might use."""
    prepare(folder, name)
    targets = itertools.cycle([victim / "file", victim, victim / "new"])
    before = [identity(path) for path in (victim, victim / "file")]

    def attack():
        for place, target in zip(PLACES, targets, strict=False):
            path = folder / place
            if not any(folder / other in path.parents for other in PLACES if (folder / other).is_symlink()):
                plant(path, lambda path, target=target: path.symlink_to(target))

    as_user(SERVICE, attack)
    run = flask(folder, *COMMANDS[name])
    assert "Traceback" not in run.stderr
    assert [identity(path) for path in (victim, victim / "file")] == before


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["token new", "store compact", "store repair"])
def test_a_command_follows_no_link_in_any_one_place(folder, victim, name, place):
    prepare(folder, name)
    as_user(SERVICE, lambda: plant(folder / place, lambda path: path.symlink_to(victim / "file")))
    flask(folder, *COMMANDS[name])
    assert (identity(victim)[3], (victim / "file").read_bytes()) == (["file"], SECRET)
    as_user(SERVICE, lambda: plant(folder / place, lambda path: path.symlink_to(victim)))
    flask(folder, *COMMANDS[name])
    assert (identity(victim)[3], (victim / "file").stat().st_uid) == (["file"], 0)


@pytest.mark.parametrize("name", attacked(COMMANDS))
def test_a_file_with_a_second_name_is_not_changed(folder, victim, name):
    """As on a system where fs.protected_hardlinks is 0: the second name of root's file is in the service's folder."""
    prepare(folder, name)
    locks = folder / "kept" / "data" / "tinyscim.json.locks"
    as_user(SERVICE, lambda: locks.mkdir(parents=True))
    (victim / "file").chmod(0o600)
    for path in (locks / "write", locks / "open", folder / "config.toml.lock", folder / "export"):
        path.unlink(missing_ok=True)
        path.hardlink_to(victim / "file")
    run = flask(folder, *COMMANDS[name])
    assert "Traceback" not in run.stderr
    status = (victim / "file").stat()
    assert ((victim / "file").read_bytes(), status.st_uid, status.st_mode & 0o777) == (SECRET, 0, 0o600)


@pytest.mark.parametrize("name", attacked(COMMANDS))
def test_a_command_does_not_wait_for_a_pipe(folder, name):
    prepare(folder, name)

    def attack():
        for place in PLACES:
            if place not in ("kept", "kept/data", "kept/data/tinyscim.json.locks", "logs", "export", "log-export"):
                plant(folder / place, os.mkfifo)

    as_user(SERVICE, attack)
    run = flask(folder, *COMMANDS[name])
    assert "Traceback" not in run.stderr


def test_a_configuration_that_is_a_pipe_is_refused(folder):
    as_user(SERVICE, lambda: plant(folder / "config.toml", os.mkfifo))
    run = flask(folder, "token", "list")
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
    assert "not a regular file" in run.stderr


@pytest.mark.parametrize(
    "name", attacked(["store repair", "store compact", "store restore", "token new", "store export"])
)
def test_a_folder_that_is_swapped_for_a_link_during_a_command_is_not_followed(folder, victim, name):
    """Each try has another moment; what root would write through the link would be in the victim's folder."""
    prepare(folder, name)
    data, away = folder / "kept" / "data", folder / "away"

    def swap():
        data.rename(away)
        data.symlink_to(victim)
        data.unlink()
        away.rename(data)
        for aside in data.glob("*.aside.*"):
            (aside / "left-out").symlink_to(victim / "new")
        (data / "tinyscim.json.new").symlink_to(victim / "new")

    for _ in range(3):
        with meanwhile(SERVICE, swap):
            run = flask(folder, *COMMANDS[name])
        assert "Traceback" not in run.stderr, run.stderr
        assert names(victim) == ["file"]
        assert (victim / "file").read_bytes() == SECRET
        as_user(SERVICE, lambda: away.rename(data) if away.exists() and not data.exists() else None)


@pytest.mark.parametrize("server", ["gunicorn", "flask run"])
def test_a_service_that_root_starts_acts_as_the_owner(folder, victim, server):
    bind = f"127.0.0.1:{free_port()}"
    command = GUNICORN if server == "gunicorn" else (*FLASK, "run", "--port", bind.split(":")[1])
    with (folder / "config.toml").open("a") as file:
        file.write(f'[server]\nbind = "{bind}"\n')
    as_user(
        SERVICE,
        lambda: plant(folder / "kept/data/tinyscim.counts.json.lock", lambda p: p.symlink_to(victim / "file")),
    )
    environment = {**os.environ, "SCIM_CONFIG": str(folder / "config.toml")}
    with (
        (folder.parent / "log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://{bind}") as client,
    ):
        try:
            wait_until_healthy(client, process, folder.parent / "log")
            for _ in range(100):  # until each worker has got so far
                workers = children(process.pid) if server == "gunicorn" else [process.pid]
                found = [ids(worker) for worker in workers]
                if found == [{"Uid": {SERVICE}, "Gid": {SERVICE}, "Groups": {SERVICE}}] * len(workers):
                    break
                time.sleep(0.1)
            assert found == [{"Uid": {SERVICE}, "Gid": {SERVICE}, "Groups": {SERVICE}}] * len(workers)
            assert client.get("/api/scim/v2/Users").status_code == 401
            for _ in range(100):  # until what was refused is in the log
                if (folder / "logs" / "log-refused.jsonl").exists():
                    break
                time.sleep(0.1)
        finally:
            process.terminate()
    assert ("its workers run as nobody" in (folder.parent / "log").read_text()) is (server == "gunicorn")
    assert set(owners(folder).values()) == {(SERVICE, SERVICE)}
    assert (victim / "file").read_bytes() == SECRET


def children(parent):
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(word) for word in found]


def ids(process):
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {name: {int(word) for word in lines[name].split()} for name in ("Uid", "Gid", "Groups")}
