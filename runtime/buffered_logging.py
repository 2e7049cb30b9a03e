"""The service's log on stderr: its format, and a handler that writes many lines with one system call."""

import logging
import sys
from collections import deque
from contextlib import suppress
from threading import Lock

from runtime.background import BackgroundTask
from runtime.redact import redact

PAUSE = 0.02  # seconds for which lines gather: more at a time would hold up the requests meanwhile
MOST = 1_000  # lines that may wait
FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class Formatter(logging.Formatter):
    """Formats records without the credentials in them."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text, and its exception's, redacted."""
        return redact(super().format(record))


class BufferedStderrHandler(logging.Handler):
    """Writes records to stderr: warnings and errors at once, lesser ones a moment later, many in one system call.

    A system call for each request's line would cost it more than everything else that logging does: the call releases
    the interpreter's lock, and the request then waits to get it back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Formatter())
        self._waiting: deque[logging.LogRecord] = deque()
        self._writing = Lock()
        self._later = BackgroundTask("log", self.flush, before=PAUSE)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record in."""
        self._waiting.append(record)
        if record.levelno >= logging.WARNING or len(self._waiting) >= MOST:
            self.flush()
        else:
            self._later.schedule()

    def flush(self) -> None:
        """Write the waiting lines. A closed stderr is ignored: there is nowhere else to report it."""
        with self._writing, suppress(OSError, ValueError):
            records = [self._waiting.popleft() for _ in range(len(self._waiting))]
            sys.stderr.write("".join(map(self._line, records)))
            sys.stderr.flush()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return f"{self.format(record)}\n"
        except Exception:
            self.handleError(record)
            return ""
