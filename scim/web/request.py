"""The request that is being answered: its identity, headers, JSON body and line in the log, and URLs for its client."""

import json
import logging
import random
import re
import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import flask
from flask import Response
from werkzeug.exceptions import RequestEntityTooLarge

from config import Config, Token
from runtime.redact import cut
from scim.directory.events import Event
from scim.directory.resources import Resources, WriteResult
from scim.directory.service import Service
from scim.errors import Forbidden, InsufficientScope, InvalidSyntax, InvalidValue, UnsupportedMediaType, shorten
from scim.protocol.json_body import parse_json
from scim.protocol.messages import load_projection, parameter_name
from scim.protocol.preconditions import Preconditions
from scim.protocol.projection import DEFAULT_PROJECTION, Projection
from scim.web.auth import authenticate

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MEDIA_TYPE = "application/scim+json"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ACCEPTED = (MEDIA_TYPE, "application/json", "text/json", "")
_ENDED_EARLY = "The body ended early, or its length is not the one that was announced."
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")  # any other belongs to what a proxy has quoted already
_MAX_OBSERVED = 64_000  # bytes: events wait in memory, so they do not hold a larger body

log = logging.getLogger("tinyscim")
request_log = logging.getLogger("tinyscim.request")

_LINE = "request=%(request)s client=%(client)s method=%(method)s path=%(path)s status=%(status)d ms=%(ms).1f by=%(by)s"


class _Quoted(str):
    """A text that a line of the log has in quotes, so that it cannot be taken for other members of the line."""

    def __str__(self) -> str:
        return json.dumps(self)


