"""Hooks and error handlers of all requests: host, token, response headers, errors, events and the request log."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import orjson
from flask import Flask, Response, current_app
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from config import Config
from runtime.redact import cut
from scim.directory.events import without_values
from scim.errors import (
    Forbidden,
    InsufficientScope,
    InsufficientStorage,
    ScimError,
    ServiceUnavailable,
    TokenExpired,
    TooLarge,
    Unauthorized,
    error_body,
    shorten,
)
from scim.web import cors
from scim.web.request import MEDIA_TYPE, request, service
from storage.base import StoreCorrupted, StoreError, Unavailable

HEALTH = "/healthz"
_MAX_DRAINED_BYTES = 32 * 1024 * 1024  # bytes
_MAX_LOGGED_NAMES = 20

log = logging.getLogger("tinyscim")


def init_app(app: Flask) -> None:
    """Register the hooks and error handlers."""
    app.add_url_rule(HEALTH, "healthz", report_health)
    cors.install(app, app.extensions["tinyscim"].startup_config.server.cors_origins)
    app.before_request(check_host)
    app.before_request(authenticate_request)
    app.after_request(finish_response)
    app.register_error_handler(ScimError, handle_scim_error)
    # Raised only while the store is opened. Inside a transaction they are ScimErrors, which Bulk reports per operation.
    app.register_error_handler(Unavailable, handle_store_error)
    app.register_error_handler(StoreCorrupted, handle_store_error)
    app.register_error_handler(HTTPException, handle_http_error)
    app.register_error_handler(Exception, handle_unexpected_error)


def report_health() -> Response:
    """Report to load balancers whether the service can answer requests."""
    try:
        service().open()
        with service().store.reading():
            pass
    except (StoreError, OSError):
        log.exception("the store is unavailable")
        return Response("not ok\n", 503, mimetype="text/plain")
    text = "read-only: the store's disk fails or is full, see the log\n" if service().store.read_only else "ok\n"
    return Response(text, mimetype="text/plain")


def json_response(
    body: Mapping[str, Any] | bytes | None, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return a response in SCIM's media type; bytes are JSON already."""
    text = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    response = Response(text, status, list(headers), content_type=MEDIA_TYPE)
    if status in (204, 304):  # without a body there is no type of one (RFC 9110 section 8.3)
        del response.headers["Content-Type"]
    return response


def log_unknown_attributes(names: Iterable[str]) -> None:
    """Log the names of attributes that were dropped because no schema has them."""
    listed = list(names)
    if listed:
        shown = json.dumps([cut(without_values(name), 100) for name in listed[:_MAX_LOGGED_NAMES]])
        log.warning("request=%s left out %d unknown attributes: %s", request.id, len(listed), shown)


def check_host() -> WerkzeugResponse | None:
    """Refuse what is not the name of a host, and hosts that `[server] hosts` does not list."""
    if request.path == HEALTH:  # a load balancer asks each machine by address, and the answer depends on no host
        return None
    if isinstance(request.routing_exception, BadRequest):
        return _refuse_host("The Host header is not the name of a host.")
    if request.service.startup_config.server.answers_for(request.host):
        return None
    return _refuse_host(f'"{request.host[:100]}" is not one of the hosts that [server] hosts lists. Add it there.')


def _refuse_host(detail: str) -> WerkzeugResponse:
    if request.is_scim:
        raise ScimError(detail)
    return BadRequest(detail).get_response()


def authenticate_request() -> Response | None:
    """Authenticate and authorize a SCIM request. Raises Unauthorized, Forbidden."""
    if not request.is_scim:
        return None
    origins = request.service.startup_config.server.cors_origins
    if origins and cors.is_preflight(origins):
        return Response(status=204)
    authorize(request.authorize)
    return None


def authorize(check: Callable[[Config], None]) -> None:
    """Check a request by the configuration. Raises Unauthorized, Forbidden."""
    live_config = request.service.live_config
    try:
        check(live_config.cached)
    except (Unauthorized, Forbidden):
        check(live_config.current)  # the token may just have been created
    if live_config.problem:
        log.error("the changed configuration is not in use: %s", live_config.problem)


def finish_response(response: Response) -> Response:
    """Add the headers of every response, and report the request."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.extend([("X-Content-Type-Options", "nosniff"), ("X-Request-Id", request.id)])
    request.report(response)
    return response


def handle_scim_error(error: ScimError) -> Response:
    """Answer an error of the protocol (RFC 7644 section 3.12)."""
    headers = []
    if isinstance(error, Unauthorized):
        request.rejection = (error.reason, error.token)
        request.asks_for_renewal = isinstance(error, TokenExpired)
        headers.append(("WWW-Authenticate", challenge(error)))
    if isinstance(error, InsufficientScope):
        headers.append(("WWW-Authenticate", 'Bearer realm="SCIM", error="insufficient_scope", scope="scim"'))
    if isinstance(error, ServiceUnavailable | InsufficientStorage):
        log.error("request=%s %s", request.id, error.__cause__)
        headers.append(("Retry-After", "5"))
    return json_response(error.to_body(), error.status, headers)


def challenge(error: Unauthorized) -> str:
    """Return the challenge, with the error if there was a token (RFC 6750 section 3.1)."""
    text, _ = request.service.dialect.bearer_token(request.headers.get("Authorization", ""))
    return 'Bearer realm="SCIM"' + (f', error="invalid_token", error_description="{error.detail}"' if text else "")


def handle_store_error(error: StoreError) -> Response:
    """Answer 503 if the store cannot be opened."""
    log.error("request=%s %s", request.id, error)
    detail = "The store cannot be used at the moment; try again later."
    return json_response(error_body(503, detail), 503, [("Retry-After", "5")])


def handle_http_error(error: HTTPException) -> Response | HTTPException:
    """Answer errors of Flask and Werkzeug under the base path in SCIM's form."""
    if not request.is_scim:
        return error
    if error.code == 413:
        _drain()
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        return json_response(TooLarge(f"The body is larger than maxPayloadSize ({limit} bytes).").to_body(), 413)
    code = error.code or 500
    methods = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    allowed = [("Allow", ", ".join(sorted(methods)))] if methods else []
    return json_response(error_body(code, _DETAILS.get(code, shorten(str(error.description)))), code, allowed)


def handle_unexpected_error(_: Exception) -> Response:
    """Answer 500 without details of the error, which are in the log."""
    log.exception("request=%s failed", request.id)
    detail = f"The service failed to answer. Its log says why, at request {request.id}."
    return json_response(error_body(500, detail), 500)


_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}


def _drain() -> None:
    """Discard the rest of the body, within limits: a client that is still sending would not read the response."""
    length = request.content_length
    left = (
        _MAX_DRAINED_BYTES if length is None else min(length, _MAX_DRAINED_BYTES)
    )  # some servers wait for more at the end
    stream = request.environ["wsgi.input"]
    with suppress(Exception):  # the connection may break, and servers raise exceptions of their own
        while left > 0 and (chunk := stream.read(min(left, 65_536))):
            left -= len(chunk)
