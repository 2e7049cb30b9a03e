"""The WAL index: numbers about the journal, in memory that all processes of a store share.

Reading one takes no system call, for which a thread would release the interpreter and wait for it again. The first
number identifies the end of the journal, so that a process need not read the file to see that nothing is new. A writer
invalidates it before it changes the journal, and every process that finds it invalid reads the file. This is also
right if the writer was killed.
"""

import mmap
import os
from pathlib import Path

from fileio.atomic import open_private
from storage.engine.journal import JournalPosition

COUNT = 4
SIZE = COUNT * 8 + 1
END, DURABLE, ACKNOWLEDGED, TRUNCATIONS = range(COUNT)


def _number(index: int, doc: str) -> property:
    def get(wal_index: "WalIndex") -> int:
        return wal_index.numbers[index]

    def put(wal_index: "WalIndex", number: int) -> None:
        wal_index.numbers[index] = number % (1 << 64)

    return property(get, put, doc=doc)


class WalIndex:
    """The numbers, in a file that every process maps. Each is changed under the write lock or the sync lock.

    The file system must allocate the file's blocks once, as ext4, XFS and tmpfs do. On a copy-on-write file system a
    full disk ends the process.
    """

    durable = _number(DURABLE, "The sequence number up to which all lines are durable.")
    acknowledged = _number(ACKNOWLEDGED, "The sequence number up to which writers have been told that a line is kept.")
    truncations = _number(TRUNCATIONS, "How often lines have been truncated after a failed fsync.")

    def __init__(self, path: Path) -> None:
        descriptor = open_private(path, os.O_RDWR)
        try:
            # Writing the last byte allocates the file: a process that finds no block later is killed.
            if os.fstat(descriptor).st_size < SIZE:
                os.pwrite(descriptor, b"\0", SIZE - 1)
            self.numbers = memoryview(mmap.mmap(descriptor, SIZE))[: COUNT * 8].cast("Q")
        finally:
            os.close(descriptor)

    def ends_at(self, position: JournalPosition) -> bool:
        """Return whether the journal is known to end at this position."""
        return self.numbers[END] == position.fingerprint

    def invalidate_end(self) -> None:
        """Make the end unknown, before the journal is changed."""
        self.numbers[END] = 0

    def publish_end(self, position: JournalPosition) -> None:
        """Publish the end of the journal, after it was changed."""
        self.numbers[END] = position.fingerprint
