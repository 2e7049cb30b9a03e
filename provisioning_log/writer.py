"""Writes the log off the request path: a request leaves its event in a queue, a thread makes entries of them."""

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
PAUSE = 0.05  # seconds for which events gather: more at a time would hold up the requests meanwhile
TIDY = 3_600.0
STRANGERS = 60  # entries a minute for requests without a known token: they must not fill the queue
STRANGERS_PATH = 100  # bytes

log = logging.getLogger("tinyscim")


class LogWriter:
    """Queues events and writes their entries. What there is no room for is counted, and the log says how many."""

    def __init__(self, files: Archive, line: Callable[[Event, str], str | None]) -> None:
        self._files, self._line = files, line
        self._queue = _Queue()
        self._writing = Lock()
        self._later = BackgroundTask("provisioning-log", self._work, before=PAUSE, every=TIDY)
        self._tidied = -TIDY  # the clock may have begun just now
        self._strangers = _Allowance(STRANGERS)
        self._broken = False
        self.lost = self.refused = 0

    def note(self, event: Event) -> None:
        """Leave an event to be written; never waits and never fails."""
        is_stranger = _is_stranger(event)
        if is_stranger and not self._strangers.take():
            self.refused += 1
            return
        self.lost += self._queue.add(_bare(event) if is_stranger else event)
        self._later.schedule()

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            lost, self.lost = self.lost, 0
            events = self._queue.take_all()
            known = [event for event in events if not _is_stranger(event)]
            for lines in self._in_batches(self._lines(known)):
                if not self._append(self._files.append, lines):
                    self.lost += len(lines)
            if lost and not self._append(self._files.append, [_loss(lost).to_line()]):
                self.lost += lost
            self._flush_refused([event for event in events if _is_stranger(event)])

    def _flush_refused(self, events: list[Event]) -> None:
        """Write what strangers tried; what was left out goes with it, so that a flood of them is no flood of lines."""
        if events:
            refused, self.refused = self.refused, 0
            lines = list(self._lines(events))
            if refused:
                lines.append(_loss(refused).to_line())
            if not self._append(self._files.append_refused, lines):
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
        """Yield the lines together as far as the files take them together."""
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
        if time.monotonic() - self._tidied > TIDY:
            self._tidied = time.monotonic()
            self._tidy()

    def _tidy(self) -> None:
        try:
            self._files.tidy()
        except OSError as error:
            log.error("%s: old entries cannot be deleted: %s", self._files.path, error.strerror)


class _Queue:
    """Events that wait, at most `QUEUE`. When it is full, the client that has most in it loses the newest of them."""

    def __init__(self) -> None:
        self._events: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._count = 0
        self._changing = Lock()

    def add(self, event: Event) -> int:
        """Add an event, and return how many were lost for it: one or none."""
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
        """Return the events in the order of time, and be empty."""
        with self._changing:
            events = [event for waiting in self._events.values() for event in waiting]
            self._events.clear()
            self._count = 0
        return sorted(events, key=lambda event: event.time)


class _Allowance:
    """So many a minute."""

    def __init__(self, count: int) -> None:
        self._count, self._left, self._minute = count, count, 0

    def take(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._left = minute, self._count
        self._left -= 1
        return self._left >= 0


def _is_stranger(event: Event) -> bool:
    return not event.token and not event.cause


def _bare(event: Event) -> Event:
    """Return a stranger's event without what he could make long."""
    path = event.path.encode("utf-8", "replace")[:STRANGERS_PATH].decode("utf-8", "ignore")
    return replace(
        event, method=event.method[:10], path=path, query={}, request=None, response=None, client_request_id=""
    )


def _new_id() -> str:
    """Return an id for an entry: no two are made within a nanosecond."""
    return f"{time.time_ns():x}"


def _loss(count: int) -> Entry:
    return Entry(time=timestamp(time.time()), id=_new_id(), actions=("lost",), moved=count)
