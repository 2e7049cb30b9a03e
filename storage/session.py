"""One process's part in the shared files: the versions it holds, and how far it has read."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from storage.base import Index, Unavailable
from storage.compaction import merge
from storage.documents import Transaction
from storage.files import Files, put_in_place, refusals
from storage.journal import Journal, Replaced
from storage.loading import Point, follow, load
from storage.lock import Turn, locked
from storage.tables import Version


@dataclass(slots=True)
class Commit:
    """A transaction that is in the journal and waits for the disk."""

    point: Point
    done: bool = False
    error: Unavailable | None = None


class Session:
    """Two versions: `_tip`, with all that is in the journal, and `_kept`, with what is durable."""

    def __init__(self, files: Files, indexes: Iterable[Index], *, fsync: bool) -> None:
        self._files, self._indexes, self._fsync = files, list(indexes), fsync
        self._turn = Turn(files.lock("write"))
        self._writer = Lock()  # one transaction at a time in this process
        self._syncing = Lock()  # one fsync at a time
        self._mutex = Lock()  # guards the versions and the list below, for moments only
        self._waiting: list[Commit] = []
        self._tip = self._kept = load(files, self._indexes)

    @property
    def size(self) -> int:
        """Return the journal's length in bytes."""
        return self._tip.place.offset

    @property
    def behind(self) -> bool:
        """Tell whether a journal that has ended is not in the snapshot yet, nor removed."""
        with refusals():
            return any(older < self._tip.journal.generation for older in self._files.generations())

    def latest(self) -> Version:
        """Return the newest version: what is durable of our own changes, and whatever others have written."""
        with refusals():
            if not self._is_read():
                with self._mutex:
                    self._catch_up()
            return self._kept.version

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open the one writer; on exit its changes are durable, or Unavailable and they never were."""
        with self._turn.held():
            with self._writer:
                transaction = Transaction(self._begin())
                yield transaction
                commit = self._append(transaction)
            self._settle(commit)

    def compact(self, *, wait: bool) -> None:
        """Move the journal into the snapshot while others go on writing; Locked, if not to wait."""
        with refusals(), locked(self._files.lock("compact"), wait=wait):
            self.latest()
            # Nobody else begins a generation under this lock: what there is of the next was cut short.
            following = self._files.journal(self._tip.journal.generation + 1)
            put_in_place(following, [])
            self._go_on_in(Journal(following))
            merge(self._files, self._tip.journal.generation)

    def catch_up_snapshot(self) -> None:
        """Finish a compaction that was cut short, beginning no further generation; Locked."""
        with refusals(), locked(self._files.lock("compact"), wait=False):
            self.latest()
            merge(self._files, self._tip.journal.generation)

    def _is_read(self) -> bool:
        tip = self._tip
        return tip.journal.is_read(tip.place)

    def _catch_up(self) -> None:
        if self._is_read():
            return
        try:
            # What is new is from others: our own lines are added to the tip as they are written.
            fork = self._tip._replace(version=self._tip.version.fork())
            self._tip = self._kept = follow(self._files, fork)
        except (Replaced, FileNotFoundError):
            self._tip = self._kept = load(self._files, self._indexes)

    def _begin(self) -> Version:
        with refusals(), self._mutex:
            self._catch_up()
            self._tip.journal.cut(self._tip.place)
            return self._tip.version

    def _append(self, transaction: Transaction) -> Commit | None:
        changed = transaction.changes()
        if not changed:
            return None
        with refusals(), self._mutex:
            if transaction.base is not self._tip.version:
                raise Unavailable("the disk lost the change that this one was to follow")
            place = self._tip.journal.append(self._tip.place, {"changes": changed})
            self._tip = Point(transaction.version, self._tip.journal, place)
            self._waiting.append(Commit(self._tip))
            return self._waiting[-1]

    def _settle(self, commit: Commit | None) -> None:
        if commit is None:
            return
        with self._syncing:
            if not commit.done:
                self._sync()
        if commit.error:
            raise commit.error

    def _sync(self) -> None:
        """Make all that waits durable at once; what is written meanwhile waits for the next time."""
        with self._mutex:
            batch, self._waiting = self._waiting, []
        try:
            with refusals():
                if self._fsync and batch:
                    self._tip.journal.sync()
        except Unavailable as error:
            self._lose(batch, error)
        else:
            self._keep(batch)

    def _keep(self, batch: list[Commit]) -> None:
        with self._mutex:
            for commit in batch:
                self._kept, commit.done = commit.point, True

    def _lose(self, batch: list[Commit], error: Unavailable) -> None:
        with self._mutex:
            for commit in [*batch, *self._waiting]:
                commit.error, commit.done = error, True
            self._waiting = []
            try:
                self._kept.journal.cut(self._kept.place)
                self._tip = self._kept
            except OSError:
                # What could not be cut off is there for everybody else, so it has to be here as well.
                self._tip = self._kept = load(self._files, self._indexes)

    def _go_on_in(self, following: Journal) -> None:
        """End the journal, so that everybody goes on in the following one."""
        with self._turn.held(), self._writer, self._syncing:
            self._begin()
            self._sync()
            with self._mutex:
                journal, place = self._tip.journal, self._tip.place
                following.begin(place.sequence + 1)
                journal.append(place, {"next": following.generation})
                self._tip = self._kept = follow(self._files, self._tip)
