"""Real processes for the tests: forked ones, and the ways in which they end."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path


def start(function: Callable[..., object], *args: object) -> int:
    """Run the function in a process of its own."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        function(*args)
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def end(process: int) -> int:
    """Wait for a process; return its status, or the negative of the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def run(function: Callable[..., object], *args: object) -> int:
    return end(start(function, *args))


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    assert end(process) == -signal.SIGKILL


STEPS = [
    (os, "fsync"),
    (os, "fdatasync"),
    (os, "pwrite"),
    (os, "ftruncate"),
    (Path, "replace"),
    (Path, "unlink"),
]


def die_at_step(number: int, steps=STEPS) -> None:
    """Kill this process just before its nth step that changes a file."""
    left = number

    def guarded(step):
        def take(*args, **options):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*args, **options)

        return take

    for owner, name in steps:
        setattr(owner, name, guarded(getattr(owner, name)))
