"""What root runs acts as the user to whom the files belong, and never follows what that user has put there."""

import itertools
import os
import stat
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from config.edit import add_token
from tests.app.unprivileged import (
    FLASK,
    GUNICORN,
    OTHER,
    ROOT,
    SERVICE,
    as_user,
    meanwhile,
    reachable_folder,
    run_flask,
)
from tests.conftest import free_port, wait_until_healthy

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user's identity")

STORE = {"config.toml.lock", "kept", "data", "tinyscim.json", "tinyscim.json.locks"}
CONFIG = '[store]\npath = "kept/data/tinyscim.json"\n[log]\npath = "logs/log.jsonl"\n'
SECRET = b"what root alone may change: longer than the 32 bytes of numbers that processes share\n"
COMMANDS = {
    "setup": ["setup"],
    "token new": ["token", "new", "--name", "entra"],
    "token list": ["token", "list"],
    "token revoke": ["token", "revoke", "first"],
    "panel password": ["panel", "password", "--password-stdin"],
    "store check": ["store", "check"],
    "store repair": ["store", "repair"],
    "store compact": ["store", "compact"],
    "store backup": ["store", "backup", "{folder}/backup"],
    "store restore": ["store", "restore", "--yes", "{folder}/in.json"],
    "store export": ["store", "export", "-o", "{folder}/export"],
    "store import": ["store", "import", "{folder}/in.jsonl"],
    "log tail": ["log", "tail"],
    "log export": ["log", "export", "-o", "{folder}/log-export"],
}
BROKEN = {"store repair"}
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
    "export",
    "log-export",
]


@pytest.fixture
def top():
    with reachable_folder() as folder:
        yield folder


@pytest.fixture
def folder(top):
    """The service's own folder, with the configuration and files to read."""
    return make_folder(top / "service")


def make_folder(folder):
    folder.mkdir(0o700)
    (folder / "config.toml").write_text(CONFIG)
    (folder / "in.json").write_text("{}")
    (folder / "in.jsonl").write_text("")
    for path in (folder, *folder.iterdir()):
        os.chown(path, SERVICE, SERVICE)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


@pytest.fixture
def victim(top):
    """A folder of root's with a file that no command may change, in which none may create anything."""
    folder = top / "victim"
    folder.mkdir(0o755)
    (folder / "file").write_bytes(SECRET)
    return folder


def flask(folder, *arguments):
    text = "a password of the panel\n" if "password" in arguments else ""
    return run_flask(folder / "config.toml", *(word.format(folder=folder) for word in arguments), input=text)


def prepare(folder, name):
    """Give the service what the command is about: a token, documents, a damaged file."""
    as_user(SERVICE, lambda: add_token(folder / "config.toml", "first"))
    if name in BROKEN:
        as_user(SERVICE, lambda: write(folder / "kept" / "data" / "tinyscim.json", b"nonsense\n"))


def write(path, data):
    os.umask(0o077)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def identity(path):
    """Whatever root could have changed by mistake."""
    status = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else names(path)
    return status.st_uid, status.st_gid, status.st_mode, content


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def owners(folder):
    return {path.name: (path.lstat().st_uid, path.lstat().st_gid) for path in folder.rglob("*")}


