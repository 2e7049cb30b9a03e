"""The image of the Dockerfile, made of its steps in a Debian root: it starts, is healthy, stops and starts again."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.serving import ROOT, free_port

DOCKERFILE = (ROOT / "packaging" / "docker" / "Dockerfile").read_text().replace("\\\n", "")
STEPS = re.findall(r"^(COPY|RUN|WORKDIR|ENV|USER|HEALTHCHECK|CMD) (.+)$", DOCKERFILE, flags=re.MULTILINE)
NETWORK = ["etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"]  # a builder gives them to its containers, too
CAN_BUILD = os.geteuid() == 0 and shutil.which("debootstrap")


class Image:
    """The root folder of the containers, and what the Dockerfile says of their process."""

    def __init__(self, root):
        self.root, self.folder, self.user = root, "/", "root"
        self.environment, self.command, self.health = {}, [], []
        for step, argument in STEPS:
            getattr(self, f"on_{step.lower()}")(argument)

    def on_workdir(self, folder):
        self.folder = folder
        (self.root / folder[1:]).mkdir(parents=True, exist_ok=True)

    def on_copy(self, argument):
        if argument.startswith("--from"):  # the stages share this root
            return
        *sources, target = argument.split()
        place = self.root / self.folder[1:] / target
        for source in map(ROOT.joinpath, sources):
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, place)

    def on_run(self, command):
        done = subprocess.run(["chroot", self.root, "sh", "-c", f"cd {self.folder} && {command}"], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def on_env(self, argument):
        for name, value in (each.split("=", 1) for each in shlex.split(argument)):
            self.environment[name] = value.replace("$PATH", "/usr/sbin:/usr/bin:/bin")

    def on_user(self, name):
        self.user = name

    def on_cmd(self, argument):
        self.command = json.loads(argument)

    def on_healthcheck(self, argument):
        self.health = json.loads(argument.partition(" CMD ")[2])

    def start(self, program, data, **options):
        """Run a program without capabilities; only /data, /tmp and /dev/shm can be written."""
        mounts = f"mount --bind {self.root} {self.root} && cd {self.root} && mount --bind {data} data"
        mounts += f" && mount -t tmpfs x tmp && mount -t tmpfs x dev/shm && mount -o remount,ro,bind {self.root}"
        identity = f"setpriv --reuid={self.user} --regid={self.user} --clear-groups --no-new-privs --bounding-set=-all"
        inside = f"cd {self.folder} && exec {shlex.join(program)}"
        command = f"{mounts} && exec chroot . {identity} sh -c {shlex.quote(inside)}"
        return subprocess.Popen(["unshare", "--mount", "sh", "-c", command], env=self.environment, **options)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    root = tmp_path_factory.mktemp("image")
    packages = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(["debootstrap", "--variant=minbase", packages, "trixie", root], check=True, capture_output=True)
    root.chmod(0o755)
    (root / "usr" / "bin" / "python").symlink_to("python3")  # as the base image has it
    for name in NETWORK:
        shutil.copy(f"/{name}", root / name)
    return Image(root)


def is_healthy(image, data, bind):
    program = [part.replace("127.0.0.1:8000", bind) for part in image.health]
    with image.start(program, data, stderr=subprocess.DEVNULL) as process:
        return process.wait() == 0


@pytest.mark.long
@pytest.mark.skipif(not CAN_BUILD, reason="root and debootstrap make the image's root")
def test_it_starts_is_healthy_stops_on_a_signal_and_keeps_its_data(image, tmp_path):
    data, bind = tmp_path / "data", f"127.0.0.1:{free_port()}"
    shutil.copytree(image.root / "data", data)
    shutil.chown(data, 10001, 10001)
    image.environment["TINYSCIM_SERVER__BIND"] = bind
    for _ in range(2):
        with (tmp_path / "log").open("w") as log, image.start(image.command, data, stdout=log, stderr=log) as process:
            until = time.monotonic() + 60
            while not is_healthy(image, data, bind):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < until
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(r"^Uid:\t10001\t.*^CapBnd:\t0{16}$", status, flags=re.MULTILINE | re.DOTALL)
            with image.start(["flask", "setup"], data) as setup:
                assert setup.wait() == 0
            process.send_signal(signal.SIGTERM)
        assert process.returncode == 0
    assert (data / "config.toml").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in data.iterdir()} == {"config.toml", "config.toml.lock", "data"}


@pytest.mark.long
@pytest.mark.skipif(not CAN_BUILD, reason="root and debootstrap make the image's root")
def test_it_has_what_metrics_and_postgresql_need(image, tmp_path):
    with image.start([".venv/bin/python", "-c", "import prometheus_client, psycopg"], tmp_path) as process:
        assert process.wait() == 0


def test_the_context_of_the_build_has_what_is_copied():
    names = {source for step, argument in STEPS if step == "COPY" for source in sources_of(argument)}
    included = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert names == included


def sources_of(argument):
    """What a COPY takes from the context, not from another stage."""
    return () if argument.startswith("--") else argument.split()[:-1]
