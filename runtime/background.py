"""Runs work in a background thread, off the path of requests."""

import atexit
import logging
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

log = logging.getLogger("tinyscim")


class BackgroundTask:
    """Runs an action in a background thread: once for all calls of `schedule` meanwhile, and once more at exit.

    The first call of `schedule` starts the thread, so it starts after any fork. The thread sleeps for `before` seconds
    before the action and `after` seconds after it. With `every`, the action also runs after so many seconds without a
    call.
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
        self._scheduled = Event()
        self._starting = Lock()
        self._thread: Thread | None = None

    def schedule(self) -> None:
        """Run the action soon. A further call before it runs costs nothing."""
        if not self._scheduled.is_set():
            self._scheduled.set()
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
                atexit.register(self._action)

    def _run(self) -> None:
        while True:
            if self._scheduled.wait(self._every):
                time.sleep(self._before)
            self._scheduled.clear()
            try:
                self._action()
            except Exception:
                log.exception("%s failed", self._name)
            time.sleep(self._after)
