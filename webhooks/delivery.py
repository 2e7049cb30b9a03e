"""The delivery to one webhook: its events in order, each at least once."""

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

from config import Webhook, WebhookDelivery
from runtime.outgoing import Answer, Endpoint, Failed
from runtime.redact import cut
from storage.base import Expired, Removed
from webhooks.message import Event, body_of, headers_of
from webhooks.progress import Attempt, Progress, Progresses

POLL = 0.5  # seconds until the feed and the progress are read again
LINGER = 0.1  # seconds after the last event, so that the next page has several
SAVE = 1.0  # seconds of deliveries that may come again after a crash
PAGE = 100
JITTER = 0.2  # of a pause between attempts, so that endpoints with one cause of failure are not called together
GONE = 410
BUSY = (429, 503)
_ANSWER_LENGTH = 200

log = logging.getLogger("tinyscim.webhooks")


class Source(Protocol):
    """Where events come from."""

    is_on: bool

    @property
    def types(self) -> Sequence[str]:
        """The types of events that there are."""

    def page(self, after: str, limit: int, types: Sequence[str]) -> tuple[Sequence[Event], str]:
        """Return the events after a cursor, and the cursor after them. Raises Expired."""

    def end(self) -> str:
        """Return the cursor after the newest event."""

    def cursor_before(self, is_sought: Callable[[Event], bool]) -> str | None:
        """Return the cursor before the first such event that is kept, or None. Raises Expired if the log is damaged."""


def send(endpoint: Endpoint, event: Event, webhook: Webhook, now: float) -> tuple[Attempt, str]:
    """Post an event and return the attempt, and the answer's Retry-After."""
    body = body_of(event)
    try:
        answer = endpoint.post(body, headers_of(event["id"], int(now), body, webhook.keys))
    except Failed as error:
        return Attempt(event["id"], event["type"], now, problem=str(error)), ""
    return Attempt(event["id"], event["type"], now, answer.status, _problem(answer)), answer.retry_after


def _problem(answer: Answer) -> str:
    """Return why an answer is not a success, or an empty text."""
    if 200 <= answer.status < 300:
        return ""
    if 300 <= answer.status < 400:
        return f"the answer is {answer.status}, and redirects are not followed: enter the URL that it redirects to"
    text = cut(" ".join(answer.body.decode(errors="replace").split()), _ANSWER_LENGTH)
    return f"the answer is {answer.status}" + (f": {text}" if text.isprintable() and text else "")


