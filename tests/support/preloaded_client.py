"""The client of preloaded.py: a program of its own, which imports little so that it starts at once."""

import os
import signal
import socket
import sys
from json import dumps


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def main(address: str, *arguments: str) -> int:
    descriptors = [number for number in range(3) if is_open(number)]
    umask = os.umask(0o077)
    start = {
        "arguments": arguments,
        "descriptors": descriptors,
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "umask": umask,
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [dumps(start).encode()], descriptors)
        answers = connection.makefile()
        program = int(answers.readline())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, _: os.kill(program, number))
        status = int(answers.readline())
    if status < 0:  # ended by a signal
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


sys.exit(main(*sys.argv[1:]))
