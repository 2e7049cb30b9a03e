"""The Dockerfile's steps in a folder: what it copies is enough to start, check the health, stop and start again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.serving import ROOT, free_port

DOCKER = ROOT / "packaging" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()


def copied():
    """What is copied from the repository, and where to."""
    return re.findall(r"^COPY (?!--)(.+) (\S+)$", DOCKERFILE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The folder /opt/tinyscim of the image."""
    folder = tmp_path_factory.mktemp("image")
    for sources, target in copied():
        for source in sources.split():
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, folder / target)
    return folder


def start(image, data, bind, log):
    (arguments,) = re.findall(r'GUNICORN_CMD_ARGS="(.+)"', DOCKERFILE)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SCIM_CONFIG": str(data / "config.toml"),
        "TINYSCIM_SERVER__BIND": bind,
        "GUNICORN_CMD_ARGS": arguments,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(["./start"], cwd=image, env=environment, stdout=log, stderr=log)


def health(bind):
    (command,) = re.findall(r"^    CMD (\[.+\])$", DOCKERFILE, flags=re.MULTILINE)
    program = [part.replace("127.0.0.1:8000", bind) for part in json.loads(command)]
    return subprocess.run([sys.executable, *program[1:]], capture_output=True).returncode


@pytest.mark.long
def test_it_starts_is_healthy_stops_on_a_signal_and_writes_only_its_data(image, tmp_path):
    data, bind = tmp_path / "data", f"127.0.0.1:{free_port()}"
    data.mkdir(0o700)
    before = sorted(image.rglob("*"))
    for _ in range(2):
        with (tmp_path / "log").open("w") as log, start(image, data, bind, log) as process:
            until = time.monotonic() + 30
            while health(bind):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < until
            process.send_signal(signal.SIGTERM)
        assert process.returncode == 0
    assert sorted(image.rglob("*")) == before
    assert (data / "config.toml").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in data.iterdir()} == {"config.toml", "data"}


def test_the_context_of_the_build_has_what_is_copied():
    names = {name for line in copied() for name in line[0].split()}
    included = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert names == included
