"""Writing in the background: requests neither wait nor fail, and lost entries are counted."""

import errno
import os
import time

import pytest

from provisioning_log import writer


def wait_for(condition) -> None:
    for _ in range(100):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_entries_are_written_in_the_background(logged):
    logged.scim.create_user()
    wait_for(lambda: logged.path.exists() and logged.path.read_text().count("\n") == 1)


@pytest.fixture
def full_disk(monkeypatch):
    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        yield patched


def test_a_full_disk_loses_entries_but_fails_no_request(logged, full_disk, caplog):
    ann = logged.scim.create_user(userName="ann")
    logged.log.flush()
    logged.scim.delete(f"/Users/{ann['id']}")
    logged.log.flush()
    assert caplog.text.count("cannot be written: No space left on device") == 1
    full_disk.undo()
    logged.scim.create_user(userName="bob")
    bob, lost = logged.entries()
    assert (bob.who.name, lost.actions, lost.moved) == ("bob", ("lost",), 2)


def test_a_folder_that_cannot_be_made_costs_no_request(make_logged, tmp_path):
    (tmp_path / "file").write_text("")
    logged = make_logged(log={"path": str(tmp_path / "file" / "log.jsonl")})
    logged.scim.create_user()
    assert logged.entries() == []


def test_the_queue_is_bounded(make_logged, monkeypatch):
    monkeypatch.setattr(writer, "QUEUE", 3)
    monkeypatch.setattr(writer, "PAUSE", 60)
    logged = make_logged()
    for _ in range(5):
        logged.scim.create_user()
    entries = logged.entries()
    assert [entry.actions for entry in entries] == [("created",)] * 3 + [("lost",)]
    assert entries[-1].moved == 2


def test_an_entry_that_cannot_be_made_is_counted(logged, monkeypatch):
    monkeypatch.setattr("provisioning_log.log.make_entry", lambda *_: 1 / 0)
    logged.scim.create_user()
    logged.log.flush()
    monkeypatch.undo()
    logged.scim.create_user()
    created, lost = logged.entries()
    assert (created.actions, lost.moved) == (("created",), 1)
