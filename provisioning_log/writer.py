"""Writes the log outside of requests: requests queue events, and a thread writes their entries."""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from threading import Lock

from provisioning_log.archive import Archive
from provisioning_log.entries import Entry, timestamp
from runtime.background import BackgroundTask
from scim.directory.events import Event

QUEUE = 5_000
PAUSE = 0.05  # seconds to collect events; larger batches would delay requests
CLEANUP_INTERVAL = 3_600.0
UNAUTHENTICATED_PER_MINUTE = 60  # entries, so that such requests cannot fill the queue
UNAUTHENTICATED_PATH = 100  # bytes

log = logging.getLogger("tinyscim")


class LogWriter:
    """Queues events and writes their entries. Events that are dropped are counted, and the count is logged."""

    def __init__(self, files: Archive, line: Callable[[Event, str], str | None]) -> None:
        self._files, self._line = files, line
        self._queue = _Queue()
        self._writing = Lock()
        self._task = BackgroundTask("provisioning-log", self._work, before=PAUSE, every=CLEANUP_INTERVAL)
        self._cleaned_up = -CLEANUP_INTERVAL  # the monotonic clock may start at 0
        self._rate_limit = _RateLimit(UNAUTHENTICATED_PER_MINUTE)
        self._broken = False
        self.lost = self.refused = 0

    def enqueue(self, event: Event) -> None:
        """Queue an event without waiting or failing."""
        unauthenticated = _is_unauthenticated(event)
        if unauthenticated and not self._rate_limit.allows():
            self.refused += 1
            return
        self.lost += self._queue.add(_shortened(event) if unauthenticated else event)
        self._task.schedule()

    def flush(self) -> None:
        """Write the queued entries."""
        with self._writing:
            lost, self.lost = self.lost, 0
            events = self._queue.take_all()
            known = [event for event in events if not _is_unauthenticated(event)]
            for lines in self._in_batches(self._lines(known)):
                if not self._append(self._files.append, lines):
                    self.lost += len(lines)
            if lost and not self._append(self._files.append, [_loss(lost).to_line()]):
                self.lost += lost
            self._write_unauthenticated([event for event in events if _is_unauthenticated(event)])

    def _write_unauthenticated(self, events: list[Event]) -> None:
        """Write the entries of unauthenticated requests, with one for those over the rate limit."""
        if events:
            refused, self.refused = self.refused, 0
            lines = list(self._lines(events))
            if refused:
                lines.append(_loss(refused).to_line())
            if not self._append(self._files.append_unauthenticated, lines):
                self.refused += refused + len(events)

    def _lines(self, events: list[Event]) -> Iterator[str]:
        for event in events:
            try:
                line = self._line(event, _new_id())
                if line:
                    yield line
            except Exception:
                log.exception("request=%s has no entry in the provisioning log", event.request_id)
                self.lost += 1

    def _in_batches(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Yield the lines in batches of at most `batch_bytes`."""
        batch: list[str] = []
        size = 0
        for line in lines:
            length = len(line.encode("utf-8", "replace")) + 1
            if batch and size + length > self._files.batch_bytes:
                yield batch
                batch, size = [], 0
            batch.append(line)
            size += length
        if batch:
            yield batch

    def _append(self, append: Callable[[list[str]], None], lines: list[str]) -> bool:
        try:
            append(lines)
        except OSError as error:
            if not self._broken:
                log.error("%s: the provisioning log cannot be written: %s", self._files.path, error.strerror)
            self._broken = True
            return False
        self._broken = False
        return True

    def _work(self) -> None:
        self.flush()
        if time.monotonic() - self._cleaned_up > CLEANUP_INTERVAL:
            self._cleaned_up = time.monotonic()
            try:
                self._files.delete_expired()
            except OSError as error:
                log.error("%s: old entries cannot be deleted: %s", self._files.path, error.strerror)


class _Queue:
    """At most `QUEUE` events. When full, the client with the most events loses its newest one."""

    def __init__(self) -> None:
        self._events: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._count = 0
        self._changing = Lock()

    def add(self, event: Event) -> int:
        """Add an event, and return how many were dropped for it: 0 or 1."""
        with self._changing:
            own = self._events[event.token]
            if self._count >= QUEUE:
                longest = max(self._events.values(), key=len)
                if len(longest) <= len(own) + 1:
                    return 1
                longest.pop()
                own.append(event)
                return 1
            own.append(event)
            self._count += 1
            return 0

    def take_all(self) -> list[Event]:
        """Remove and return all events in the order of their times."""
        with self._changing:
            events = [event for waiting in self._events.values() for event in waiting]
            self._events.clear()
            self._count = 0
        return sorted(events, key=lambda event: event.time)


class _RateLimit:
    """Allows a number of events each minute."""

    def __init__(self, count: int) -> None:
        self._count, self._left, self._minute = count, count, 0

    def allows(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._left = minute, self._count
        self._left -= 1
        return self._left >= 0


def _is_unauthenticated(event: Event) -> bool:
    return not event.token and not event.cause


def _shortened(event: Event) -> Event:
    """Return an unauthenticated event without its variable-length parts."""
    path = event.path.encode("utf-8", "replace")[:UNAUTHENTICATED_PATH].decode("utf-8", "ignore")
    return replace(event, method=event.method[:10], path=path, query={}, request=None, client_request_id="")


def _new_id() -> str:
    """Return a new entry id, the time in nanoseconds."""
    return f"{time.time_ns():x}"


def _loss(count: int) -> Entry:
    return Entry(time=timestamp(time.time()), id=_new_id(), actions=("lost",), moved=count)
