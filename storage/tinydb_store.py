"""The TinyDB store: one TinyDB file and a journal beside it, shared by threads and processes."""

import gc
import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Event, Thread
from typing import Literal

from fileio.locks import Locked, lock, unlock
from storage.base import Index, StoreCorrupted, Unavailable
from storage.engine.commit import Session
from storage.engine.migration import prepare
from storage.engine.paths import Files, os_errors_as_unavailable
from storage.engine.tinydb_adapter import Transaction, View

TICK = 1.0  # seconds between two looks at what other processes have written
PAUSE = 60.0  # seconds without another try after a compaction that failed

log = logging.getLogger("tinyscim.storage")


class TinyDBStore:
    """Keeps documents in a TinyDB file; what was written survives the process, with "fsync" the machine."""

    def __init__(
        self,
        path: Path,
        *,
        durability: Literal["fsync", "os"] = "fsync",
        compact_after: int = 16 * 1024 * 1024,
    ) -> None:
        self.files = Files(Path(path))
        self.durability, self.compact_after = durability, compact_after
        self._session: Session | None = None
        self._presence = -1
        self._closing = Event()
        self._keeper: Thread | None = None

    def open(self, indexes: Iterable[Index]) -> None:
        """Read the files, which are made or brought up to date first. Raises Damaged, Unavailable."""
        if self._session is not None:
            return
        with os_errors_as_unavailable():
            prepare(self.files)
            presence = lock(self.files.lock("open"), shared=True)
            try:
                self._session = Session(self.files, indexes, fsync=self.durability == "fsync")
            except BaseException:
                unlock(presence)
                raise
        self._presence = presence
        # What was loaded is no garbage, and a full collection would stop every thread to look through it.
        gc.freeze()
        self._closing.clear()
        self._keeper = Thread(target=self._run_maintenance, name="tinyscim-storage", daemon=True)
        self._keeper.start()

    def close(self) -> None:
        """Let go of files and threads; the store can be opened again."""
        if self._session is None:
            return
        self._closing.set()
        if self._keeper is not None:
            self._keeper.join()
        unlock(self._presence)
        self._session = None

    def reading(self) -> AbstractContextManager[View]:
        """Open a reader of the newest version; it holds no lock, and nobody changes what it reads."""
        return nullcontext(View(self._open_session().latest()))

    def writing(self) -> AbstractContextManager[Transaction]:
        """Open the one writer of all processes: all of it is kept (Unavailable if it cannot be) or none."""
        return self._open_session().transaction()

    def compact(self) -> None:
        """Write a new snapshot now, with all that was kept before. Raises Unavailable, Damaged."""
        self._open_session().compact(wait=True)

    def _open_session(self) -> Session:
        if self._session is None:
            raise RuntimeError("the store is not open")
        return self._session

    def _run_maintenance(self) -> None:
        """Stay up to date, so that no request has much to catch up on; compact when the journal is long."""
        pause, session = TICK, self._open_session()
        while not self._closing.wait(pause):
            pause = TICK
            try:
                session.look()
                if session.behind:  # for want of room, say, which there may be now
                    session.catch_up_snapshot()
                elif session.size > self.compact_after:
                    session.compact(wait=False)
            except Locked:
                pass  # somebody else is at it
            except (StoreCorrupted, Unavailable) as error:
                log.error("the store could not be looked after: %s", error)
                pause = PAUSE