def plant(path, make):
    """Put something in a place as the service's user, with what was there moved away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        path.rename(path.with_name(f"{path.name}.was"))
    make(path)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_root_writes_belongs_to_the_service(folder, name):
    prepare(folder, name)
    run = flask(folder, *COMMANDS[name])
    assert (run.returncode, "Traceback" in run.stderr) == (0, False), run.stderr
    assert set(owners(folder).values()) == {(SERVICE, SERVICE)}
    if name.startswith("store c") and name != "store check":
        assert owners(folder).keys() >= STORE


@pytest.mark.parametrize("name", COMMANDS)
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


@pytest.mark.parametrize("name", COMMANDS)
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


@pytest.mark.parametrize("name", COMMANDS)
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


@pytest.mark.parametrize("name", ["store repair", "store compact", "store restore", "token new", "store export"])
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


def test_a_store_that_the_configuration_leads_elsewhere_is_not_roots_to_write(folder, victim):
    """The user to whom the configuration belongs chooses where the data is."""
    as_user(SERVICE, lambda: (folder / "config.toml").write_text(f'[store]\npath = "{victim}/tinyscim.json"\n'))
    run = flask(folder, "store", "compact")
    assert run.returncode == 1
    assert "Permission denied" in run.stderr
    assert names(victim) == ["file"]


def test_files_of_several_users_are_used_by_none_of_them_for_root(folder):
    assert flask(folder, "store", "compact").returncode == 0
    os.chown(folder / "kept" / "data", OTHER, OTHER)
    run = flask(folder, "store", "compact")
    assert run.returncode == 1
    assert "so root cannot safely use both" in run.stderr
    assert "sudo -u 65533" in run.stderr


def test_root_does_not_use_a_folder_of_its_own_that_others_may_change(top):
    folder = make_folder(top / "roots")
    for path in (folder, *folder.iterdir()):
        os.chown(path, 0, 0)
    (folder / "kept").mkdir()
    os.chown(folder / "kept", 0, SERVICE)
    (folder / "kept").chmod(0o770)
    run = flask(folder, "store", "compact")
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert f"chmod go-w {folder}/kept" in run.stderr
    assert names(folder / "kept") == []
    assert flask(folder, "token", "new", "--name", "entra").returncode == 0  # which does not touch the data


def test_root_keeps_the_owner_and_the_mode_of_a_configuration_in_its_own_folder(top):
    """As it is under /etc: the service reads the file by its group, and cannot change it."""
    folder = make_folder(top / "etc")
    for path in (folder, *folder.iterdir()):
        os.chown(path, 0, 0)
    folder.chmod(0o755)
    os.chown(folder / "config.toml", 0, SERVICE)
    (folder / "config.toml").chmod(0o640)
    run = flask(folder, "token", "new", "--name", "entra")
    assert (run.returncode, run.stderr) == (0, "")
    status = (folder / "config.toml").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, SERVICE, 0o640)


@pytest.mark.parametrize("name", ["store backup", "store export", "log export"])
def test_root_keeps_an_export_elsewhere_by_redirecting_stdout(folder, victim, name):
    *words, _ = COMMANDS[name]
    run = flask(folder, *words, str(victim / "out"))
    assert run.returncode == 1
    assert "Permission denied" in run.stderr
    assert f"this command acts as nobody, who owns {folder}" in run.stderr
    with (victim / "out").open("w") as out:
        run = run_flask(folder / "config.toml", *words, "-", stdout=out)
    assert run.returncode == 0, run.stderr


def test_what_root_alone_may_read_is_not_brought_in(folder, victim):
    (victim / "file").write_text('{"kind":"User","document":{"id":"1"}}\n')
    (victim / "file").chmod(0o600)
    as_user(SERVICE, lambda: plant(folder / "in.jsonl", lambda path: path.symlink_to(victim / "file")))
    run = flask(folder, "store", "import", "{folder}/in.jsonl")
    assert run.returncode != 0
    assert flask(folder, "store", "export").stdout == ""


@pytest.mark.parametrize("name", ["store backup", "store export", "log export"])
def test_roots_own_service_writes_no_export_where_another_user_could_lead_it(top, victim, name):
    folder, home = make_folder(top / "roots"), top / "home"
    for path in (folder, *folder.iterdir()):
        os.chown(path, 0, 0)
    home.mkdir(0o755)
    os.chown(home, OTHER, OTHER)
    as_user(OTHER, lambda: (home / "out").symlink_to(victim / "file"))
    *words, _ = COMMANDS[name]
    run = flask(folder, *words, str(home / "out"))
    assert run.returncode == 1
    assert (victim / "file").read_bytes() == SECRET
    assert (home / "out").is_symlink()
    assert flask(folder, *words, str(folder / "out")).returncode == 0
    home.rename(top / "sticky")
    os.chown(top / "sticky", 0, 0)
    (top / "sticky").chmod(0o1777)  # as /tmp is
    assert flask(folder, *words, str(top / "sticky" / "out")).returncode == 1
    assert (victim / "file").read_bytes() == SECRET
    assert flask(folder, *words, str(top / "sticky" / "new")).returncode == 0


@pytest.mark.parametrize("server", ["gunicorn", "flask run"])
def test_a_service_that_root_starts_acts_as_the_owner(folder, victim, server):
    bind = f"127.0.0.1:{free_port()}"
    command = GUNICORN if server == "gunicorn" else (*FLASK, "run", "--port", bind.split(":")[1])
    with (folder / "config.toml").open("a") as file:
        file.write(f'[server]\nbind = "{bind}"\n')
    as_user(
        SERVICE,
        lambda: plant(folder / "kept/data/tinyscim.activity.json.lock", lambda p: p.symlink_to(victim / "file")),
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
    assert ("its workers act as nobody" in (folder.parent / "log").read_text()) is (server == "gunicorn")
    assert set(owners(folder).values()) == {(SERVICE, SERVICE)}
    assert (victim / "file").read_bytes() == SECRET


def children(parent):
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(word) for word in found]


def ids(process):
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {name: {int(word) for word in lines[name].split()} for name in ("Uid", "Gid", "Groups")}
