"""Run the emulator's commands, in this process or in one of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner

from entra.cli import main
from tests.support.emulator_endpoint import TOKEN

ROOT = Path(__file__).parents[2]


def run(*arguments, token=TOKEN):
    environment = {"SCIM_TOKEN": token, "COLUMNS": "200"}
    return CliRunner().invoke(main, [str(a) for a in arguments], env=environment)


def start(*arguments):
    command = [sys.executable, "-m", "entra", *map(str, arguments)]
    environment = {**os.environ, "SCIM_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True)


def wait_until(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)