class Delivery:
    """Delivers the events of one webhook. One thread uses it."""

    def __init__(
        self, name: str, source: Source, progresses: Progresses, clock: Callable[[], float] = time.time
    ) -> None:
        self._name, self._source, self._progresses, self._clock = name, source, progresses, clock
        self._progress = self._saved = Progress(epoch="none yet")
        self._synchronised = self._saved_at = 0.0
        self._pending: deque[Event] = deque()
        self._is_behind = False
        self._types: Sequence[str] = ()
        self._endpoint: Endpoint | None = None
        self._endpoint_key: object = None

    def step(self, webhook: Webhook, options: WebhookDelivery) -> float:
        """Do what is due, and return after how many seconds there may be more."""
        now = self._clock()
        if abs(now - self._synchronised) >= POLL:
            self._synchronise(now)
        if webhook.paused or self._progress.stopped or not webhook.keys:
            return POLL
        if now < self._progress.next_attempt:
            return min(POLL, self._progress.next_attempt - now)
        cursor = self._progress.cursor
        if event := self._next_event(webhook):
            self._attempt(event, webhook, options)
        if self._pending or self._is_behind:
            return 0.0
        return LINGER if cursor != self._progress.cursor else POLL

    def close(self) -> None:
        """Save the progress, and close the connection."""
        self._save()
        if self._endpoint:
            self._endpoint.close()

    def _synchronise(self, now: float) -> None:
        """Save the progress, and take over an administrator's change of it."""
        self._synchronised = now
        saved = self._progresses.get(self._name)
        if saved.epoch != self._progress.epoch:
            self._take(saved)
        elif now - self._saved_at >= SAVE:
            self._save()

    def _take(self, saved: Progress) -> None:
        self._progress = self._saved = saved
        self._pending.clear()

    def _save(self) -> None:
        if self._progress is self._saved:
            return
        self._saved_at = self._clock()
        saved = self._progresses.save(self._name, self._progress)
        if saved is self._progress:
            self._saved = saved
        else:
            self._take(saved)

    def _next_event(self, webhook: Webhook) -> Event | None:
        if webhook.types != self._types:
            self._pending.clear()
            self._types = webhook.types
        if not self._pending:
            self._read()
        return self._pending[0] if self._pending else None

    def _read(self) -> None:
        """Read the next events. A new webhook begins with those that come from now on."""
        if self._progress.cursor is None:
            end = self._source.end()
            return self._take(self._progresses.change(self._name, lambda saved: _begun(saved, end)))
        try:
            events, cursor = self._source.page(self._progress.cursor, PAGE, self._types)
        except (Expired, ValueError) as error:  # or it is the cursor of another store
            log.warning('webhook "%s": events were removed before they were delivered', self._name)
            # Older events were delivered already, and would lead back to here.
            cursor = "" if isinstance(error, Removed) else self._source.end()
            self._progress = replace(self._progress, cursor=cursor, lost=self._clock())
            return self._save()
        self._pending.extend(events)
        self._is_behind = len(events) == PAGE
        if not events and cursor != self._progress.cursor:
            self._move(cursor)
        return None

    def _move(self, cursor: str) -> None:
        self._progress = replace(self._progress, cursor=cursor)

    def _attempt(self, event: Event, webhook: Webhook, options: WebhookDelivery) -> None:
        attempt, retry_after = send(self._endpoint_of(webhook, options), event, webhook, self._clock())
        if attempt.succeeded:
            self._pending.popleft()
            if self._progress.failures:
                log.info('webhook "%s" works again', self._name)
            self._progress = self._progress.after(
                attempt, cursor=event["cursor"], failures=0, failing_since=0.0, next_attempt=0.0
            )
        else:
            self._fail(attempt, options, retry_after)

    def _fail(self, attempt: Attempt, options: WebhookDelivery, retry_after: str) -> None:
        """Wait for the next attempt, or stop after a day of failures."""
        now, before = self._clock(), self._progress
        since, count = before.failing_since or now, len(options.retries)
        left = since + sum(options.retries) - now
        is_over = before.failures >= count or left < -2 * options.timeout * count
        if attempt.status == GONE or is_over:
            log.error('webhook "%s" was paused: %s', self._name, attempt.problem)
            self._progress = before.after(attempt, failures=before.failures + 1, failing_since=since, stopped=now)
        else:
            pause = options.retries[before.failures] * random.uniform(1 - JITTER, 1)  # noqa: S311  # not a secret
            if attempt.status in BUSY:
                pause = max(pause, min(_seconds(retry_after, now), left))
            log.warning('webhook "%s" failed: %s; next attempt in %d s', self._name, attempt.problem, pause)
            self._progress = before.after(
                attempt, failures=before.failures + 1, failing_since=since, next_attempt=now + pause
            )
        self._save()

    def _endpoint_of(self, webhook: Webhook, options: WebhookDelivery) -> Endpoint:
        key = (webhook.url, options.networks, options.timeout)
        if self._endpoint is None or key != self._endpoint_key:
            if self._endpoint:
                self._endpoint.close()
            self._endpoint, self._endpoint_key = Endpoint(*key), key
        return self._endpoint


def _begun(saved: Progress, end: str) -> Progress:
    return saved if saved.cursor is not None else saved.restarted(cursor=end)


def _seconds(retry_after: str, now: float) -> float:
    """Return the seconds that Retry-After asks to wait (RFC 9110 section 10.2.3), or 0 if it is not valid."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:10])
    try:
        moment = parsedate_to_datetime(retry_after)
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
