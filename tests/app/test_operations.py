"""Every command of docs/operations.md runs, each section in a shell of its own, on one installation."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.serving import ROOT

pytestmark = pytest.mark.long
PAGE = (ROOT / "docs" / "operations.md").read_text()
SECTIONS = {
    title: "\n".join(found)
    for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    if (found := re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL))
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installation")
    shutil.copy(ROOT / "config.example.toml", folder / "config.toml")
    (folder / "config.toml").chmod(0o600)
    (folder / "bin").mkdir()
    (folder / "bin" / "flask").write_text(f'#!/bin/sh\nexec {sys.executable} -m flask --app {ROOT}/app.py "$@"\n')
    (folder / "bin" / "flask").chmod(0o755)
    return folder


@pytest.mark.parametrize("title", SECTIONS)
def test_the_commands_run(installation, title):
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", SECTIONS[title]],
        cwd=installation,
        env={
            **os.environ,
            "PATH": f"{installation}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SCIM_CONFIG": str(installation / "config.toml"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_page_has_commands_for_what_can_go_wrong():
    assert {"Backup and restore", "Upgrade", "When something goes wrong", "Rotation of secrets"} <= SECTIONS.keys()
