"""What the processes of a store tell each other: a few numbers in memory that they share.

To read one is no system call, for which a thread would let go of the interpreter and wait for it again. The
first says where the journal ends, so that nobody has to look; whoever is about to change the journal wipes it
out first, and whoever finds it wiped out looks, as is right if the writer was killed.
"""

import mmap
import os
from pathlib import Path

from fileio.atomic import open_private
from storage.engine.journal import Place

COUNT = 4
SIZE = COUNT * 8 + 1
END, SYNCED, TOLD, LOSSES = range(COUNT)


def _number(place: int, says: str) -> property:
    def get(board: "Board") -> int:
        return board.numbers[place]

    def put(board: "Board", number: int) -> None:
        board.numbers[place] = number % (1 << 64)

    return property(get, put, doc=says)


class Board:
    """The numbers, in a file that every process maps; each is changed in one of the turns.

    The file system must give the file its room once and for all, as ext4, XFS and tmpfs do: on one that copies on
    write a full disk ends the process.
    """

    synced = _number(SYNCED, "The sequence number up to which all lines are durable.")
    told = _number(TOLD, "The sequence number up to which somebody was told that a line is kept.")
    losses = _number(LOSSES, "How often lines had to be cut off again.")

    def __init__(self, path: Path) -> None:
        descriptor = open_private(path, os.O_RDWR)
        try:
            # The last byte is written, so that the file has its room: a process that finds none later is killed.
            if os.fstat(descriptor).st_size < SIZE:
                os.pwrite(descriptor, b"\0", SIZE - 1)
            self.numbers = memoryview(mmap.mmap(descriptor, SIZE))[: COUNT * 8].cast("Q")
        finally:
            os.close(descriptor)

    def is_end(self, place: Place) -> bool:
        """Tell whether the journal ends at this place; if nobody can say, it does not."""
        return self.numbers[END] == place.mark

    def wipe_end(self) -> None:
        """Say, before the journal is changed, that nobody can say where it ends."""
        self.numbers[END] = 0

    def tell_end(self, place: Place) -> None:
        """Say where the journal ends, once it does."""
        self.numbers[END] = place.mark
