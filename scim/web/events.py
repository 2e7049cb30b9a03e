"""The event feed over HTTP: a page of events, waiting for the next ones, and a snapshot of the directory."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from threading import BoundedSemaphore

import orjson
from flask import Blueprint, Flask, Response

from scim.directory.service import Service
from scim.errors import ScimError, Unauthorized
from scim.web.hooks import authorize, challenge
from scim.web.request import request
from scim.web.waiting import Full, Waiters
from storage.base import Document, Expired, StoreError

PATH, SNAPSHOT = "/api/events", "/api/snapshot"
MAX_LIMIT, LIMIT, MAX_WAIT = 1_000, 100, 30
SNAPSHOTS = 2  # that a worker sends at a time
PIECE = 200  # lines that are sent together
MARGIN = 5.0  # seconds before the deadline of a request by which a waiting one is answered

log = logging.getLogger("tinyscim")


class FeedError(Exception):
    """A request that is refused, with its status, a code for programs, and what to do."""

    def __init__(self, status: int, code: str, detail: str, retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status, self.code, self.retry_after = status, code, retry_after


def init_app(app: Flask, service: Service) -> Waiters:
    """Register the endpoints, and return the requests that wait."""
    waiters = Waiters(service.feed.end)
    app.register_blueprint(FeedEndpoints(waiters).blueprint())
    return waiters


class FeedEndpoints:
    """The endpoints, with the bounds on what a worker does at a time."""

    def __init__(self, waiters: Waiters) -> None:
        self._waiters, self._snapshots = waiters, BoundedSemaphore(SNAPSHOTS)

    def blueprint(self) -> Blueprint:
        """Return the blueprint of the endpoints."""
        blueprint = Blueprint("events", __name__)
        blueprint.before_request(check_access)
        blueprint.add_url_rule(PATH, "events", self.events)
        blueprint.add_url_rule(SNAPSHOT, "snapshot", self.snapshot)
        blueprint.register_error_handler(FeedError, refuse)
        blueprint.register_error_handler(ScimError, refuse_access)
        blueprint.register_error_handler(StoreError, refuse_store)
        return blueprint

    def events(self) -> Response:
        """Return the events after a cursor, if need be once there are some."""
        given = request.args
        types = [word for word in given.get("types", "").split(",") if word]
        if unknown := set(types) - set(request.service.feed.types):
            known = ", ".join(request.service.feed.types)
            raise FeedError(400, "unknown_type", f'There is no type "{min(unknown)[:100]}". The types are {known}.')
        limit, wait = _number("limit", LIMIT, 1, MAX_LIMIT), _number("wait", 0, 0, MAX_WAIT)
        events, cursor = self._waited(given.get("after", ""), limit, types, wait)
        body = b'{"events":[%b],"cursor":%b}' % (b",".join(events), orjson.dumps(cursor))
        return Response(body, mimetype="application/json")

    def _waited(self, after: str, limit: int, types: list[str], wait: int) -> tuple[list[bytes], str]:
        longest = request.service.startup_config.server.request_timeout - MARGIN
        until, end = time.monotonic() + min(wait, longest), request.service.feed.end()
        events, cursor = _page(after, limit, types)
        if events or not wait:
            return events, cursor
        try:
            with self._waiters.place():
                while not events and (cursor != after or self._waiters.wait(end, until, request.environ)):
                    after, end = cursor, request.service.feed.end()
                    events, cursor = _page(after, limit, types)
        except Full:
            raise FeedError(429, "busy", "Too many requests wait for events. Try again later.", 5) from None
        return events, cursor

    def snapshot(self) -> Response:
        """Stream the directory as JSON lines. The last one has the cursor of the events that come after it."""
        if not self._snapshots.acquire(blocking=False):
            raise FeedError(429, "busy", "Other snapshots are being sent. Try again in a minute.", 60)
        with ExitStack() as stack:
            stack.callback(self._snapshots.release)
            reader = stack.enter_context(request.service.store.reading())
            lines = request.service.feed.snapshot(reader, request.resources.resource_url)
            response = Response(_pieces(lines), mimetype="application/x-ndjson")
            response.call_on_close(stack.pop_all().close)
        return response


def check_access() -> None:
    """Check the token, and that the feed is on. Raises FeedError, Unauthorized, Forbidden."""
    request.service.open()
    authorize(request.authorize_feed)
    if not request.service.feed.is_on:
        advice = "Set enabled = true under [events] in the configuration, and restart the service."
        raise FeedError(404, "off", f"The event feed is off. {advice}")


def refuse(error: FeedError) -> Response:
    """Answer an error with its code and what to do."""
    body = orjson.dumps({"error": error.code, "detail": str(error)})
    response = Response(body, error.status, mimetype="application/json")
    if error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def refuse_access(error: ScimError) -> Response:
    """Answer an error of the token or the address as the others are."""
    response = refuse(FeedError(error.status, _CODES.get(error.status, "invalid_request"), error.detail))
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = challenge(error)
    return response


def refuse_store(error: StoreError) -> Response:
    """Answer 503 if the store cannot be read."""
    log.error("request=%s %s", request.id, error)
    return refuse(FeedError(503, "unavailable", "The store cannot be used at the moment. Try again later.", 5))


_CODES = {401: "unauthorized", 403: "forbidden"}


def _page(after: str, limit: int, types: list[str]) -> tuple[list[bytes], str]:
    try:
        return request.service.feed.texts(after, limit, types, request.resources.resource_url)
    except Expired:
        advice = f"Get {SNAPSHOT}, replace your copy by it, and go on from the cursor in its last line."
        raise FeedError(410, "expired", f"Events after this cursor are no longer kept. {advice}") from None
    except ValueError:
        advice = "Send one as you received it, or leave it out to begin with the oldest event."
        raise FeedError(400, "invalid_cursor", f'"after" is not a cursor of this service. {advice}') from None


def _number(name: str, default: int, least: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise FeedError(400, "invalid_request", f'"{name}" must be a whole number from {least} to {most}.')
    return int(text)


def _pieces(lines: Iterator[Document]) -> Iterator[bytes]:
    while piece := list(islice(lines, PIECE)):
        yield b"".join(orjson.dumps(line) + b"\n" for line in piece)
