"""The wal-index: where the durable journal ends, in a small file that all processes of a store read.

It is read with a system call, not through a memory map: the kernel ends a process that touches a mapped page if the
disk is broken, or full on a file system that copies on write.
"""

import os
import time
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from fileio.atomic import open_existing, open_private, write_all
from storage.engine.journal import JournalPosition

_FIELDS = Struct("<QQQQQQ?16s")
_CHECKSUM = Struct("<I")
SIZE = _FIELDS.size + _CHECKSUM.size
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class End(NamedTuple):
    """The end of the durable journal.

    `journal` is the checksum of the journal's first line, which identifies the file. The journal is not `clean` while
    what follows the end has to be cut off. `boot` identifies the time since the machine was booted.
    """

    generation: int
    journal: int
    position: JournalPosition
    clean: bool
    boot: bytes

    def encode(self) -> bytes:
        """Return the contents of the wal-index."""
        data = _FIELDS.pack(self.generation, self.journal, *self.position, self.clean, self.boot)
        return data + _CHECKSUM.pack(crc32(data))


class WalIndex:
    """The file. It is written under the write lock, after the journal was made durable."""

    def __init__(self, path: Path) -> None:
        self._descriptor = open_private(path, os.O_RDWR)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def read(self) -> bytes:
        """Return the contents, which change with each batch."""
        return os.pread(self._descriptor, SIZE, 0)

    def write(self, end: End) -> bytes:
        """Write the end for all processes, and return the new contents."""
        data = end.encode()
        write_all(self._descriptor, data, 0)
        return data


def decode_end(data: bytes) -> End | None:
    """Return the end, or None if the file is new or damaged."""
    fields, checksum = data[: _FIELDS.size], data[_FIELDS.size :]
    if len(data) < SIZE or checksum != _CHECKSUM.pack(crc32(fields)):
        return None
    generation, journal, *position, clean, boot = _FIELDS.unpack(fields)
    return End(generation, journal, JournalPosition(*position), clean, boot)


def read_end(path: Path) -> End | None:
    """Return the end in a wal-index that this process does not use, or None."""
    try:
        descriptor = open_existing(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return decode_end(os.pread(descriptor, SIZE, 0))
    finally:
        os.close(descriptor)


@lru_cache(maxsize=1)
def boot_id() -> bytes:
    """Return 16 bytes that are the same until the machine boots again."""
    try:
        text = BOOT_ID.read_text().strip()
    except OSError:  # not Linux: the minute of the boot
        text = str(round((time.time() - time.monotonic()) / 60))
    return blake2b(text.encode(), digest_size=16).digest()
