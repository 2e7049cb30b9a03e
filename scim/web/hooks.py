"""What every endpoint does with HTTP: the token, the answer's form, the errors, the line in the log."""

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
from flask import Flask, Response
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from config import Config, Token
from runtime.buffered_logging import record
from runtime.redact import cut
from scim.directory.events import Event, shown_query, without_values
from scim.directory.service import Service
from scim.errors import (
    Forbidden,
    InsufficientStorage,
    ScimError,
    ServiceUnavailable,
    TooLarge,
    Unauthorized,
    error_body,
    shorten,
)
from scim.web import cors
from scim.web.auth import authenticate
from scim.web.request import MEDIA_TYPE, Request, current, service
from storage.base import StoreCorrupted, StoreError, Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HEALTH = "/healthz"
_DRAINED = 32 * 1024 * 1024  # bytes
_READING = ("GET", "HEAD", "OPTIONS")
_SHOWN_NAMES = 20
_CLIENT_REQUEST_ID = "HTTP_CLIENT_REQUEST_ID"

log = logging.getLogger("tinyscim")
request_log = logging.getLogger("tinyscim.request")


def json_response(
    body: Mapping[str, Any] | bytes | None, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return an answer in SCIM's media type, errors included; bytes are JSON already."""
    text = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    about_text = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(text)))]
    fields = _Fields([*about_text, *headers, *_every_answers_headers(current())])
    return _Response([text] if text else [], status, fields)


def _every_answers_headers(asked: Request) -> list[tuple[str, str]]:
    return [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("X-Request-Id", asked.id)]