class Request(flask.Request):
    """A request, and what the hooks and views note about it.

    `is_scim`: the path is the base path of the endpoints, or below it. `connection_enabled`: the connection was on when
    the request came. `asks_for_renewal`: its access token has expired, so the client gets another. `json_body` is kept
    for the provisioning log, `write_result` is what the request has changed, and `rejection` why its token was
    rejected. `request_class` sets the service.
    """

    service: Service

    def __init__(self, environ: "WSGIEnvironment", populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        self.id = f"{random.getrandbits(128):032x}"  # not a secret
        self.started = time.perf_counter()
        base_path = self.service.startup_config.server.base_path
        self.is_scim = self.path == base_path or self.path.startswith(f"{base_path}/")
        self.token: Token | None = None
        self.connection_enabled = False
        self.asks_for_renewal = False
        self.json_body: dict[str, Any] | None = None
        self.write_result: WriteResult | None = None
        self.rejection: tuple[str, str] | None = None

    @property
    def milliseconds(self) -> float:
        """The time since the request began."""
        return (time.perf_counter() - self.started) * 1000

    @property
    def token_name(self) -> str:
        """The name of the request's token, or ""."""
        return self.token.name if self.token else ""

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the URL. Raises InvalidValue if one is given twice."""
        for name, values in self.args.lists():
            if len(values) > 1 and parameter_name(name):
                raise InvalidValue(f"{name} appears twice in the URL.")
        return self.args.to_dict()

    @property
    def projection(self) -> Projection:
        """The attributes that the URL selects. Raises InvalidValue."""
        return load_projection(self.parameters) if self.query_string else DEFAULT_PROJECTION

    @property
    def preconditions(self) -> Preconditions:
        """The request's `If-Match` and `If-None-Match`."""
        return Preconditions(self.headers.get("If-Match", ""), self.headers.get("If-None-Match", ""))

    @property
    def preference(self) -> str:
        """What `Prefer: return=` asks for: minimal, representation or ""."""
        wanted = self.headers.get("Prefer", "").replace(" ", "").lower().split(",")
        return next((word for word in ("minimal", "representation") if f"return={word}" in wanted), "")

    @property
    def service_origin(self) -> str:
        """The address below which everything is served. Raises InvalidSyntax."""
        server = self.service.startup_config.server
        if server.public_url:
            return server.origin()
        if not self.host:
            raise InvalidSyntax("The Host header names no host.")
        prefix = quote(_LONE_PERCENT.sub("%25", self.root_path), "/%") if self.root_path else ""
        return f"{self.scheme}://{self.host}{prefix}"

    @cached_property
    def resources(self) -> Resources:
        """The resources, with URLs for this client. Raises InvalidSyntax, StoreCorrupted, Unavailable."""
        return self.service.resources(self.service.startup_config.server.url(self.service_origin))

    def authorize(self, config: Config) -> None:
        """Check the token and what it may do. Raises Unauthorized, Forbidden."""
        self.connection_enabled = config.connection.enabled
        token = self._authenticate(config)
        self.rejection = None if self.connection_enabled else ("off", token.name)
        if not self.connection_enabled:
            raise Forbidden("The connection is turned off here. The administrator can turn it on in the panel.")
        if token.only_events:
            raise Forbidden(f'The token "{token.name}" is for the event feed only.')
        if token.read_only and self.method not in _SAFE_METHODS and not self.path.endswith("/.search"):
            raise InsufficientScope(f'The token "{token.name}" may only read.')

    def authorize_feed(self, config: Config) -> None:
        """Check the token of a request to the event feed. Raises Unauthorized, Forbidden."""
        token = self._authenticate(config)
        if not token.read_only:
            advice = "Create one for this application with: flask token new --scope events"
            raise Forbidden(f'The token "{token.name}" may write, so the event feed does not accept it. {advice}')

    def _authenticate(self, config: Config) -> Token:
        text, doubled = self.service.dialect.bearer_token(self.headers.get("Authorization", ""))
        token = self.token = authenticate(text, config, self.service.access_token_key)
        if doubled:
            log.warning('request=%s the word "Bearer" was pasted along with the token', self.id)
        return token

    def report(self, response: Response) -> None:
        """Log the request and, if it is one of SCIM, emit its event."""
        status = response.status_code
        event = self.event(status, response.get_json(silent=True) if status >= 400 else None)
        _log(event)
        if self.is_scim and not self.asks_for_renewal:
            self.service.emit_event(event)

    def event(self, status: int, response: Any, **operation: Any) -> Event:
        """Return an event about this request, or about an operation in it, whose own fields are given."""
        parameters, sent_id = self.args if self.query_string else {}, self.headers.get("client-request-id")
        event = Event(
            self.method,
            cut(self.path, 500),
            status,
            milliseconds=self.milliseconds,
            request_id=self.id,
            client_request_id=cut(sent_id, 100) if sent_id else "",
            token=self.token_name,
            query=parameters,
            outcome=self.write_result,
            request=self.json_body,
            response=response,
            rejection=self.rejection,
            user_agent=self.headers.get("User-Agent", "")[:100],
            is_probe="filter" in parameters and self.service.dialect.is_probe(parameters["filter"]),
        )
        return replace(event, **operation) if operation else event

    def get_scim_json(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raises UnsupportedMediaType, InvalidSyntax, InvalidValue, TooLarge."""
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type not in _ACCEPTED:
            raise UnsupportedMediaType(f"The body must be {MEDIA_TYPE}, not {shorten(media_type)}.")
        raw = self.read_body()
        body = parse_json(raw)
        self.json_body = body if len(raw) <= _MAX_OBSERVED else None
        return body

    def read_body(self) -> bytes:
        """Return the whole body. Raises InvalidSyntax, and RequestEntityTooLarge beyond `max_content_length`."""
        try:
            raw = self.get_data(cache=False)
            # Werkzeug stops reading a chunked body at the limit, and does not say whether there is more.
            if self.content_length is None and "wsgi.input_terminated" in self.environ and self._has_more():
                raise RequestEntityTooLarge
        except RequestEntityTooLarge:
            raise
        except Exception as error:  # servers raise exceptions of their own for malformed chunks
            raise InvalidSyntax(_ENDED_EARLY) from error
        # Werkzeug leaves this to the server, and gunicorn to the application.
        if len(raw) < (self.content_length or 0):
            raise InvalidSyntax(_ENDED_EARLY)
        return raw

    def _has_more(self) -> bool:
        return bool(self.environ["wsgi.input"].read(1))


def _log(event: Event) -> None:
    """Log one line, without query, body or token: filters and bodies are about people."""
    request_log.info(
        _LINE,
        {
            "request": event.request_id,
            "client": _Quoted(event.client_request_id or "-"),
            "method": event.method if event.method.isalpha() else "-",
            "path": _Quoted(event.path),
            "status": event.status,
            "ms": round(event.milliseconds, 1),
            "by": _Quoted(event.token) if event.token else "-",
        },
    )


request = cast(Request, flask.request)


def request_class(served: Service) -> type[Request]:
    """Return the class of the requests to a service."""
    return type("Request", (Request,), {"service": served})


def service() -> Service:
    """Return what this application serves."""
    return request.service


def base_url() -> str:
    """Return the address under which clients reach the service, without a slash at its end. Raises InvalidSyntax."""
    return service().startup_config.server.url(request.service_origin)


def token_url() -> str:
    """Return the address of the token endpoint. Raises InvalidSyntax."""
    return service().startup_config.token_url(request.service_origin)
