"""What every endpoint does with HTTP: the token, the body, the answer's form, the errors, the line in the log."""

import json
import logging
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from flask import Flask, Response, current_app, g, request
from flask.globals import request_ctx
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from config import Token
from scim import cors, dialect
from scim.auth import authenticate
from scim.body import parse_json
from scim.errors import (
    Forbidden,
    InvalidSyntax,
    ScimError,
    StoreFull,
    StoreUnavailable,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
    error_body,
)
from scim.events import Event, shown_query
from scim.service import Service
from storage.base import Damaged, StoreError, Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MEDIA_TYPE = "application/scim+json"
_ACCEPTED = (MEDIA_TYPE, "application/json", "")
_READING = ("GET", "HEAD", "OPTIONS")
_SHOWN_NAMES = 20
_OBSERVED_BYTES = 64_000  # events wait in memory: a larger body does not

log = logging.getLogger("tinyscim")
request_log = logging.getLogger("tinyscim.request")


def service() -> Service:
    """Return what this application serves."""
    found: Service = current_app.extensions["tinyscim"]
    return found


def base_url() -> str:
    """Return the address under which clients reach the service, without a slash at its end."""
    server = service().settings.server
    if not server.public_url and not request.host:
        raise InvalidSyntax("The Host header names no host.")
    return server.url(f"{request.scheme}://{request.host}{request.root_path}")


