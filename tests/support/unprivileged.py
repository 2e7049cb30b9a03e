"""A service whose files belong to a user without privileges, who attacks while root runs its commands."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.edit import add_token
from tests.support.past import settle
from tests.support.preloaded import preloaded

"".encode("utf-8-sig")  # loads it here, where Python can be read

ROOT = Path(__file__).parents[2]
SERVICE, OTHER = 65_534, 65_533
# Python may be where root alone reads it, as on the machine of a developer: what is loaded late is loaded first here.
_LOADED = (
    "import getpass, importlib.readers, importlib.resources.readers, mimetypes, multiprocessing, termios, zoneinfo,"
    " email.message, email.parser, gunicorn.workers.gthread, click._termui_impl, encodings.idna, encodings.latin_1,"
    " importlib.metadata; importlib.metadata.version('werkzeug')"
)
FLASK = (sys.executable, "-c", f"{_LOADED}; from flask.cli import main; main()")
GUNICORN = (sys.executable, "-c", f"{_LOADED}; from gunicorn.app.wsgiapp import run; run()", "app:create_app()")
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


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """Make a folder of root's that every user can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def run_flask(config: Path, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*preloaded(), "flask", *arguments],
        cwd=ROOT,
        env={**os.environ, "SCIM_CONFIG": str(config)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        **{"stdout": subprocess.PIPE, **options},
    )


def as_user(uid: int, function: Callable[[], object]) -> None:
    """Run the function in a process of the user's own, which has to succeed."""
    process = _start(uid, function)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


@contextmanager
def meanwhile(uid: int, function: Callable[[], object]) -> Iterator[None]:
    """Have the user call the function again and again, whether it succeeds or not, while the context lasts."""

    def again() -> None:
        while True:
            with suppress(OSError):
                function()

    process = _start(uid, again)
    try:
        yield
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _start(uid: int, function: Callable[[], object]) -> int:
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        function()
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def make_folder(folder):
    folder.mkdir(0o700)
    (folder / "config.toml").write_text(CONFIG)
    (folder / "in.json").write_text("{}")
    (folder / "in.jsonl").write_text("")
    for path in (folder, *folder.iterdir()):
        os.chown(path, SERVICE, SERVICE)
        path.chmod(0o700 if path.is_dir() else 0o600)
    settle(folder / "config.toml")
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
        aside = next(name for n in range(10) if not os.path.lexists(name := path.with_name(f"{path.name}.was{n}")))
        path.rename(aside)
    make(path)
