"""`make demo`."""

import socket
import subprocess
import sys

import pytest

from tests.support.emulator_cli import ROOT


def test_a_demo_on_a_port_in_use_is_rejected(tmp_path):
    """Otherwise its users would be sent to the other server."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".run").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        command = ["make", "-C", str(ROOT), "demo", f"VENV={tmp_path}", f"DEMO={address}"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        taken.setblocking(False)
        with pytest.raises(BlockingIOError):
            taken.accept()
    assert refused.returncode != 0
    assert f"{address} is taken by another server" in refused.stderr
