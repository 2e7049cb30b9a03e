"""Threads that wait for an fsync, and an fsync that the test controls."""

import errno
import os
import threading

from storage.base import Unavailable


class Disk:
    """An fsync that blocks one thread, and raises an error there if `fails` is set."""

    def __init__(self, monkeypatch):
        self.fsync, self.count = os.fdatasync, 0
        self.held, self.entered, self.go = None, threading.Event(), threading.Event()
        self.fails = False
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, descriptor):
        self.count += 1
        if threading.current_thread() is self.held and not self.entered.is_set():
            self.entered.set()
            self.go.wait(30)
            if self.fails:
                raise OSError(errno.EIO, "Input/output error")
        self.fsync(descriptor)

    def hold_up(self, function, *args):
        """Run the function in a thread, and return once it is in its fsync."""
        self.held = threading.Thread(target=function, args=args, daemon=True)
        self.held.start()
        assert self.entered.wait(30)
        return self.held


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def queue_up(store, function, *args):
    """Run the function in a thread, and return once it waits for its transaction."""
    waiting = len(store._commit_log._waiting)
    thread = in_thread(function, *args)
    wait_for(lambda: len(store._commit_log._waiting) > waiting)
    return thread


def wait_for(condition):
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError


def find_existing(outcomes, store, id):
    """Read a document in a transaction that changes nothing."""
    try:
        with store.writing() as tx:
            assert tx.get("User", id)
        outcomes["nothing"] = "kept"
    except Unavailable as error:
        outcomes["nothing"] = str(error)


def fail(*_):
    raise OSError(errno.EIO, "Input/output error")