def json_response(
    body: Mapping[str, Any] | None, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return an answer in SCIM's media type, errors included."""
    text = b"" if body is None else orjson.dumps(body)
    response = _Response(text, status, mimetype=MEDIA_TYPE)
    response.headers.extend(list(headers))
    response.content_length = len(text)
    return response


class _Response(Response):
    """A response whose headers are complete as they are: its addresses are ASCII, and its length is known."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:
        """Return the headers; those of a body that is not there are left out (RFC 9110 section 8.6)."""
        if self.status_code in (204, 304):
            self.headers.pop("Content-Length", None)
        return self.headers


def read_body() -> dict[str, Any]:
    """Return the JSON object in the body; UnsupportedMediaType, InvalidSyntax, InvalidValue, TooLarge."""
    if request.mimetype not in _ACCEPTED:
        raise UnsupportedMediaType(f"The body must be {MEDIA_TYPE}, not {request.mimetype}.")
    raw = request.stream.read()
    request.stream.read(1)  # raises where the limit, not the end, has stopped a body that does not tell its length
    body = parse_json(raw)
    g.body = body if len(raw) <= _OBSERVED_BYTES else None
    return body


def note_unknown(names: Iterable[str]) -> None:
    """Log the names of attributes that were left out of what is kept, as no schema has them."""
    listed = list(names)
    if listed:
        shown = json.dumps([name[:100] for name in listed[:_SHOWN_NAMES]])
        log.warning("request=%s left out %d unknown attributes: %s", g.request_id, len(listed), shown)


def tell(method: str, path: str, status: int, milliseconds: float, **rest: Any) -> None:
    """Tell the observers of this request, or of an operation in it; the rest is as `Event` has it."""
    found = service()
    if found.observers:
        asked, held = request_ctx.request, g._get_current_object()  # each look through a proxy takes a microsecond
        event = Event(
            method,
            path[:500],
            status,
            milliseconds=milliseconds,
            request_id=held.request_id,
            client_request_id=asked.headers.get("client-request-id", "")[:100],
            token=held.token.name if held.token else "",
            query=shown_query(asked.args),
            **rest,
        )
        found.tell(event)


def _tell_whole(response: Response) -> None:
    body = response.get_json(silent=True) if response.status_code >= 400 else None
    took = _milliseconds()
    tell(request.method, request.path, response.status_code, took, outcome=g.outcome, request=g.body, response=body)


def install(app: Flask, base_path: str) -> None:
    """Give an application the checks, the errors and the log of requests under the base path."""

    def is_ours() -> bool:
        return request.path == base_path or request.path.startswith(base_path + "/")

    origins = app.extensions["tinyscim"].settings.server.cors_origins
    cors.install(app, origins)

    @app.before_request
    def admit() -> Response | None:
        g.request_id = uuid.uuid4().hex
        g.started = time.perf_counter()
        g.token = g.body = g.outcome = None
        g.is_on = False
        if is_ours():
            if cors.is_preflight(origins):
                return Response(status=204)
            g.is_on = service().config.now.connection.enabled
            g.token = _authenticated()
            if not g.is_on:
                raise Forbidden("The connection is turned off here. The administrator can turn it on in the panel.")
            if g.token.read_only and request.method not in _READING and not request.path.endswith("/.search"):
                raise Forbidden(f'The token "{g.token.name}" may only read.')
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        _log_request(response.status_code)
        if is_ours() and g.is_on:
            service().activity.note(g.token, response.status_code)
        if is_ours() and (g.outcome or response.status_code >= 400):
            _tell_whole(response)
        return response

    @app.errorhandler(ScimError)
    def protocol_error(error: ScimError) -> Response:
        headers = []
        if isinstance(error, Unauthorized):
            headers.append(("WWW-Authenticate", 'Bearer realm="SCIM"'))
        if isinstance(error, StoreUnavailable | StoreFull):
            log.error("request=%s %s", g.request_id, error.__cause__)
            headers.append(("Retry-After", "5"))
        return json_response(error.to_body(), error.status, headers)

    @app.errorhandler(Unavailable)
    @app.errorhandler(Damaged)
    def unavailable(error: StoreError) -> Response:
        log.error("request=%s %s", g.request_id, error)
        detail = "The store cannot be used at the moment; try again later."
        return json_response(error_body(503, detail), 503, [("Retry-After", "5")])

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response | HTTPException:
        if not is_ours():
            return error
        if error.code == 413:
            _drain()
            limit = app.config["MAX_CONTENT_LENGTH"]
            size = TooLarge(f"The body is larger than maxPayloadSize ({limit} bytes).")
            return json_response(size.to_body(), 413, [("Connection", "close")])
        code = error.code or 500
        methods = error.valid_methods if isinstance(error, MethodNotAllowed) else None
        allowed = [("Allow", ", ".join(sorted(methods)))] if methods else []
        return json_response(error_body(code, _DETAILS.get(code, str(error.description))), code, allowed)

    @app.errorhandler(Exception)
    def unforeseen(_: Exception) -> Response:
        log.exception("request=%s failed", g.request_id)
        detail = f"The service failed to answer. Its log says why, at request {g.request_id}."
        return json_response(error_body(500, detail), 500)


_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}


def _authenticated() -> Token:
    text, doubled = dialect.bearer_token(request.headers.get("Authorization", ""))
    live = service().config
    token = authenticate(text, live.now.tokens)
    if doubled:
        log.warning('request=%s the word "Bearer" was pasted along with the token', g.request_id)
    if live.problem:
        log.error("the configuration's change is not in force: %s", live.problem)
    return token


def _drain() -> None:
    """Read on for a while: a client that is still sending would not get to see the answer."""
    left = 32 * 1024 * 1024
    stream = request.environ["wsgi.input"]
    while left > 0 and (chunk := stream.read(min(left, 65_536))):
        left -= len(chunk)


def _log_request(status: int) -> None:
    """Log one line, without query, body or token: filters and bodies are about people."""
    request_log.info(
        "request=%s client=%s method=%s path=%s status=%d ms=%.1f token=%s",
        g.request_id,
        json.dumps(request.headers.get("client-request-id", "-")[:100]),
        request.method if request.method.isalpha() else "-",
        json.dumps(request.path[:500]),
        status,
        _milliseconds(),
        json.dumps(g.token.name) if g.token else "-",
    )


def _milliseconds() -> float:
    return float(time.perf_counter() - g.started) * 1000
