"""Threads that wait for an fsync, and an fsync that the test controls."""

import errno
import os
import threading

from storage.base import Unavailable
from storage.engine.commit import CommitLog
from tests.support.storage import user_ids


class Disk:
    """An fsync that blocks one thread, and raises an error there if `fails` is set."""

    def __init__(self, monkeypatch):
        self.fsync, self.count = os.fdatasync, 0
        self.held, self.entered, self.go = None, threading.Event(), threading.Event()
        self.fails = False
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, descriptor):
        self.count += 1
        if threading.current_thread() is self.held:
            self.entered.set()
            self.go.wait(10)
            if self.fails:
                raise OSError(errno.EIO, "Input/output error")
        self.fsync(descriptor)

    def hold_up(self, function, *args):
        """Run the function in a thread, and return once it is in its fsync."""
        self.held = threading.Thread(target=function, args=args, daemon=True)
        self.held.start()
        assert self.entered.wait(10)
        return self.held


def wait_for(condition):
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError


def write_in_thread(write, store, number, reader):
    """Write in a thread, and return once its line is in the journal."""
    thread = threading.Thread(target=write, args=(store, number), daemon=True)
    thread.start()
    wait_for(lambda: f"u{number}" in user_ids(reader))
    return thread


def find_existing(outcomes, store, id):
    """Read a document in a transaction that changes nothing."""
    try:
        with store.writing() as tx:
            assert tx.get("User", id)
        outcomes["nothing"] = "kept"
    except Unavailable as error:
        outcomes["nothing"] = str(error)


def hold_before_syncing(monkeypatch, store, write, number):
    """Write in a thread, up to its fsync; return the thread, and an event that lets it continue."""
    usual, entered, go = CommitLog._wait, threading.Event(), threading.Event()

    def wait(commit_log, commit):
        if commit_log is store._commit_log and not go.is_set():
            entered.set()
            go.wait(10)
        usual(commit_log, commit)

    monkeypatch.setattr(CommitLog, "_wait", wait)
    thread = threading.Thread(target=write, args=(store, number), daemon=True)
    thread.start()
    assert entered.wait(10)
    return thread, go


def fail(_):
    raise OSError(errno.EIO, "Input/output error")
