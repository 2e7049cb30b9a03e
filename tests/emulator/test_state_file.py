"""The state file: where it may be, what it may contain, and that it is replaced atomically."""

import errno
import json
import os
from pathlib import Path

import pytest

from entra.state import State
from tests.support.emulator_cli import run


@pytest.mark.parametrize("command", ["sync {tenant}", "provision {tenant} x"])
def test_a_state_file_in_a_read_only_folder_is_rejected_before_any_request(fresh, tenant, command):
    fresh.requests.clear()
    result = run(*command.format(tenant=tenant).split(), "--url", fresh.url, "--state", "/proc/links.json")
    assert result.exit_code == 2, result.output
    assert "cannot create a file in '/proc': No such file or directory" in result.output
    assert fresh.requests == []


def test_a_state_file_that_cannot_be_written_is_named(fresh, tenant, tmp_path, monkeypatch):
    def replace(self, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "replace", replace)
    state = tmp_path / "links.json"
    result = run("sync", tenant, "--url", fresh.url, "--rate", 0, "--state", state)
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, f"Error: {state}: No space left on device")


def test_a_symbolic_link_to_the_state_file_is_kept(fresh, tenant, tmp_path):
    (tmp_path / "kept").mkdir()
    state, kept = tmp_path / "links.json", tmp_path / "kept" / "links.json"
    state.symlink_to("kept/links.json")
    for _ in range(2):
        assert run("sync", tenant, "--url", fresh.url, "--rate", 0, "--state", state).exit_code == 0
        assert state.is_symlink()
        assert json.loads(kept.read_text())["links"]
    assert [path.name for path in kept.parent.iterdir()] == ["links.json"]


def test_a_symbolic_link_into_a_missing_folder_is_rejected_before_any_request(fresh, tenant, tmp_path):
    fresh.requests.clear()
    state = tmp_path / "links.json"
    state.symlink_to("none/links.json")
    result = run("sync", tenant, "--url", fresh.url, "--state", state)
    assert result.exit_code == 2, result.output
    assert f"cannot create a file in '{tmp_path / 'none'}'" in result.output
    assert fresh.requests == []


def test_the_state_file_and_its_folder_are_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    state = State(path=tmp_path / "links.json")
    state.save()
    assert synced == [state.path.stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.parametrize("content", ["[]", "null", '{"links": 1}', '{"version": 1, "links": {"x": {"y": 1}}}'])
def test_an_invalid_state_file_is_rejected(tenant, tmp_path, content):
    state = tmp_path / "links.json"
    state.write_text(content)
    result = run("sync", tenant, "--url", "http://x/scim", "--state", state)
    assert result.exit_code == 1
    assert result.output == f"Error: {state} is not a state file of this program\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cycles", None),
        ("seen", []),
        ("seen", {"x": 1}),
        ("references_seen", []),
        ("managers", None),
        ("managers", "x"),
        ("managers", {"x": ["y"]}),
        ("members", {"x": "y"}),
        ("members", {"x": [1]}),
        ("staged", "x"),
        ("links", {"x": {"target": 1, "kind": "User"}}),
        ("escrow", {"x": {"code": "", "detail": "", "attempts": 1, "first": "then", "next": 0}}),
        ("escrow", {"x": {"code": "", "detail": "", "attempts": 1, "first": 10**400, "next": 0}}),
        ("quarantine", {"reason": "", "detail": "", "since": None}),
        ("quarantine", []),
    ],
)
def test_a_value_of_the_wrong_type_in_a_state_file_is_rejected_before_any_request(fresh, tenant, tmp_path, key, value):
    state = tmp_path / "links.json"
    options = ("--url", fresh.url, "--rate", 0, "--state", state)
    run("sync", tenant, *options)
    state.write_text(json.dumps({**json.loads(state.read_text()), key: value}))
    fresh.requests.clear()
    result = run("sync", tenant, *options)
    assert (result.exit_code, result.output) == (1, f"Error: {state} is not a state file of this program\n")
    assert fresh.requests == []


def test_the_state_file_of_another_endpoint_is_rejected(fresh, tenant, tmp_path):
    state = tmp_path / "links.json"
    run("sync", tenant, "--url", fresh.url, "--rate", 0, "--state", state)
    result = run("sync", tenant, "--url", "http://other.example/scim", "--state", state)
    assert f"holds the links of {fresh.url}" in result.output
