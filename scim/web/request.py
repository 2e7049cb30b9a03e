"""What every endpoint asks of a request: whose it is, where it came, what is in it."""

import random
import re
import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import flask
from flask import current_app
from flask.globals import request_ctx
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.utils import cached_property

from config import Token
from scim.directory.resources import WriteResult
from scim.directory.service import Service
from scim.errors import InvalidSyntax, UnsupportedMediaType, shorten
from scim.protocol.json_body import parse_json

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MEDIA_TYPE = "application/scim+json"
_ACCEPTED = (MEDIA_TYPE, "application/json", "")
_BROKEN_OFF = "The body broke off, or is not as long as was said."
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")  # any other is of what a proxy has quoted already
_OBSERVED_BYTES = 64_000  # events wait in memory: a larger body does not


class Request(flask.Request):
    """A request, and what is noted of it until it is answered.

    `connection_enabled`: the connection was on when it came. `sent` is its body, and `outcome` what it has written.
    """

    def __init__(self, environ: "WSGIEnvironment", populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        self.id = f"{random.getrandbits(128):032x}"  # it is no secret, and this is no system call
        self.started = time.perf_counter()
        self.token: Token | None = None
        self.connection_enabled = False
        self.sent: dict[str, Any] | None = None
        self.outcome: WriteResult | None = None

    @cached_property
    def blueprints(self) -> list[str]:
        """Return the blueprints of the view that was found, for which Flask asks three times."""
        return super().blueprints

    def header(self, name: str) -> str:
        """Return a header by its WSGI name, or "". `headers` would raise and catch an exception where there is none."""
        return cast(str, self.environ.get(name, ""))

    @property
    def milliseconds(self) -> float:
        """How long it has taken up to now."""
        return (time.perf_counter() - self.started) * 1000

    def read_body(self) -> dict[str, Any]:
        """Return the JSON object in the body. Raises UnsupportedMediaType, InvalidSyntax, InvalidValue, TooLarge."""
        media_type = self.header("CONTENT_TYPE").partition(";")[0].strip().lower()
        if media_type not in _ACCEPTED:
            raise UnsupportedMediaType(f"The body must be {MEDIA_TYPE}, not {shorten(media_type)}.")
        raw = self._read()
        body = parse_json(raw)
        self.sent = body if len(raw) <= _OBSERVED_BYTES else None
        return body

    def _read(self) -> bytes:
        length = self.content_length
        try:
            if length is None:
                return self._read_chunks()
            if length > cast(int, self.max_content_length):
                raise RequestEntityTooLarge
            # `stream` would keep count of what is read, in Python, for longer than it takes to parse the JSON.
            raw: bytes = self.environ["wsgi.input"].read(length)
        except RequestEntityTooLarge:
            raise
        except Exception as error:  # a server raises what it likes for chunks that are none
            raise InvalidSyntax(_BROKEN_OFF) from error
        if len(raw) < length:
            raise InvalidSyntax(_BROKEN_OFF)
        return raw

    def _read_chunks(self) -> bytes:
        """Return a body of unknown length. Raises RequestEntityTooLarge."""
        raw = self.stream.read()
        if "wsgi.input_terminated" in self.environ and self.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge  # reading has stopped at the size limit instead of at the end
        return raw


# Both look behind Flask's proxies, since each look through one takes ten times as long.


def current() -> Request:
    """Return the request that is being answered."""
    return cast(Request, request_ctx._get_current_object().request)  # type: ignore[attr-defined]


def service() -> Service:
    """Return what this application serves."""
    found: Service = current_app._get_current_object().extensions["tinyscim"]  # type: ignore[attr-defined]
    return found


def base_url() -> str:
    """Return the address under which clients reach the service, without a slash at its end."""
    server, asked = service().startup_config.server, current()
    if server.public_url:
        return server.url()
    if not asked.host:
        raise InvalidSyntax("The Host header names no host.")
    prefix = quote(_LONE_PERCENT.sub("%25", asked.root_path), "/%") if asked.root_path else ""
    return server.url(f"{asked.scheme}://{asked.host}{prefix}")
