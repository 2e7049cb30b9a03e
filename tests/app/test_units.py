"""The units for systemd are valid and exposed little, as systemd itself judges them."""

import re
import shutil
import subprocess

import pytest

from tests.support.serving import ROOT

UNITS = ROOT / "packaging" / "systemd"
pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def analyze(*arguments):
    command = ["systemd-analyze", "--no-pager", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.service")))
def test_a_service_is_exposed_at_most_to_two(unit):
    run = analyze("security", "--offline=true", UNITS / unit)
    found = re.search(r"exposure level for \S+: (\d+\.\d)", run.stdout)
    assert found, run.stdout + run.stderr
    assert float(found[1]) <= 2.0


def test_the_units_have_no_mistake(tmp_path):
    for path in UNITS.iterdir():  # the programs need not be installed here
        (tmp_path / path.name).write_text(re.sub(r"/opt/tinyscim/.venv/bin/\w+", "/bin/true", path.read_text()))
    run = analyze("verify", *sorted(tmp_path.iterdir()))
    assert (run.returncode, [line for line in run.stderr.splitlines() if "tinyscim" in line]) == (0, [])
