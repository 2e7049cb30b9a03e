"""Work that requests leave to be done off their path, in a thread of its own."""

import atexit
import logging
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

log = logging.getLogger("tinyscim")


class BackgroundTask:
    """Runs an action in a background thread: once for all who asked for it meanwhile, and once more at exit.

    The first who asks starts the thread, so it is started after any fork. The thread sleeps for `before` seconds
    before the action and `after` seconds after it; given `every`, it also acts when nobody has asked for so long.
    """

    def __init__(
        self,
        name: str,
        action: Callable[[], None],
        *,
        before: float = 0.0,
        after: float = 0.0,
        every: float | None = None,
    ) -> None:
        self._name, self._action = name, action
        self._before, self._after, self._every = before, after, every
        self._asked = Event()
        self._starting = Lock()
        self._thread: Thread | None = None

    def schedule(self) -> None:
        """Have the action called soon; costs next to nothing where somebody has asked already."""
        if not self._asked.is_set():
            self._asked.set()
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
                atexit.register(self._action)

    def _run(self) -> None:
        while True:
            if self._asked.wait(self._every):
                time.sleep(self._before)
            self._asked.clear()
            try:
                self._action()
            except Exception:
                log.exception("%s failed", self._name)
            time.sleep(self._after)
