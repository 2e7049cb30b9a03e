"""The commit log: the durable version that readers get, and the batches of transactions that advance it."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from fileio.locks import FairLock, locked
from storage.base import Index, Retention, StoreError, Unavailable
from storage.engine.batch import Batch
from storage.engine.compaction import merge, write_version
from storage.engine.corruption import Problem, refuse
from storage.engine.journal import create, encode_changes, start_position
from storage.engine.log import DAY, Log
from storage.engine.paths import Files, os_errors_as_unavailable
from storage.engine.recovery import Checkpoint, check_journal_end, keeping_tail, known_end, load, replay
from storage.engine.shared_state import End, WalIndex, decode_end
from storage.engine.tinydb_adapter import Transaction, View

log = logging.getLogger("tinyscim.storage")


class CommitLog:
    """One process's durable version of the data, and its batches.

    One process at a time writes, under the write lock, from the first transaction of a batch until the batch is
    durable. So every line before the end in the wal-index is durable, and nothing follows it while no process writes.
    Threads of the process share the batch: each runs its transaction on the state that the one before has left, and
    the last one writes all lines, makes them durable and publishes the new end. If that fails, the file is cut back.

    Locks are taken in this order: `_writer`, write lock, `_mutex`.
    """

    def __init__(self, files: Files, indexes: Iterable[Index], retention: Retention, *, fsync: bool) -> None:
        self._files, self._indexes, self._retention, self._fsync = files, list(indexes), retention, fsync
        self._write_lock = FairLock(files.lock("write"))
        self._wal_index = WalIndex(files.lock("write"))  # in the lock's own file, so the two are always shared together
        self._writer = Lock()  # one transaction at a time in this process
        self._waiting = set[object]()  # threads that wait for it
        self._batch: Batch | None = None
        self._mutex = Lock()  # protects the two below
        self._seen_index = b""  # the wal-index that `_durable` corresponds to
        self.read_only = ""
        self._durable = load(files, self._indexes, self._start)

    @property
    def size(self) -> int:
        """Return the journal's length in bytes."""
        return self._durable.position.offset

    @property
    def is_day_old(self) -> bool:
        """Return whether the journal has entries of the log for a day, which are to be removed in time."""
        if not self._retention.days or self._durable.position.line == 1:
            return False
        with os_errors_as_unavailable():
            return time.time() - self._files.snapshot.stat().st_mtime > DAY  # it was written when the journal began

    @property
    def needs_merge(self) -> bool:
        """Return whether an ended journal is not in the snapshot yet, or not removed."""
        with os_errors_as_unavailable():
            return any(older < self._durable.journal.generation for older in self._files.generations())

    @property
    def misses_snapshot(self) -> bool:
        """Return whether the snapshot was deleted, without which no other process can open the store."""
        return not self._files.snapshot.exists()

    def reader(self) -> View:
        """Return a reader of the newest durable version of all processes."""
        with suppress(OSError):  # then it is not known whether there is a newer one
            if self._wal_index.read() != self._seen_index:
                self.refresh()
        durable = self._durable
        return View(durable.version, Log(self._files, durable))

    def refresh(self) -> End | None:
        """Read up to the end of the durable journal, and return the end if it is known."""
        with os_errors_as_unavailable(), self._mutex:
            seen = self._wal_index.read()
            end = decode_end(seen)
            if end and end.position != self._durable.position:
                self._durable = self._follow(self._durable, end)
            self._seen_index = seen
            return end

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open the one writer. On exit its changes are durable, or Unavailable is raised and they are not kept.

        A transaction that changes nothing, or fails, also waits until what it read is durable.
        """
        batch: Batch | None = None
        try:
            with self._exclusive():
                batch = self._batch or self._begin()
                transaction = Transaction(batch.head.version, Log(self._files, self._durable))
                yield transaction
                changes, entry = transaction.changes(), transaction.entry
                if changes or entry:
                    batch.add(transaction.version, encode_changes(changes, entry))
        finally:
            if batch:
                batch.wait()

    def compact(self, *, wait: bool) -> None:
        """Move the journal into the snapshot while others write. Raises Locked if `wait` is false."""
        with os_errors_as_unavailable(), locked(self._files.lock("compact"), wait=wait):
            is_missing = self.misses_snapshot
            first = self._end_journal()
            if is_missing:
                log.warning("%s was deleted, so it is written again from memory", self._files.snapshot)
                write_version(self._files, first, self._retention)
            else:
                merge(self._files, first.journal.generation, self._retention)

    def finish_compaction(self) -> None:
        """Merge ended journals into the snapshot without starting a generation. Raises Locked."""
        with os_errors_as_unavailable(), locked(self._files.lock("compact"), wait=False):
            self.refresh()
            merge(self._files, self._durable.journal.generation, self._retention)

    def retry_cut(self) -> None:
        """Cut the journal back, if that has failed."""
        if self.read_only:
            with self._exclusive():
                self._batch = self._batch or self._begin()

    def _start(self, checkpoint: Checkpoint) -> Checkpoint:
        """Read the journals for the first time, and decide where they end unless another process writes."""
        end = self._known_end(checkpoint)
        if end:
            checkpoint = replay(self._files, checkpoint, end)
            if not self._write_lock.try_acquire():
                return checkpoint  # the writer has made sure of the end
        else:
            self._write_lock.acquire()
        try:
            end = self._known_end(checkpoint)
            return self._recover(checkpoint, end)
        except OSError as error:
            if end is None:
                raise
            self._set_read_only(f"{checkpoint.journal.path} could not be cut back ({error.strerror})")
            return replay(self._files, checkpoint, end)
        finally:
            self._write_lock.release()

    def _known_end(self, checkpoint: Checkpoint) -> End | None:
        return known_end(self._files, decode_end(self._wal_index.read()), checkpoint.journal.generation)

    def _recover(self, checkpoint: Checkpoint, end: End | None) -> Checkpoint:
        """Read what may have been acknowledged, make it durable, and publish its end.

        The wal-index is not synced: a file system that was detached and mounted again, without a boot, may have an
        older one. So whole lines after the known end are kept, unless they are known to be refused.
        """
        found = replay(self._files, checkpoint, end, beyond=end is None or end.clean)
        if end and end.clean and found.position == end.position and found.journal.size() == end.position.offset:
            return found
        with keeping_tail(self._files, found):
            found.journal.cut(found.position.offset)
        if not found.journal.states_end:  # an older version began it
            found = found._replace(position=found.journal.state_end(found.position))
        self._wal_index.write(found.end)
        return found

    def _follow(self, checkpoint: Checkpoint, end: End) -> Checkpoint:
        try:
            return replay(self._files, checkpoint._replace(version=checkpoint.version.fork()), end)
        except FileNotFoundError:  # compactions have removed journals
            return load(self._files, self._indexes, self._reload)

    def _reload(self, checkpoint: Checkpoint) -> Checkpoint:
        """Read the journals again. The caller may hold the write lock, which cannot be taken twice."""
        end = self._known_end(checkpoint)
        if end is None:
            raise Unavailable(f"the end of {checkpoint.journal.path} is not known at the moment")
        return replay(self._files, checkpoint, end)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Run alone in this process; the last one of those that wait ends the batch."""
        me = object()
        self._waiting.add(me)
        try:
            self._writer.acquire()
        finally:
            self._waiting.discard(me)
        try:
            yield
        finally:
            try:
                if self._batch and (not self._waiting or self._batch.is_full):
                    self._end_batch(self._batch)
            finally:
                self._writer.release()

    def _begin(self) -> Batch:
        """Take the write lock, and read what other processes have written."""
        with os_errors_as_unavailable():
            self.refresh()  # most of it while other processes may write
            self._write_lock.acquire()
            try:
                self._check_end()
            except BaseException:
                self._write_lock.release()
                raise
        self._batch = Batch(self._durable, self._durable.position.offset)
        return self._batch

    def _check_end(self) -> None:
        """Cut off what a process has written and not made durable. If that fails, this process is read-only."""
        try:
            self._write_lock.check()
            end, size = self.refresh(), self._durable.journal.size()
            if not end:
                with self._mutex:
                    fork = self._durable._replace(version=self._durable.version.fork())
                    self._durable = self._recover(fork, None)
            elif size < end.position.offset:
                refuse(Problem(self._durable.journal.path, end.position.line, "the journal has become shorter"))
            elif size > end.position.offset or not end.clean:
                with keeping_tail(self._files, self._durable):
                    self._cut()
        except (OSError, StoreError) as error:
            self._set_read_only(self.read_only or str(error))
            raise
        self._set_read_only("")

    def _end_batch(self, batch: Batch) -> None:
        """Make the batch durable, and let another process write."""
        self._batch = None
        try:
            if batch.lines:
                self._commit(batch)
        except StoreError as error:
            batch.error = error
        except BaseException as error:
            batch.error = Unavailable(f"the change failed for an unexpected reason: {error!r}")
            raise
        finally:
            batch.done.set()
            self._write_lock.release()

    def _commit(self, batch: Batch) -> None:
        journal = self._durable.journal
        try:
            with os_errors_as_unavailable(journal.path):
                journal.write(b"".join(batch.lines), self._durable.position.offset)
                if self._fsync or batch.head.journal is not journal:  # the next journal is already durable
                    journal.sync()
                journal.size()  # raises if it was deleted
                with self._mutex:
                    self._seen_index = self._wal_index.write(batch.head.end)
                    self._durable = batch.head
        except BaseException:
            with suppress(OSError):
                self._cut()
            raise

    def _cut(self) -> None:
        """Remove what follows the durable lines. Raises OSError; then this process writes nothing until it succeeds."""
        end, journal = self._durable.end, self._durable.journal
        try:
            with suppress(OSError):  # for the case that the cut does not become durable
                self._wal_index.write(end._replace(clean=False))
            journal.cut(end.position.offset)
            self._wal_index.write(end)
        except OSError as error:
            self._set_read_only(f"{journal.path} could not be cut back after a failed write ({error.strerror})")
            raise
        self._set_read_only("")

    def _set_read_only(self, reason: str) -> None:
        if reason and not self.read_only:
            log.error("%s. Nothing can be written until that succeeds: check the disk.", reason)
        elif self.read_only and not reason:
            log.warning("the journal was cut back, so the store can be written again")
        self.read_only = reason

    def _end_journal(self) -> Checkpoint:
        """End the journal, so that every process continues in the next one, and return its first checkpoint."""
        with self._exclusive():
            if self._batch:
                self._end_batch(self._batch)
            batch = self._begin()
            version, journal, position = batch.head
            # A next generation that exists is left from a crash, unless this journal has lost its end.
            check_journal_end(self._files, journal)
            after = position.sequence + 1  # the last line's number
            following = create(self._files.journal(journal.generation + 1), after)
            first = replay(self._files, Checkpoint(version, following, start_position(after)), None)
            batch.add(version, b'"next":%d' % following.generation)
            batch.head = first
            self._end_batch(batch)
        batch.wait()
        return first
