"""The built wheel, in another folder whose modules have the names of the repository's packages."""

import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = ("app", "commands", "config", "entra", "fileio", "panel", "runtime", "scim", "storage")


def build(folder: Path, root: Path = ROOT, target: str = "wheel") -> Path:
    """Build the wheel or the sdist, and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=120)
    (path,) = folder.iterdir()
    return path


class Project:
    """A user's folder, in which Python finds the unpacked wheel."""

    def __init__(self, folder: Path, unpacked: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(unpacked)}
        for name in MODULES:
            (folder / f"{name}.py").write_text(f"raise AssertionError('imported {name}.py of the project')\n")

    def run(self, *arguments: str, module: str = "tinyscim", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=120,
        )

    @contextmanager
    def serving(self, *arguments: str, **variables: str) -> Iterator[tuple[str, str]]:
        """Run the service; give its URL and what it has printed."""
        log = self.folder / "log"
        with (
            log.open("w") as output,
            subprocess.Popen(
                [sys.executable, "-P", "-m", "tinyscim", "run", *arguments],
                cwd=self.folder,
                env={**self.environment, **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                yield _url(log, process), log.read_text()
            finally:
                process.terminate()


def _url(log: Path, process: subprocess.Popen) -> str:
    for _ in range(300):
        if found := re.search(r"Listening at: (http://\S+)", log.read_text()):
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def unpack(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder
