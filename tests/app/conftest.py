"""A folder as a new user has it: an example configuration, and nothing else."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import config
from tests.support.past import settle
from tests.support.preloaded import preloaded
from tests.support.unprivileged import SECRET, make_folder, reachable_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = Path(shutil.copy(ROOT / "config.example.toml", tmp_path / "config.toml"))
    path.chmod(0o600)  # as `make run` installs it
    settle(path)
    return path


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], config.Config]:
    """Read a text as the configuration."""

    def read(text: str) -> config.Config:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return config.read(path)

    return read


@pytest.fixture
def flask(config_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a flask command on the configuration, as a shell would."""

    def run(*arguments: str, stdout: Any = subprocess.PIPE, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*preloaded(), "flask", *arguments],
            cwd=ROOT,
            env={**os.environ, "SCIM_CONFIG": str(config_path)},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            **options,
        )

    return run


@pytest.fixture
def top():
    with reachable_folder() as folder:
        yield folder


@pytest.fixture
def folder(top):
    """The service's own folder, with the configuration and files to read."""
    return make_folder(top / "service")


@pytest.fixture
def victim(top):
    """A folder of root's with a file that no command may change, in which none may create anything."""
    folder = top / "victim"
    folder.mkdir(0o755)
    (folder / "file").write_bytes(SECRET)
    return folder
