"""Calls of the operating system that fail, one after the other."""

import fcntl
import os
from pathlib import Path

CALLS = [
    (os, "open"),
    (os, "pread"),
    (os, "pwrite"),
    (os, "fstat"),
    (os, "fsync"),
    (os, "fdatasync"),
    (os, "ftruncate"),
    (fcntl, "flock"),
    (Path, "replace"),
    (Path, "unlink"),
]


class Faults:
    """Makes the nth call fail, or the nth and all after it, while it is entered; `count` is how many there were."""

    def __init__(self, monkeypatch, error):
        self.error, self.at, self.for_ever, self.count = error, 0, False, 0
        self._monkeypatch = monkeypatch

    def __enter__(self):
        self.count = 0
        self._patch = self._monkeypatch.context()
        patch = self._patch.__enter__()
        for owner, name in CALLS:
            patch.setattr(owner, name, self._guarded(getattr(owner, name)))

    def __exit__(self, *_):
        self._patch.__exit__(None, None, None)

    def _guarded(self, call):
        def take(*args, **options):
            if fcntl.LOCK_UN not in args[1:2]:  # unlocking does not fail
                self.count += 1
                if self.count == self.at or (self.for_ever and self.count > self.at):
                    raise OSError(self.error, os.strerror(self.error))
            return call(*args, **options)

        return take
