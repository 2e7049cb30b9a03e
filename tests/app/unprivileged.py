"""A service whose files belong to a user without privileges, who attacks while root runs its commands."""

import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

"".encode("utf-8-sig")  # loads it here, where Python can be read

ROOT = Path(__file__).parents[2]
SERVICE, OTHER = 65_534, 65_533
# Python may be where root alone reads it, as on the machine of a developer: what is loaded late is loaded first here.
_LOADED = (
    "import getpass, importlib.readers, importlib.resources.readers, mimetypes, multiprocessing, termios, zoneinfo,"
    " email.message, email.parser, gunicorn.workers.gthread, click._termui_impl, encodings.idna, encodings.latin_1"
)
FLASK = (sys.executable, "-c", f"{_LOADED}; from flask.cli import main; main()")
GUNICORN = (sys.executable, "-c", f"{_LOADED}; from gunicorn.app.wsgiapp import run; run()", "app:create_app()")


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """Make a folder of root's that every user can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def run_flask(config: Path, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FLASK, *arguments],
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
