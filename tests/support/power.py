"""A disk that remembers which data is durable, so that a test can cut the power at every step."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE, SECTOR = 4096, 512
Names = dict[str, int]  # of files in the folder, with their inodes
Contents = dict[int, bytes]


@dataclass
class Moment:
    """The durable data, the kernel's data, the folder since its last fsync, and the answers that clients have."""

    folders: list[Names]
    durable: Contents
    cached: Contents
    kept: frozenset[str]
    refused: frozenset[str]


class Disk:
    """Records each write and each fsync of a folder.

    An fsync makes the pages durable that were written since the one before. Of a failed fsync, some pages reach the
    disk, and all count as written from then on, as in Linux: a second fsync does not write them.
    """

    def __init__(self, folder: Path, monkeypatch, chance, failing=0.0):
        self.folder, self.chance, self.failing = folder, chance, failing
        self.kept, self.refused, self.moments = set(), set(), []
        self._folders = [self._names()]
        self._cached: Contents = {}
        self._update()
        self._durable, self._dirty = dict(self._cached), {inode: set() for inode in self._cached}
        for name, call in (("pwrite", self._pwrite), ("ftruncate", self._ftruncate)):
            monkeypatch.setattr(os, name, self._recorded(call, getattr(os, name)))
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._recorded(self._fsync, getattr(os, name)))
        for name in ("replace", "unlink"):
            monkeypatch.setattr(Path, name, self._recorded(_call, getattr(Path, name)))

    def _recorded(self, step, call):
        def take(*args, **options):
            try:
                return step(call, *args, **options)
            finally:
                self._record()

        return take

    def _pwrite(self, call, descriptor, data, offset):
        written = call(descriptor, data, offset)
        pages = range(offset // PAGE, (offset + written - 1) // PAGE + 1)
        self._dirty.setdefault(os.fstat(descriptor).st_ino, set()).update(pages)
        return written

    def _ftruncate(self, call, descriptor, size):
        if self._fails():
            raise OSError(errno.EIO, "Input/output error")
        call(descriptor, size)
        self._dirty.setdefault(os.fstat(descriptor).st_ino, set())

    def _fsync(self, call, descriptor):
        self._update()
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path == self.folder:
            self._folders = self._folders[-1:]
        elif path.parent == self.folder:
            self._fsync_file(os.fstat(descriptor).st_ino)
        call(descriptor)

    def _fsync_file(self, inode):
        cached = self._cached[inode]
        # A file object writes without `pwrite`: all of its file.
        dirty = self._dirty.get(inode, range(len(cached) // PAGE + 1))
        if inode in self._dirty:
            self._dirty[inode] = set()
            if self._fails():
                size = max(len(self._durable.get(inode, b"")), len(cached))
                self._write(inode, [page for page in dirty if self.chance.random() < 0.5], size)
                raise OSError(errno.EIO, "Input/output error")
        self._write(inode, dirty, len(cached))

    def _write(self, inode, pages, size):
        """Write pages of a file to the disk, and its size."""
        disk = bytearray(self._durable.get(inode, b"").ljust(size, b"\0")[:size])
        for start in (page * PAGE for page in pages):
            written = self._cached[inode][start : start + PAGE]
            disk[start : start + len(written)] = written
        self._durable[inode] = bytes(disk)

    def _fails(self):
        return self.chance.random() < self.failing

    def _names(self) -> Names:
        return {path.name: path.stat().st_ino for path in self.folder.iterdir() if path.is_file()}

    def _update(self):
        names = self._names()
        if names != self._folders[-1]:
            self._folders.append(names)
        for name, inode in names.items():
            self._cached[inode] = (self.folder / name).read_bytes()

    def _record(self):
        self._update()
        self.moments.append(
            Moment(
                list(self._folders),
                dict(self._durable),
                dict(self._cached),
                frozenset(self.kept),
                frozenset(self.refused),
            )
        )


def _call(call, *args, **options):
    return call(*args, **options)


def states(moment: Moment, chance, times: int) -> Iterator[dict[str, bytes]]:
    """Yield what may be left if the power fails now: the files' contents by name.

    What is not durable is kept, dropped, torn at a sector, or written in any order of sectors.
    """
    yield _files(moment, moment.folders[-1], lambda _: True)
    yield _files(moment, moment.folders[0], lambda _: False)
    for _ in range(times):
        torn = chance.randrange(40)
        yield _files(moment, chance.choice(moment.folders), lambda sector, torn=torn: sector < torn)
        share = chance.random()
        yield _files(moment, chance.choice(moment.folders), lambda _, share=share: chance.random() < share)


def _files(moment, names, is_written):
    return {
        name: _mixed(moment.durable.get(inode, b""), moment.cached.get(inode, b""), is_written)
        for name, inode in names.items()
    }


def _mixed(durable, cached, is_written):
    """Return the durable content with some of the sectors that differ in the cached one."""
    disk, length, number = bytearray(durable.ljust(len(cached), b"\0")), len(durable), 0
    if len(cached) < length and is_written(0):
        length = len(cached)
    for start in range(0, len(cached), SECTOR):
        sector = cached[start : start + SECTOR]
        end = start + len(sector)
        if disk[start:end] != sector or end > length:
            if is_written(number):
                disk[start:end], length = sector, max(length, end)
            number += 1
    return bytes(disk[:length])
