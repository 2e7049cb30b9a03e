"""Interrupting a cycle, and `sync --watch`, each in a process of its own."""

import json
import shutil
import signal
import time

from entra.demo import generate
from entra.tenant import to_json
from tests.support.emulator_cli import run, start, wait_until


def test_the_next_run_continues_after_ctrl_c(fresh, tmp_path):
    path, state = tmp_path / "tenant.json", tmp_path / "links.json"
    path.write_text(json.dumps(to_json(generate(120, 2))))
    options = ("--url", fresh.url, "--state", state)
    process = start("sync", path, *options, "--rate", 200)
    wait_until(lambda: len(fresh.store["User"]) > 20)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert f"continue with --state {state}" in output
    made = len(fresh.store["User"])
    assert made < 110
    assert len(json.loads(state.read_text())["links"]) == made
    fresh.requests.clear()
    again = run("sync", path, *options, "--rate", 0)
    assert again.exit_code == 0, again.output
    tenant = generate(120, 2)
    assert len(fresh.store["User"]) == sum(person.enabled for person in tenant.of("User"))
    posts = sum(1 for method, where in fresh.requests if method == "POST" and "/Users" in where)
    assert posts == len(fresh.store["User"]) - made
    assert all(group["members"] for group in fresh.store["Group"].values())


def test_watch_runs_a_cycle_when_the_file_changes(fresh, tenant, tmp_path):
    process = start("sync", tenant, "--url", fresh.url, "--rate", 0, "--watch")
    try:
        wait_until(lambda: fresh.store["User"])
        wait_until(lambda: [g for g in fresh.store["Group"].values() if g.get("members")])
        time.sleep(0.5)
        raw = json.loads(tenant.read_text())
        raw["users"][0]["displayName"] = "Kim Changed"
        replacement = tmp_path / "new.json"
        replacement.write_text(json.dumps(raw))
        replacement.replace(tenant)
        wait_until(lambda: "Kim Changed" in {u.get("displayName") for u in fresh.store["User"].values()})
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert output.count("cycle, dialect") >= 2


def test_watch_continues_without_saving_and_saves_the_state_later(fresh, tenant, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    state = folder / "links.json"
    state.symlink_to(folder / "gone" / "links.json")
    (folder / "gone").mkdir()
    process = start("sync", tenant, "--url", fresh.url, "--rate", 0, "--watch", "--interval", 0.02, "--state", state)
    try:
        wait_until(lambda: fresh.store["User"])
        wait_until(state.exists)
        shutil.rmtree(folder / "gone")
        wait_until(lambda: process.stdout.readline().startswith("could not save the state: "))
        (folder / "gone").mkdir()
        wait_until(state.exists)
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130, output
    assert len(json.loads(state.read_text())["links"]) == len(fresh.store["User"]) + len(fresh.store["Group"])


def test_watch_fails_if_the_last_state_cannot_be_saved(fresh, tenant, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    state = folder / "links.json"
    process = start("sync", tenant, "--url", fresh.url, "--rate", 0, "--watch", "--interval", 0.02, "--state", state)
    try:
        wait_until(state.exists)
        shutil.rmtree(folder)
        wait_until(lambda: process.stdout.readline().startswith("could not save the state: "))
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 1, output
    assert output.endswith(f"Error: {state}: No such file or directory\n")
