"""The commit log: the versions that one process holds, and its part in the writes and fsyncs that all share."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Lock

from fileio.atomic import replace_atomically
from fileio.locks import ProcessLock, locked
from storage.base import Index, StoreCorrupted, Unavailable
from storage.engine.compaction import merge
from storage.engine.journal import Journal, Replaced, encode_changes
from storage.engine.paths import Files, os_errors_as_unavailable
from storage.engine.recovery import Checkpoint, check_journal_end, load, replay
from storage.engine.shared_state import WalIndex
from storage.engine.tinydb_adapter import Transaction
from storage.engine.versions import Version, Written

LOST = "the disk lost the change"


@dataclass(slots=True, eq=False)
class Commit:
    """A transaction that waits for an fsync. `wakeup` is set when its outcome is known or it `leads` the fsync."""

    checkpoint: Checkpoint
    leads: bool = False
    durable: bool = False
    error: Unavailable | StoreCorrupted | None = None
    wakeup: Event = field(default_factory=Event)


class CommitLog:
    """One process's versions of the data, and its part in the fsyncs that all processes share.

    `_head` is the version after every line of the journal. `_durable` is what readers get: the same without this
    process's lines that are not durable yet. A transaction takes three steps:

    1. Under the write lock, which one process holds at a time, it appends a line. `_head` advances.
    2. It waits as a `Commit`. One of the waiting commits, the leader, takes the sync lock and makes every line durable
       that is written by then (`_sync`); meanwhile others write.
    3. `_durable` advances, and the threads continue. If the fsync fails, its lines are truncated (`_roll_back`) before
       any of them is acknowledged; other processes see that in the WAL index.

    Locks are taken in this order: `_syncing`, sync lock, `_writer`, write lock, `_mutex`.
    """

    def __init__(self, files: Files, indexes: Iterable[Index], *, fsync: bool) -> None:
        self._files, self._indexes, self._fsync = files, list(indexes), fsync
        self._write_lock, self._sync_lock = ProcessLock(files.lock("write")), ProcessLock(files.lock("sync"))
        self._wal_index = WalIndex(files.lock("write"))  # in the lock's own file, so the two are always shared together
        self._writer = Lock()  # one transaction at a time in this process
        self._syncing = Lock()  # one fsync at a time in this process
        self._mutex = Lock()  # protects the versions and the list below, held briefly
        self._waiting: list[Commit] = []
        self._has_leader = False
        self._own: list[Checkpoint] = []  # this process's checkpoints after `_durable`, in order
        self._head = self._durable = load(files, self._indexes)
        self._start_wal_index()

    @property
    def size(self) -> int:
        """Return the journal's length in bytes."""
        return self._head.position.offset

    @property
    def needs_merge(self) -> bool:
        """Return whether an ended journal is not in the snapshot yet, or not removed."""
        with os_errors_as_unavailable():
            return any(older < self._head.journal.generation for older in self._files.generations())

    def latest(self) -> Version:
        """Return the newest version: this process's durable changes, and everything other processes have written."""
        acknowledged = self._wal_index.acknowledged  # read before the refresh, which then covers all of it
        if not self._wal_index.ends_at(self._head.position):
            self.refresh()
        if self._durable.position.sequence < acknowledged:  # another process has made this one's lines durable
            with self._mutex:
                self._advance_durable(acknowledged)
        return self._durable.version

    def refresh(self) -> None:
        """Replay new lines of the journal, whatever the WAL index says."""
        with os_errors_as_unavailable(), self._mutex:
            self._catch_up()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open the one writer. On exit its changes are durable, or Unavailable is raised and they are not kept.

        If the journal cannot be truncated either, they may be kept in spite of Unavailable. A transaction that changes
        nothing, or fails, also waits until what it read is durable.
        """
        with os_errors_as_unavailable():
            self._write_lock.check()
        commit, written = None, list[Written]()
        try:
            with self._writer, self._write_lock:
                transaction = Transaction(self._prepare_append())
                try:
                    yield transaction
                    written = transaction.changes()
                finally:
                    commit = self._append(transaction, written)
        finally:
            if commit:
                self._wait(commit)

    def compact(self, *, wait: bool) -> None:
        """Move the journal into the snapshot while others write. Raises Locked if `wait` is false."""
        with os_errors_as_unavailable(), locked(self._files.lock("compact"), wait=wait):
            self.refresh()
            # This lock is needed to start a generation, so a next one that exists is left from a crash.
            check_journal_end(self._files, self._head.journal)
            following = self._files.journal(self._head.journal.generation + 1)
            replace_atomically(following, [])
            self._switch_journal(Journal(following))
            merge(self._files, self._head.journal.generation)

    def finish_compaction(self) -> None:
        """Merge ended journals into the snapshot without starting a generation. Raises Locked."""
        with os_errors_as_unavailable(), locked(self._files.lock("compact"), wait=False):
            self.refresh()
            merge(self._files, self._head.journal.generation)

    def _start_wal_index(self) -> None:
        """Set the numbers: the WAL index may be new, or older than the files after a power failure or a restore."""
        with self._sync_lock, self._write_lock:
            self._wal_index.invalidate_end()
            self.refresh()
            with suppress(Unavailable):  # the first writer truncates what cannot be truncated now
                self._prepare_append()
            self._wal_index.durable, self._wal_index.acknowledged = 0, self._head.position.sequence
            with suppress(OSError):  # the first writer makes durable what cannot be made durable now
                self._head.journal.sync()
                self._wal_index.durable = self._wal_index.acknowledged
            self._truncations = self._wal_index.truncations

    def _catch_up(self) -> None:
        try:
            # New lines are from other processes, and follow this one's: these join the head as they are written.
            newest = replay(self._files, self._head._replace(version=self._head.version.fork()))
            if newest.position != self._head.position:
                self._move_to(newest)
        except (Replaced, FileNotFoundError):
            self._move_to(load(self._files, self._indexes))

    def _move_to(self, checkpoint: Checkpoint) -> None:
        self._head = self._durable = checkpoint
        self._own.clear()

    def _advance_durable(self, sequence: int) -> None:
        while self._own and self._own[0].position.sequence <= sequence:
            self._durable = self._own.pop(0)

    def _prepare_append(self) -> Version:
        """Catch up, truncate a line that a killed writer left unfinished, and return the head's version."""
        with os_errors_as_unavailable(), self._mutex:
            if not self._wal_index.ends_at(self._head.position):
                self._catch_up()
            if not self._wal_index.ends_at(self._head.position):
                self._head.journal.truncate(self._head.position)
                self._wal_index.publish_end(self._head.position)
            return self._head.version

    def _append(self, transaction: Transaction, written: list[Written]) -> Commit | None:
        """Write the line if anything has changed; else wait only if what was read may still be lost."""
        with os_errors_as_unavailable(), self._mutex:
            if transaction.base is not self._head.version:
                raise Unavailable(f"{LOST} that this one was to follow")
            if written:
                self._write(transaction.version, written)
            elif self._head.position.sequence <= self._wal_index.acknowledged:
                return None
            commit = Commit(self._head)
            self._waiting.append(commit)
            if not self._has_leader:
                self._wake_leader()
            return commit

    def _write(self, version: Version, written: list[Written]) -> None:
        self._wal_index.invalidate_end()
        position = self._head.journal.append(self._head.position, encode_changes(written))
        self._head = Checkpoint(version, self._head.journal, position)
        self._own.append(self._head)
        self._wal_index.publish_end(position)

    def _wait(self, commit: Commit) -> None:
        """Wait until the outcome of a commit is known, and lead the fsync if it is this one's to lead."""
        commit.wakeup.wait()
        if commit.leads:
            try:
                with os_errors_as_unavailable(), self._syncing, self._sync_lock:
                    self._sync()
            finally:
                with self._mutex:
                    if commit in self._waiting:  # a lock failed, so it must not lead again
                        self._waiting.remove(commit)
                    self._wake_leader()
        if not commit.durable:
            raise commit.error or Unavailable("it is not known whether the change was kept")

    def _wake_leader(self) -> None:
        self._has_leader = bool(self._waiting)
        if self._has_leader:
            self._waiting[0].leads = True
            self._waiting[0].wakeup.set()

    def _sync(self) -> None:
        """Make all waiting commits durable at once; those that are written meanwhile wait for the next fsync."""
        with self._mutex:
            batch, self._waiting = self._waiting, []
        try:
            with os_errors_as_unavailable():
                self._follow_truncations(batch)
                self._make_durable(self._head)
        except (Unavailable, StoreCorrupted) as error:
            self._roll_back(batch, error)
        else:
            self._complete(batch)
        finally:
            for commit in batch:
                commit.wakeup.set()

    def _follow_truncations(self, batch: list[Commit]) -> None:
        """If another process has truncated lines, catch up with it, and fail this process's commits among them."""
        truncations = self._wal_index.truncations
        if self._truncations != truncations:
            with self._mutex:
                self._catch_up()
            for commit in batch:
                if not commit.checkpoint.journal.has(commit.checkpoint.position):
                    commit.error = Unavailable(LOST)
            self._truncations = truncations

    def _make_durable(self, head: Checkpoint) -> None:
        sequence = head.position.sequence
        if sequence > self._wal_index.acknowledged:
            head.journal.check()
        if self._fsync and sequence > self._wal_index.durable:
            head.journal.sync()
            self._wal_index.durable = sequence
        self._wal_index.acknowledged = max(self._wal_index.acknowledged, sequence)

    def _complete(self, batch: list[Commit]) -> None:
        with self._mutex:
            for commit in batch:
                commit.durable = commit.error is None
                if commit.durable:
                    self._advance_durable(commit.checkpoint.position.sequence)

    def _roll_back(self, batch: list[Commit], error: Unavailable | StoreCorrupted) -> None:
        with self._write_lock, self._mutex:
            failed, self._waiting = [*batch, *self._waiting], []
            durable = 0  # nothing of this process's, if another process has truncated lines
            if self._truncations == self._wal_index.truncations:
                self._wal_index.acknowledged = max(self._wal_index.durable, self._wal_index.acknowledged)
                durable = self._wal_index.durable if self._fsync else self._wal_index.acknowledged
            for commit in failed:
                commit.durable, commit.error = commit.checkpoint.position.sequence <= durable, error
            self._wal_index.invalidate_end()
            try:
                self._truncate_after(self._wal_index.acknowledged)
            except (OSError, StoreCorrupted):
                self._move_to(load(self._files, self._indexes))  # other processes read these lines, so this one does
            finally:
                for commit in failed:
                    commit.wakeup.set()
            self._wal_index.publish_end(self._head.position)

    def _truncate_after(self, last: int) -> None:
        """Truncate the lines after a sequence number."""
        self._catch_up()
        last = max(last, self._head.journal.after)  # an ended journal stays ended
        durable = self._durable.position.sequence
        checkpoint = self._durable if durable == last else load(self._files, self._indexes, last)
        if checkpoint.journal.generation != self._head.journal.generation:
            raise OSError(errno.ESTALE, "the journal has ended", str(checkpoint.journal.path))
        self._wal_index.durable = min(self._wal_index.durable, last)
        self._wal_index.truncations += 1  # before truncating: a process that reads the files early finds all lines
        self._truncations = self._wal_index.truncations
        checkpoint.journal.truncate(checkpoint.position)
        self._move_to(checkpoint)

    def _switch_journal(self, following: Journal) -> None:
        """End the journal, so that every process continues in the following one."""
        with self._syncing, self._sync_lock, self._writer, self._write_lock:
            self._write_lock.check()
            self._prepare_append()
            self._sync()
            with self._mutex:
                journal, position = self._head.journal, self._head.position
                self._wal_index.invalidate_end()
                following.write_header(position.sequence + 1)
                journal.append(position, b'"next":%d' % following.generation)
                self._move_to(replay(self._files, self._head))
                self._head.journal.sync()
                self._wal_index.publish_end(self._head.position)
                self._wal_index.durable = self._wal_index.acknowledged = self._head.position.sequence
