"""Runs `python -m MODULE` in a process forked from one that has imported everything already.

subprocess.run([*preloaded(), "flask", "token", "list"]) starts a small client, which hands its own file descriptors,
arguments, environment, folder and umask to that process and ends as the program does. A test about the start of Python
itself, resource limits or terminals starts Python instead.
"""

import atexit
import contextlib
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = (
    "app, flask.cli, gunicorn.app.wsgiapp, gunicorn.workers.gthread, runtime.worker, click._termui_impl,"
    " encodings.idna, encodings.latin_1, encodings.utf_8_sig, getpass, importlib.readers, importlib.resources.readers,"
    " mimetypes, multiprocessing, termios, zoneinfo, email.message, email.parser"
)
CLIENT = Path(__file__).with_name("preloaded_client.py")


@functools.cache
def preloaded() -> tuple[str, ...]:
    """Return what stands in place of `python -m`; the first call starts the process that is forked."""
    folder = tempfile.TemporaryDirectory(prefix="tinyscim-preloaded-")
    address = f"{folder.name}/socket"
    code = f"import {MODULES}\nfrom tests.support.preloaded import serve\nserve({address!r})"
    # A stdout that is not buffered fails at once, and leaves nothing that could fail at the end.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout.readline() == "ready\n"

    def stop() -> None:
        process.communicate()  # closes its stdin, at which it ends
        folder.cleanup()

    atexit.register(stop)
    return sys.executable, "-IS", str(CLIENT), address


def serve(address: str) -> None:
    """Fork a program for each client until stdin is closed; return in the program's own process when it has run."""
    gc.freeze()  # so that a collection copies no memory that the programs share
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(100)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that no process has to wait for those that watch programs
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if not os.fork():
                break
            connection.close()
        else:
            return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _run(connection)


def _run(connection: socket.socket) -> None:
    message, descriptors, _, _ = socket.recv_fds(connection, 1_000_000, 3)
    program = os.fork()
    if program:
        for descriptor in (0, 1, 2, *descriptors):
            os.close(descriptor)
        with contextlib.suppress(OSError):  # the client has been killed
            connection.send(f"{program}\n".encode())
            status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
            connection.send(f"{status}\n".encode())
        os._exit(0)
    connection.close()
    start = json.loads(message)
    os.chdir(start["folder"])
    os.umask(start["umask"])
    os.environ.clear()
    os.environ.update(start["environment"])
    _take_over(dict(zip(start["descriptors"], descriptors, strict=True)))
    sys.argv = start["arguments"]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _take_over(descriptors: dict[int, int]) -> None:
    """Use the client's stdin, stdout and stderr; one that is closed is None, as after a start of Python."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if number in descriptors:
            os.dup2(descriptors[number], number)
            os.close(descriptors[number])
        else:
            os.close(number)
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)
