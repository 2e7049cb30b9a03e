"""A batch: transactions of one process that become durable together."""

from dataclasses import dataclass, field
from threading import Event
from time import monotonic

from storage.base import StoreError, Unavailable
from storage.engine.journal import encode_line
from storage.engine.recovery import Checkpoint
from storage.engine.versions import Version

BATCH_SECONDS = 0.01  # after which a batch takes no further transactions


@dataclass(slots=True, eq=False)
class Batch:
    """The lines of a batch, and the state after them."""

    head: Checkpoint
    durable: int  # the offset that each line states
    lines: list[bytes] = field(default_factory=list)
    error: StoreError | None = None
    done: Event = field(default_factory=Event)
    began: float = field(default_factory=monotonic)

    def add(self, version: Version, member: bytes) -> None:
        """Add a transaction."""
        line, position = encode_line(self.head.position, self.durable, member)
        self.lines.append(line)
        self.head = Checkpoint(version, self.head.journal, position)

    @property
    def is_full(self) -> bool:
        """Return whether others have waited long enough."""
        return monotonic() - self.began > BATCH_SECONDS

    def wait(self) -> None:
        """Wait until the batch is durable. Raises Unavailable if it is not kept."""
        self.done.wait()
        if self.error:
            raise Unavailable(str(self.error), full=getattr(self.error, "full", False)) from self.error
