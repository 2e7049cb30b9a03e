"""Requests as Entra sends them: headers, encoding, rate ceiling, injected faults; and a record of each."""

from __future__ import annotations

import copy
import json
import random
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, quote_plus, urlsplit

import httpx

from entra import texts
from entra.dialect import FLAG
from entra.oauth import ClientCredentials

FAULTS = ("429", "500", "503", "timeout")
USER_AGENT = "Tinyscim-Entra-emulator/1.0"
Query = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Wire:
    """The switches of how requests travel."""

    spaces: Literal["+", "%20"] = "+"
    trailing_slash: bool = False
    charset: bool = True
    user_agent: bool = True
    flag_on_wire: bool = False
    rate: float = 25
    timeout: float = 30
    faults: Mapping[str, float] = field(default_factory=dict)
    honour_retry_after: bool = False
    seed: int | None = None


@dataclass(slots=True)
class Exchange:
    """One request and its answer, without any header that carries a secret."""

    method: str
    url: str
    request: Any = None
    status: int | None = None
    response: Any = None
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    milliseconds: int = 0
    fault: str | None = None
    unreachable: bool = False

    def to_json(self) -> dict[str, Any]:
        """Give the exchange as a line of a log that `replay` takes."""
        path, _, query = self.url.partition("?")
        record = {"method": self.method, "path": path, "query": query, "request": masked(self.request)}
        record |= {"status": self.status, "response": masked(self.response)}
        record |= {"milliseconds": self.milliseconds, "fault": self.fault}
        return {key: value for key, value in record.items() if value not in (None, "")}


class Pace:
    """A ceiling of requests a second, shared by every worker."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Sleep until the next request may go."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            time.sleep(turn - now)


class Endpoint:
    """A SCIM endpoint at its tenant URL; safe to use from several threads."""

    def __init__(
        self,
        url: str,
        token: str,
        wire: Wire | None = None,
        transport: httpx.BaseTransport | None = None,
        credentials: ClientCredentials | None = None,
    ) -> None:
        self.wire = wire or Wire()
        self.base, self.flagged = split_url(url)
        self.credentials = credentials
        self._token = token
        self._transport = transport
        self._pace = Pace(self.wire.rate)
        self._faults = random.Random(self.wire.seed)  # noqa: S311 (not a secret)
        self._http = httpx.Client(transport=transport, timeout=self.wire.timeout, headers={"User-Agent": USER_AGENT})
        for name in ("Accept", "Accept-Encoding") + (() if self.wire.user_agent else ("User-Agent",)):
            del self._http.headers[name]

    def sign_in(self) -> None:
        """Get a new token where client credentials are given. Raises SignInError when there is none to be had."""
        if self.credentials is not None:
            self._token = self.credentials.token(self._transport)

    def with_prefix(self, prefix: str) -> Endpoint:
        """Give the same endpoint with something before the token, as a careless paste puts it."""
        other = copy.copy(self)
        other._token = prefix + self._token
        return other

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: Any = None,
        *,
        headers: Mapping[str, str | None] | None = None,
        raw: bytes | None = None,
    ) -> Exchange:
        """Send one request; what goes wrong on the way is the exchange's fault, not an exception."""
        exchange = Exchange(method, self._url(path, query), body)
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        self._pace.wait()
        self._attempt(exchange, content, headers or {})
        if exchange.status in (429, 503) and self.wire.honour_retry_after:
            time.sleep(_seconds(exchange.headers.get("retry-after", "")))
            self._attempt(exchange, content, headers or {})
        return exchange

    def _attempt(self, exchange: Exchange, content: bytes | None, headers: Mapping[str, str | None]) -> None:
        fault = next((name for name, share in self.wire.faults.items() if self._faults.random() < share), None)
        started = time.monotonic()
        if fault is None or fault == "timeout":
            self._exchange(exchange, content, headers)
        exchange.milliseconds = round((time.monotonic() - started) * 1000)
        if fault == "timeout":  # the worst kind: the request was carried out and nobody heard of it
            exchange.status, exchange.response = None, None
        if fault is not None:
            exchange.fault = f"injected {fault}"
            exchange.status = int(fault) if fault.isdigit() else None

    def _exchange(self, exchange: Exchange, content: bytes | None, headers: Mapping[str, str | None]) -> None:
        exchange.fault, exchange.unreachable = None, False
        try:
            answer = self._http.send(self._request(exchange, content, headers))
        except httpx.TimeoutException:
            exchange.fault = f"no answer within {self.wire.timeout:g} seconds"
        except httpx.ConnectError as error:
            exchange.fault, exchange.unreachable = self._hide(f"nothing answers there: {error}"), True
        except httpx.LocalProtocolError:  # its text quotes the header, and so the token, with escapes that hide it
            exchange.fault, exchange.unreachable = "the request was not sent: HTTP does not allow it", True
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            exchange.fault = self._hide(str(error) or type(error).__name__)
        else:
            exchange.status = answer.status_code
            exchange.headers = {k: self._hide(v) for k, v in answer.headers.items()}
            exchange.content_type = answer.headers.get("content-type", "")
            exchange.response = self._parsed(answer)

    def _request(self, exchange: Exchange, content: bytes | None, headers: Mapping[str, str | None]) -> httpx.Request:
        request = self._http.build_request(exchange.method, self.base + exchange.url, content=content)
        request.headers["Authorization"] = f"Bearer {self._token}"
        if content is not None:
            suffix = "; charset=utf-8" if self.wire.charset else ""
            request.headers["Content-Type"] = f"application/scim+json{suffix}"
        for name, value in headers.items():
            request.headers.pop(name, None)
            if value is not None:
                request.headers[name] = value
        return request

    def _parsed(self, answer: httpx.Response) -> Any:
        text = self._hide(answer.text)
        try:
            return texts.parse(text) if text.strip() else None
        except ValueError:
            return text

    def _url(self, path: str, query: Query) -> str:
        encode = quote_plus if self.wire.spaces == "+" else quote
        parts = [f"{name}={encode(value, safe='')}" for name, value in query]
        if self.wire.flag_on_wire and self.flagged:
            parts.insert(0, FLAG)
        slash = "/" if self.wire.trailing_slash and parts and "?" not in path else ""
        return path + slash + ("?" + "&".join(parts) if parts else "")

    def _hide(self, text: str) -> str:
        # An endpoint that echoes the token must not get it into a log or a report.
        return text.replace(self._token, "(token)") if self._token else text


def _seconds(retry_after: str) -> int:
    # The other form, a date, is rare; a minute is the longest that a test should wait.
    return min(int(retry_after), 60) if retry_after.isdecimal() else 1


def masked(value: Any) -> Any:
    """Copy a body with every password hidden; no log or report may hold one."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = {key for key in value if key.casefold() == "password"}
    if str(value.get("path", "")).rpartition(":")[2].casefold() == "password":
        hidden.add("value")
    return {key: "(hidden)" if key in hidden else masked(inner) for key, inner in value.items()}


def split_url(url: str) -> tuple[str, bool]:
    """Part a tenant URL from the flag that may be appended to it. Raises ValueError when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no tenant URL: http(s)://host/path is")
    if parts.username or parts.password:
        raise ValueError("a tenant URL carries no user name and password; the token has an option of its own")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return base, FLAG.casefold() in parts.query.casefold()
