"""One process's part in the shared files: the versions it holds, and how far it has read."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock

from fileio.atomic import replace_atomically
from fileio.locks import ProcessLock, locked
from storage.base import Index, StoreCorrupted, Unavailable
from storage.engine.compaction import merge
from storage.engine.journal import Journal, Replaced, encode_changes
from storage.engine.paths import Files, os_errors_as_unavailable
from storage.engine.recovery import Point, check_journal_end, follow, load
from storage.engine.shared_state import Board
from storage.engine.tinydb_adapter import Transaction
from storage.engine.versions import Version, Written

LOST = "the disk lost the change"


def _taken() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class Commit:
    """A transaction that is in the journal and waits for the disk.

    `called` is locked until the thread may go on: either its transaction is settled, or it `leads` the next fsync.
    """

    point: Point
    leads: bool = False
    kept: bool = False
    error: Unavailable | StoreCorrupted | None = None
    called: Lock = field(default_factory=_taken)

    def call(self) -> None:
        """Let its thread go on: it is settled, or is to make durable what waits."""
        if self.called.locked():
            self.called.release()


class Session:
    """One process's versions of the data, and its part in the fsyncs that all processes share.

    `_tip` is the version after every line of the journal. `_kept` is what readers get: the same without the lines of
    this process that are not durable yet. A transaction goes through three steps:

    1. In the write turn, which one process has at a time, it appends a line. `_tip` moves on.
    2. It waits as a `Commit`. One of those that wait, the leader, takes the sync turn and makes every line durable that
       is written by then (`_sync`); meanwhile others write.
    3. `_kept` follows, and the threads go on. If the fsync fails, the lines that it was for are cut off (`_lose`)
       before anybody is told of them; other processes see that by the board.

    Locks are taken in this order: `_syncing`, sync turn, `_writer`, write turn, `_mutex`.
    """

    def __init__(self, files: Files, indexes: Iterable[Index], *, fsync: bool) -> None:
        self._files, self._indexes, self._fsync = files, list(indexes), fsync
        self._write_turn, self._sync_turn = ProcessLock(files.lock("write")), ProcessLock(files.lock("sync"))
        self._board = Board(files.lock("write"))  # who meets in that turn reads the same board
        self._writer = Lock()  # one transaction at a time in this process
        self._syncing = Lock()  # one fsync at a time
        self._mutex = Lock()  # guards the versions and the list below, for moments only
        self._waiting: list[Commit] = []
        self._led = False  # whether one of those that wait has been called to make them durable
        self._mine: list[Point] = []  # what of our own is above `_kept`, in order
        self._tip = self._kept = load(files, self._indexes)
        self._begin_board()

    @property
    def size(self) -> int:
        """Return the journal's length in bytes."""
        return self._tip.place.offset

    @property
    def behind(self) -> bool:
        """Tell whether a journal that has ended is not in the snapshot yet, nor removed."""
        with os_errors_as_unavailable():
            return any(older < self._tip.journal.generation for older in self._files.generations())

    def latest(self) -> Version:
        """Return the newest version: what is durable of our own changes, and whatever others have written."""
        told = self._board.told  # asked first: after the look, whatever is here up to it is what was told of
        if not self._board.is_end(self._tip.place):
            self.look()
        if self._kept.place.sequence < told:  # another process has made our own durable
            with self._mutex:
                self._keep_up_to(told)
        return self._kept.version

    def look(self) -> None:
        """Catch up with the journal, whatever the board says."""
        with os_errors_as_unavailable(), self._mutex:
            self._catch_up()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open the one writer; on exit its changes are durable, or Unavailable and they never were.

        Where the disk lets nothing be cut off, they may be there all the same. Whoever changes nothing, or is refused,
        waits as well until what it saw is durable.
        """
        with os_errors_as_unavailable():
            self._write_turn.check()
        commit, written = None, list[Written]()
        try:
            with self._writer, self._write_turn:
                transaction = Transaction(self._begin())
                try:
                    yield transaction
                    written = transaction.changes()
                finally:
                    commit = self._append(transaction, written)
        finally:
            if commit:
                self._settle(commit)

    def compact(self, *, wait: bool) -> None:
        """Move the journal into the snapshot while others go on writing. Raises Locked if not to wait."""
        with os_errors_as_unavailable(), locked(self._files.lock("compact"), wait=wait):
            self.look()
            # Nobody else begins a generation under this lock: what there is of the next was cut short.
            check_journal_end(self._files, self._tip.journal)
            following = self._files.journal(self._tip.journal.generation + 1)
            replace_atomically(following, [])
            self._go_on_in(Journal(following))
            merge(self._files, self._tip.journal.generation)

    def catch_up_snapshot(self) -> None:
        """Finish a compaction that was cut short, beginning no further generation. Raises Locked."""
        with os_errors_as_unavailable(), locked(self._files.lock("compact"), wait=False):
            self.look()
            merge(self._files, self._tip.journal.generation)

    def _begin_board(self) -> None:
        """Say what is durable: the board may be new, or older than what the machine or somebody did to the files."""
        with self._sync_turn, self._write_turn:
            self._board.wipe_end()
            self.look()
            with suppress(Unavailable):  # what cannot be cut off now, the first writer cuts off
                self._begin()
            self._board.synced, self._board.told = 0, self._tip.place.sequence
            with suppress(OSError):  # what cannot be made durable now, the first writer makes durable
                self._tip.journal.sync()
                self._board.synced = self._board.told
            self._losses = self._board.losses

    def _catch_up(self) -> None:
        try:
            # What is new is from others, above what of our own waits: our lines join the tip as they are written.
            fork = self._tip._replace(version=self._tip.version.fork())
            news = follow(self._files, fork)
            if news.place != self._tip.place:
                self._go_to(news)
        except (Replaced, FileNotFoundError):
            self._go_to(load(self._files, self._indexes))

    def _go_to(self, point: Point) -> None:
        self._tip = self._kept = point
        self._mine.clear()

    def _keep_up_to(self, sequence: int) -> None:
        while self._mine and self._mine[0].place.sequence <= sequence:
            self._kept = self._mine.pop(0)

    def _begin(self) -> Version:
        with os_errors_as_unavailable(), self._mutex:
            if not self._board.is_end(self._tip.place):
                self._catch_up()
            if not self._board.is_end(self._tip.place):  # somebody was killed while writing, or could not
                self._tip.journal.cut(self._tip.place)
                self._board.tell_end(self._tip.place)
            return self._tip.version

    def _append(self, transaction: Transaction, written: list[Written]) -> Commit | None:
        """Write the line, if anything has changed; else wait for what it saw, if that may still be lost."""
        with os_errors_as_unavailable(), self._mutex:
            if transaction.base is not self._tip.version:
                raise Unavailable(f"{LOST} that this one was to follow")
            if not written and self._tip.place.sequence <= self._board.told:
                return None
            if written:
                self._write(transaction.version, written)
            commit = Commit(self._tip)
            self._waiting.append(commit)
            if not self._led:
                self._call_leader()
            return commit

    def _write(self, version: Version, written: list[Written]) -> None:
        self._board.wipe_end()
        place = self._tip.journal.append(self._tip.place, encode_changes(written))
        self._tip = Point(version, self._tip.journal, place)
        self._mine.append(self._tip)
        self._board.tell_end(place)

    def _settle(self, commit: Commit) -> None:
        commit.called.acquire()
        if commit.leads:
            try:
                with os_errors_as_unavailable(), self._syncing, self._sync_turn:
                    self._sync()
            finally:
                with self._mutex:
                    if commit in self._waiting:  # it has not come so far, and must not be called again
                        self._waiting.remove(commit)
                    self._call_leader()
        if not commit.kept:
            raise commit.error or Unavailable("it is not known whether the change was kept")

    def _call_leader(self) -> None:
        """Have one of those that wait make them all durable."""
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].leads = True
            self._waiting[0].call()

    def _sync(self) -> None:
        """Make all that waits durable at once; what is written meanwhile waits for the next time."""
        with self._mutex:
            batch, self._waiting = self._waiting, []
        try:
            with os_errors_as_unavailable():
                self._go_back_with_others(batch)
                self._make_durable(self._tip)
        except (Unavailable, StoreCorrupted) as error:
            self._lose(batch, error)
        else:
            self._keep(batch)
        finally:
            for commit in batch:
                commit.call()

    def _go_back_with_others(self, batch: list[Commit]) -> None:
        """If another process has cut off lines, catch up with it, and mark our commits among them as lost."""
        losses = self._board.losses
        if self._losses != losses:
            with self._mutex:
                self._catch_up()
            for commit in batch:
                if not commit.point.journal.has(commit.point.place):
                    commit.error = Unavailable(LOST)
            self._losses = losses

    def _make_durable(self, tip: Point) -> None:
        sequence = tip.place.sequence
        if sequence > self._board.told:
            tip.journal.check()
        if self._fsync and sequence > self._board.synced:
            tip.journal.sync()
            self._board.synced = sequence
        self._board.told = max(self._board.told, sequence)

    def _keep(self, batch: list[Commit]) -> None:
        with self._mutex:
            for commit in batch:
                commit.kept = commit.error is None
                if commit.kept:
                    self._keep_up_to(commit.point.place.sequence)

    def _lose(self, batch: list[Commit], error: Unavailable | StoreCorrupted) -> None:
        with self._write_turn, self._mutex:
            lost, self._waiting = [*batch, *self._waiting], []
            kept = 0  # nothing of ours, if another process has cut off lines
            if self._losses == self._board.losses:
                self._board.told = max(self._board.synced, self._board.told)
                kept = self._board.synced if self._fsync else self._board.told
            for commit in lost:
                commit.kept, commit.error = commit.point.place.sequence <= kept, error
            self._board.wipe_end()
            try:
                self._cut_off(self._board.told)
            except (OSError, StoreCorrupted):
                # What could not be cut off is there for everybody else, so it has to be here as well.
                self._go_to(load(self._files, self._indexes))
            finally:
                for commit in lost:
                    commit.call()
            self._board.tell_end(self._tip.place)

    def _cut_off(self, told: int) -> None:
        """Take away what nobody was told of."""
        self._catch_up()
        told = max(told, self._tip.journal.after)  # the end of the one before cannot be taken back
        point = self._kept if self._kept.place.sequence == told else load(self._files, self._indexes, told)
        if point.journal.generation != self._tip.journal.generation:
            raise OSError(errno.ESTALE, "the journal has ended", str(point.journal.path))
        self._board.synced = min(self._board.synced, told)
        self._board.losses += 1  # before it is so: whoever looks without need finds everything there
        self._losses = self._board.losses
        point.journal.cut(point.place)
        self._go_to(point)

    def _go_on_in(self, following: Journal) -> None:
        """End the journal, so that everybody goes on in the following one."""
        with self._syncing, self._sync_turn, self._writer, self._write_turn:
            self._write_turn.check()
            self._begin()
            self._sync()
            with self._mutex:
                journal, place = self._tip.journal, self._tip.place
                self._board.wipe_end()
                following.begin(place.sequence + 1)
                journal.append(place, b'"next":%d' % following.generation)
                self._go_to(follow(self._files, self._tip))
                self._tip.journal.sync()
                self._board.tell_end(self._tip.place)
                self._board.synced = self._board.told = self._tip.place.sequence
