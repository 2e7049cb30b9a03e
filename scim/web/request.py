"""The request that is being answered: its identity, its JSON body, and the base URL of what it gets."""

import random
import re
import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import flask
from flask import current_app
from werkzeug.exceptions import RequestEntityTooLarge

from config import Token
from scim.directory.resources import WriteResult
from scim.directory.service import Service
from scim.errors import InvalidSyntax, UnsupportedMediaType, shorten
from scim.protocol.json_body import parse_json

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MEDIA_TYPE = "application/scim+json"
_ACCEPTED = (MEDIA_TYPE, "application/json", "text/json", "")
_ENDED_EARLY = "The body ended early, or its length is not the one that was announced."
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")  # any other belongs to what a proxy has quoted already
_MAX_OBSERVED = 64_000  # bytes: events wait in memory, so they do not hold a larger body


class Request(flask.Request):
    """A request, with what is noted of it until it is answered.

    `connection_enabled`: the connection was on when the request came. `asks_for_renewal`: its access token has expired,
    so the client gets another. `json_body` is kept for the provisioning log, `write_result` is what the request has
    changed, and `rejection` why its token was rejected.
    """

    def __init__(self, environ: "WSGIEnvironment", populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        self.id = f"{random.getrandbits(128):032x}"  # not a secret
        self.started = time.perf_counter()
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

    def get_scim_json(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raises UnsupportedMediaType, InvalidSyntax, InvalidValue, TooLarge."""
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type not in _ACCEPTED:
            raise UnsupportedMediaType(f"The body must be {MEDIA_TYPE}, not {shorten(media_type)}.")
        raw = self._read()
        body = parse_json(raw)
        self.json_body = body if len(raw) <= _MAX_OBSERVED else None
        return body

    def _read(self) -> bytes:
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


request = cast(Request, flask.request)


def service() -> Service:
    """Return what this application serves."""
    found: Service = current_app.extensions["tinyscim"]
    return found


def base_url() -> str:
    """Return the address under which clients reach the service, without a slash at its end. Raises InvalidSyntax."""
    return service().startup_config.server.url(origin())


def token_url() -> str:
    """Return the address of the token endpoint. Raises InvalidSyntax."""
    return service().startup_config.token_url(origin())


def origin() -> str:
    """Return the address below which everything is served. Raises InvalidSyntax."""
    server = service().startup_config.server
    if server.public_url:
        return server.origin()
    if not request.host:
        raise InvalidSyntax("The Host header names no host.")
    prefix = quote(_LONE_PERCENT.sub("%25", request.root_path), "/%") if request.root_path else ""
    return f"{request.scheme}://{request.host}{prefix}"
