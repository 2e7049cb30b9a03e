"""The service's log on stderr: its format, and a handler that writes many lines with one system call."""

import json
import logging
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any

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


class JsonFormatter(Formatter):
    """Formats each record as one JSON object: the members of a request's line are members of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, redacted."""
        text = record.getMessage() + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": redact(text),
        }
        if isinstance(record.args, Mapping):
            entry |= {name: redact(value) if isinstance(value, str) else value for name, value in record.args.items()}
        return json.dumps(entry)


def use_format(name: str) -> None:
    """Give the service's own handlers the formatter of `[log] format`."""
    for handler in logging.getLogger("tinyscim").handlers:
        if isinstance(handler.formatter, Formatter):
            handler.setFormatter(JsonFormatter() if name == "json" else Formatter())


class BufferedStderrHandler(logging.Handler):
    """Writes records to stderr: warnings and errors at once, lesser ones a moment later, many in one system call.

    A system call for each request's line would cost it more than everything else that logging does: the call releases
    the interpreter's lock, and the request then waits to get it back.
    """

    def __init__(self, formatter: Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
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
