"""`make dist` and `make release`, in a copy of the repository."""

import shutil
import subprocess
import sys

import pytest

from tests.support.wheel import ROOT

pytestmark = pytest.mark.long


@pytest.fixture
def copy(tmp_path):
    """A repository of its own, whose environment is the one that runs the tests."""
    ignore = shutil.ignore_patterns(".git", ".venv", "tests", "__pycache__", ".*_cache", ".hypothesis", "data", "dist")
    folder = shutil.copytree(ROOT, tmp_path / "copy", ignore=ignore)
    (folder / ".gitignore").write_text("/.venv\n/dist/\n")
    (folder / ".venv").symlink_to(sys.prefix)
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def make(folder, target):
    # Without an installation of the requirements: they are those of the tests.
    command = ["make", "--old-file", ".venv/.dev", target]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_dist_has_the_packages_and_the_notes_of_the_release(copy):
    assert (run := make(copy, "dist")).returncode == 0, run.stderr
    names = {path.name for path in (copy / "dist").iterdir()}
    assert names == {"tinyscim-0.1.0-py3-none-any.whl", "tinyscim-0.1.0.tar.gz", "release-notes.md"}
    notes = (copy / "dist" / "release-notes.md").read_text()
    assert notes.strip().startswith("### Added\n")
    assert notes.strip() in (copy / "CHANGELOG.md").read_text()


def test_dist_needs_a_section_for_the_version(copy):
    changes = copy / "CHANGELOG.md"
    changes.write_text(changes.read_text().replace("## 0.1.0", "## 0.2.0"))
    run = make(copy, "dist")
    assert run.returncode != 0
    assert "CHANGELOG.md has no section 0.1.0" in run.stderr


def test_a_release_needs_everything_to_be_committed(copy):
    (copy / "new.py").touch()
    run = make(copy, "release")
    assert run.returncode != 0
    assert run.stderr.startswith("Commit or remove these first:\n?? new.py\n")
    assert not (copy / "dist").exists()