class _Fields(Headers):
    """Header fields that are checked for line breaks together: Werkzeug's check of each takes as long as the store."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        values = "".join([value for _, value in fields])
        if "\r" in values or "\n" in values:
            raise ValueError("a header's value has a line break")
        self._list = fields


class _Response(Response):
    """A response that is complete as it is: one text, whose length is known, and addresses in ASCII."""

    response: list[bytes]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        """Answer; where there is no body, nothing is said of one either (RFC 9110 sections 8.6 and 15.4.5)."""
        if self.status_code in (204, 304):
            self.headers.pop("Content-Length", None)
            self.headers.pop("Content-Type", None)
        start_response(self.status, self.headers.to_wsgi_list())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else self.response


def log_unknown_attributes(names: Iterable[str]) -> None:
    """Log the names of attributes that were left out of what is kept, as no schema has them."""
    listed = list(names)
    if listed:
        shown = json.dumps([cut(without_values(name), 100) for name in listed[:_SHOWN_NAMES]])
        log.warning("request=%s left out %d unknown attributes: %s", current().id, len(listed), shown)


def emit_event(method: str, path: str, status: int, milliseconds: float, **rest: Any) -> None:
    """Tell the observers of this request, or of an operation in it; the rest is as `Event` has it."""
    found, asked = service(), current()
    if found.observers:
        event = Event(
            method,
            cut(path, 500),
            status,
            milliseconds=milliseconds,
            request_id=asked.id,
            client_request_id=cut(asked.header(_CLIENT_REQUEST_ID), 100),
            token=asked.token.name if asked.token else "",
            query=shown_query(asked.args) if asked.query_string else {},
            **rest,
        )
        found.emit_event(event)


def _tell_whole(asked: Request, response: Response) -> None:
    body = response.get_json(silent=True) if response.status_code >= 400 else None
    rest = {"outcome": asked.outcome, "request": asked.sent, "response": body}
    emit_event(asked.method, asked.path, response.status_code, asked.milliseconds, **rest)


def install(app: Flask, base_path: str) -> None:
    """Give an application the checks, the errors and the log of requests under the base path."""
    served: Service = app.extensions["tinyscim"]
    server = served.startup_config.server
    origins = server.cors_origins
    within = base_path + "/"
    cors.install(app, origins)

    def is_ours(asked: Request) -> bool:
        return asked.path == base_path or asked.path.startswith(within)

    @app.before_request
    def check_host() -> WerkzeugResponse | None:
        asked = current()
        # A load balancer asks each machine for its health by address, and the answer depends on no host.
        if asked.path == HEALTH or server.answers_for(asked.host):
            return None
        detail = f'"{asked.host[:100]}" is not one of the hosts that [server] hosts lists. Add it there.'
        if is_ours(asked):
            raise ScimError(detail)
        return BadRequest(detail).get_response()

    @app.before_request
    def admit() -> Response | None:
        asked = current()
        if not is_ours(asked):
            return None
        if origins and cors.is_preflight(origins):
            return Response(status=204)
        try:
            _let_in(asked, served.live_config.cached)
        except (Unauthorized, Forbidden):
            _let_in(asked, served.live_config.current)  # a token that has just been made is known by now
        if served.live_config.problem:
            log.error("the configuration's change is not in force: %s", served.live_config.problem)
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        asked, status = current(), response.status_code
        if not isinstance(response, _Response):
            for name, value in _every_answers_headers(asked):
                response.headers.setdefault(name, value)
        _log_request(asked, status)
        if is_ours(asked):
            if asked.connection_enabled:
                served.activity.note(asked.token, status)
            if asked.outcome or status >= 400:
                _tell_whole(asked, response)
        return response

    @app.errorhandler(ScimError)
    def protocol_error(error: ScimError) -> Response:
        headers = []
        if isinstance(error, Unauthorized):
            headers.append(("WWW-Authenticate", 'Bearer realm="SCIM"'))
        if isinstance(error, ServiceUnavailable | InsufficientStorage):
            log.error("request=%s %s", current().id, error.__cause__)
            headers.append(("Retry-After", "5"))
        return json_response(error.to_body(), error.status, headers)

    # Only where the store cannot be opened: what fails later is a ScimError already, which Bulk needs.
    @app.errorhandler(Unavailable)
    @app.errorhandler(StoreCorrupted)
    def unavailable(error: StoreError) -> Response:
        log.error("request=%s %s", current().id, error)
        detail = "The store cannot be used at the moment; try again later."
        return json_response(error_body(503, detail), 503, [("Retry-After", "5")])

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response | HTTPException:
        asked = current()
        if not is_ours(asked):
            return error
        if error.code == 413:
            _drain(asked)
            limit = app.config["MAX_CONTENT_LENGTH"]
            size = TooLarge(f"The body is larger than maxPayloadSize ({limit} bytes).")
            return json_response(size.to_body(), 413)
        code = error.code or 500
        methods = error.valid_methods if isinstance(error, MethodNotAllowed) else None
        allowed = [("Allow", ", ".join(sorted(methods)))] if methods else []
        return json_response(error_body(code, _DETAILS.get(code, shorten(str(error.description)))), code, allowed)

    @app.errorhandler(Exception)
    def unforeseen(_: Exception) -> Response:
        log.exception("request=%s failed", current().id)
        detail = f"The service failed to answer. Its log says why, at request {current().id}."
        return json_response(error_body(500, detail), 500)


_DETAILS = {
    400: "The request is malformed: perhaps its Host header is not the name of a host.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}


def _let_in(asked: Request, config: Config) -> None:
    """Authenticate and authorize the request, and note its token on it. Raises Unauthorized, Forbidden."""
    asked.connection_enabled = config.connection.enabled
    asked.token = _authenticated(asked, config)
    if not asked.connection_enabled:
        raise Forbidden("The connection is turned off here. The administrator can turn it on in the panel.")
    if asked.token.read_only and asked.method not in _READING and not asked.path.endswith("/.search"):
        raise Forbidden(f'The token "{asked.token.name}" may only read.')


def _authenticated(asked: Request, config: Config) -> Token:
    text, doubled = service().dialect.bearer_token(asked.header("HTTP_AUTHORIZATION"))
    token = authenticate(text, config.tokens)
    if doubled:
        log.warning('request=%s the word "Bearer" was pasted along with the token', asked.id)
    return token


def _drain(asked: Request) -> None:
    """Read on for a while: a client that is still sending would not get to see the answer."""
    length = asked.content_length
    left = _DRAINED if length is None else min(length, _DRAINED)  # behind the end some servers wait for more
    stream = asked.environ["wsgi.input"]
    with suppress(Exception):  # it breaks off, or a server raises what it likes for chunks that are none
        while left > 0 and (chunk := stream.read(min(left, 65_536))):
            left -= len(chunk)


def _log_request(asked: Request, status: int) -> None:
    """Log one line, without query, body or token: filters and bodies are about people."""
    if not request_log.isEnabledFor(logging.INFO):
        return
    line = record(
        request_log.name,
        "request=%s client=%s method=%s path=%s status=%d ms=%.1f by=%s",
        asked.id,
        json.dumps(cut(asked.header(_CLIENT_REQUEST_ID), 100) or "-"),
        asked.method if asked.method.isalpha() else "-",
        json.dumps(cut(asked.path, 500)),
        status,
        asked.milliseconds,
        json.dumps(asked.token.name) if asked.token else "-",
    )
    request_log.handle(line)
