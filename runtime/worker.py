"""gunicorn's threaded worker, with a deadline for each request.

gunicorn reads a request in the thread that answers it, and waits for the client without limit. Here those threads are
many and cheap, a connection that takes too long is shut down, and only a few threads at a time run the application.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from gunicorn.workers.gthread import ThreadWorker

CONNECTIONS = 256  # that a worker reads from or writes to at a time; each waits in a thread of its own
EXCHANGE = 10  # times the deadline of a request, after which its answer must have been read
LINGER = 2.0  # seconds in which a client may still read the last answer of a connection
DRAINED = 65_536  # bytes that are discarded meanwhile

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]
R = TypeVar("R")

log = logging.getLogger("tinyscim")


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker whose connections have a deadline; the `pre_fork` hook sets `request_timeout`, in seconds."""

    request_timeout = 30.0

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Return the threads that read requests; gunicorn documents this method as its hook for that."""
        return DeadlineExecutor(self.request_timeout)


class DeadlineExecutor(ThreadPoolExecutor):
    """Runs one exchange with a client in each thread, and shuts its connection down when it takes too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(max_workers=CONNECTIONS, thread_name_prefix="connection")
        self._seconds = seconds
        self._began: dict[Any, float] = {}  # by connection, the oldest first
        threading.Thread(target=self._watch, name="deadlines", daemon=True).start()

    def submit(self, fn: Callable[..., R], /, conn: Any) -> Future[R]:  # type: ignore[override]
        """Read a request from a connection and answer it, as `fn` does."""
        self._began[conn] = time.monotonic()
        return super().submit(self._exchange, fn, conn)

    def _exchange(self, fn: Callable[[Any], R], conn: Any) -> R:
        try:
            goes_on = fn(conn)
        finally:
            began = self._began.pop(conn)
        if not goes_on:
            # gunicorn would linger in the thread that accepts connections, and keep everyone waiting.
            _linger(conn.sock)
        if time.monotonic() - began > self._seconds:
            log.warning("closed a connection: its request took longer than request_timeout (%g s)", self._seconds)
        return goes_on

    def _watch(self) -> None:
        while True:
            time.sleep(min(1.0, self._seconds / 4))
            now = time.monotonic()
            for conn, began in list(self._began.items()):
                if now - began > self._seconds:
                    is_over = now - began > EXCHANGE * self._seconds
                    with suppress(OSError):  # it is closed already
                        # An answer that is being sent is not affected by the end of reading.
                        conn.sock.shutdown(socket.SHUT_RDWR if is_over else socket.SHUT_RD)


class Slots:
    """Lets so many requests run at a time, as a WSGI middleware. More threads do not raise throughput.

    A request that waits for its body gives up its slot meanwhile.
    """

    def __init__(self, app: WsgiApp, number: int) -> None:
        self._app = app
        self._slots = threading.BoundedSemaphore(number)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Run the application in a slot, once there is one."""
        environ["wsgi.input"] = _Input(environ["wsgi.input"], self._slots)
        environ["tinyscim.without_slot"] = self._released
        with self._slots:
            return self._app(environ, start_response)

    @contextmanager
    def _released(self) -> Iterator[None]:
        """Give up the slot of a request while it waits."""
        self._slots.release()
        try:
            yield
        finally:
            self._slots.acquire()


class _Input:
    """A request's body, which is read without a slot."""

    def __init__(self, stream: Any, slots: threading.BoundedSemaphore) -> None:
        self._stream, self._slots = stream, slots

    def read(self, size: int = -1) -> bytes:
        return self._without_slot(self._stream.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._without_slot(self._stream.readline, size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _without_slot(self, read: Callable[[int], bytes], size: int) -> bytes:
        self._slots.release()
        try:
            return read(size)
        finally:
            self._slots.acquire()


def _linger(sock: socket.socket) -> None:
    """Let the client read the last response before the connection closes (RFC 9112 section 9.6)."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        end, drained = time.monotonic() + LINGER, 0
        while drained < DRAINED and (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            data = sock.recv(4_096)
            if not data:
                break
            drained += len(data)
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
