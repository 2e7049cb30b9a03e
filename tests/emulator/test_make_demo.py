"""`make demo`."""

import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.support.emulator_cli import ROOT


def environment(folder):
    """Return a folder that make takes for its virtual environment, with the commands of this one."""
    (folder / "bin").mkdir()
    (folder / ".run").touch()
    for name, module in (("python", ""), ("flask", "-m flask"), ("gunicorn", "-m gunicorn")):
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        (folder / "bin" / name).chmod(0o700)
    return folder


def until(lines, text):
    for line in lines:
        yield line
        if text in line:
            return


@pytest.mark.long
def test_a_demo_takes_another_port_if_its_own_is_taken(tmp_path):
    """Otherwise its users would be sent to the other server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = [f"VENV={environment(tmp_path)}", f"DEMO={tmp_path / 'demo'}", f"PORT={port}"]
        command = ["make", "-C", str(ROOT), "demo", *settings]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        ) as demo:
            try:
                said = "".join(until(demo.stdout, "Look at it at"))
                url = re.search("Look at it at (http://127.0.0.1:([0-9]+)/)panel/", said)
                assert url[2] != str(port)
                assert f"Tenant URL:    {url[1]}api/scim/v2" in said
                assert re.search("[0-9]+ create, .* requests in", said)
                assert httpx.get(f"{url[1]}healthz").text == "ok\n"
            finally:
                os.killpg(demo.pid, signal.SIGINT)
