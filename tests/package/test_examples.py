"""The wheel and the examples in a fresh environment, away from the repository."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.wheel import ROOT

pytestmark = pytest.mark.long
EXAMPLES = sorted(path.name for path in (ROOT / "docs" / "examples").iterdir())


@pytest.fixture(scope="module", params=["pinned", "lowest"])
def scripts(request, wheel, tmp_path_factory):
    """The programs of an environment with the wheel, and the pinned or the lowest versions of what it needs."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pinned, lowest = ["--constraint", _pinned(folder)], ["--resolution", "lowest-direct"]
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    versions = pinned if request.param == "pinned" else lowest
    subprocess.run([*install, *versions, wheel, "pytest>=9"], check=True, timeout=600)
    return folder / "bin"


def _pinned(folder):
    """Write the versions of requirements-dev.txt without their hashes, which the wheel does not have."""
    lines = re.findall(r"^[a-z0-9-]+==\S+(?: ; [^\\\n]+)?", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    path = folder / "constraints.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def environment():
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SCIM_CONFIG")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_in_a_project_with_modules_of_the_same_names(scripts, environment, tmp_path, name):
    project = shutil.copytree(ROOT / "docs" / "examples" / name, tmp_path / name)
    assert (project / "app.py").exists()
    (project / "config.py").write_text("raise AssertionError\n")
    (project / "storage").mkdir()
    (project / "storage" / "__init__.py").write_text("raise AssertionError\n")
    run = subprocess.run(
        [scripts / "python", "-m", "pytest", "-q"], cwd=project, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


def test_the_command_is_installed(scripts, environment, tmp_path):
    run = subprocess.run([scripts / "tinyscim", "--version"], cwd=tmp_path, env=environment, capture_output=True)
    assert run.stdout == b"tinyscim 0.1.0\n"


def test_the_service_runs_from_the_environment(scripts, environment, tmp_path):
    command = [scripts / "tinyscim", "run", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        lines = iter(process.stderr.readline, "")
        listening = next((line for line in lines if "Listening at: http://127.0.0.1:" in line), "")
        process.terminate()
        process.stderr.read()
    assert listening
    assert process.returncode == 0
