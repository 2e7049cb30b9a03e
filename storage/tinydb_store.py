"""The TinyDB store: one TinyDB file and a journal beside it, shared by threads and processes."""

import gc
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Literal

from fileio.locks import Locked, lock, locked, unlock
from storage.base import NOTHING, Busy, Index, Retention, StoreCorrupted, Unavailable
from storage.engine.commit import CommitLog
from storage.engine.corruption import CheckDocument, accept
from storage.engine.log import prune
from storage.engine.migration import migrate
from storage.engine.paths import Files, os_errors_as_unavailable
from storage.engine.tinydb_adapter import Transaction, View
from storage.state import FileState

TICK = 1.0  # seconds between two refreshes
PAUSE = 60.0  # seconds to wait after a failed compaction

log = logging.getLogger("tinyscim.storage")


class TinyDBStore:
    """Keeps documents in a TinyDB file. Writes survive a crash of the process, with "fsync" also of the machine.

    `retention` is that of the log. `check` is called with each document of a file that another program wrote.
    """

    def __init__(
        self,
        path: Path,
        *,
        durability: Literal["fsync", "os"] = "fsync",
        compact_after: int = 16 * 1024 * 1024,
        retention: Retention = NOTHING,
        check: CheckDocument = accept,
    ) -> None:
        self.files, self._path = Files.at(path), path
        self.check = check
        self.durability, self.compact_after, self.retention = durability, compact_after, retention
        self._states: dict[str, FileState] = {}
        self._commit_log: CommitLog | None = None
        self._open_lock = self._process = -1
        self._closing = Event()
        self._maintenance: Thread | None = None

    def open(self, indexes: Iterable[Index]) -> None:
        """Create or migrate the files if necessary, and read them. Raises StoreCorrupted, Unavailable."""
        if self._commit_log is not None:
            return
        with os_errors_as_unavailable():
            self.files.check_links()
            migrate(self.files, self.check)
            open_lock = lock(self.files.lock("open"), shared=True)
            try:
                self._commit_log = CommitLog(self.files, indexes, self.retention, fsync=self.durability == "fsync")
            except BaseException:
                unlock(open_lock)
                raise
        self._open_lock, self._process = open_lock, os.getpid()
        # A full garbage collection would stop every thread to traverse the loaded documents.
        gc.freeze()
        self._closing.clear()
        self._maintenance = Thread(target=self._run_maintenance, name="tinyscim-storage", daemon=True)
        self._maintenance.start()

    def close(self) -> None:
        """Release files and threads; the store can be opened again."""
        if self._commit_log is None:
            return
        self._closing.set()
        if self._maintenance is not None:
            self._maintenance.join()
        unlock(self._open_lock)
        self._commit_log = None

    def reading(self) -> AbstractContextManager[View]:
        """Open a reader of the newest version. It holds no lock, and its version never changes."""
        return nullcontext(self._opened().reader())

    def writing(self) -> AbstractContextManager[Transaction]:
        """Open the one writer of all processes: all its changes are kept or none. Raises Unavailable."""
        return self._opened().transaction()

    @contextmanager
    def exclusive(self, name: str) -> Iterator[Callable[[], bool]]:
        """Hold a lock file of this name. Raises Busy, Unavailable."""
        with ExitStack() as held:
            try:
                with os_errors_as_unavailable():
                    held.enter_context(locked(self.files.lock(f"{name}.exclusive"), wait=False))
            except Locked:
                raise Busy(name) from None
            yield lambda: True

    def state(self, name: str) -> FileState:
        """Return the object in a file beside the store."""
        return self._states.setdefault(name, FileState(self._path.with_suffix(f".{name}.json")))

    @property
    def read_only(self) -> str:
        """Return why this process refuses writes, or an empty text."""
        return self._commit_log.read_only if self._commit_log else ""

    def compact(self) -> None:
        """Write a new snapshot now. Raises Unavailable, StoreCorrupted."""
        self._opened().compact(wait=True)

    @property
    def is_served(self) -> bool:
        """Whether another process has the store open."""
        try:
            with locked(self.files.lock("open"), wait=False):
                return False
        except Locked:
            return True

    def _opened(self) -> CommitLog:
        if self._commit_log is None:
            raise RuntimeError("the store is not open")
        if self._process != os.getpid():
            raise RuntimeError("the store was opened before a fork: open it in each process")
        return self._commit_log

    def _run_maintenance(self) -> None:
        """Replay new lines, so that requests have few to replay, and compact when the journal is long."""
        commit_log, next_compaction = self._opened(), 0.0
        while not self._closing.wait(TICK):
            try:
                commit_log.refresh()
                commit_log.retry_cut()
                if monotonic() >= next_compaction:
                    next_compaction = monotonic() + PAUSE
                    self._compact_if_needed(commit_log)
                    next_compaction = 0.0
            except Locked:
                next_compaction = 0.0  # another process compacts
            except (StoreCorrupted, Unavailable) as error:
                log.error("the store could not be looked after: %s", error)

    def _compact_if_needed(self, commit_log: CommitLog) -> None:
        if commit_log.needs_merge and not commit_log.misses_snapshot:  # for example, because the disk was full
            commit_log.finish_compaction()
        elif commit_log.misses_snapshot or commit_log.size > self.compact_after or commit_log.is_day_old:
            commit_log.compact(wait=False)
        prune(self.files, self.retention)
