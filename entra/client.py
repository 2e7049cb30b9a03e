"""The HTTP client: requests as Entra sends them, a rate limit, injected faults, and a record of each exchange."""

import copy
import json
import random
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import quote, quote_plus, urlsplit

import httpx

from entra import strict_json
from entra.dialect import FLAG
from entra.oauth import ClientCredentials

FAULTS = ("429", "500", "503", "timeout")
EXAMPLE_URL = "http://127.0.0.1:8000/api/scim/v2"
USER_AGENT = "Tinyscim-Entra-emulator/1.0"
MAX_RETRY_AFTER = 60  # seconds
HIDDEN_TOKEN = "(token)"  # noqa: S105  # stands for the token wherever an exchange is shown
NOT_SHOWN = ("host", "connection", "content-length")
Query = Iterable[tuple[str, str]]
Headers = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How requests are sent."""

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
    """One request and its response, without the token."""

    method: str
    url: str
    request: Any = None
    base: str = ""
    sent: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    response: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    milliseconds: int = 0
    fault: str | None = None
    unreachable: bool = False

    @property
    def content_type(self) -> str:
        """The response's Content-Type."""
        return self.headers.get("content-type", "")

    @property
    def outcome(self) -> int | str | None:
        """The status, or the fault that left the request without a response."""
        return self.fault if self.status is None else self.status

    def to_json(self) -> dict[str, Any]:
        """Return the exchange in a form that `replay` reads."""
        path, _, query = self.url.partition("?")
        record = {"method": self.method, "path": path, "query": query, "request": masked(self.request)}
        record |= {"status": self.status, "response": masked(self.response)}
        record |= {"milliseconds": self.milliseconds, "fault": self.fault}
        return {key: value for key, value in record.items() if value not in (None, "")}


class RateLimiter:
    """A limit of requests per second that all workers share."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Sleep until the next request is allowed."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._interval
        if start > now:
            time.sleep(start - now)


class Endpoint:
    """A SCIM endpoint at its tenant URL; safe to use from several threads."""

    def __init__(
        self,
        url: str,
        token: str,
        options: HttpOptions | None = None,
        transport: httpx.BaseTransport | None = None,
        credentials: ClientCredentials | None = None,
    ) -> None:
        self.options = options or HttpOptions()
        self.base, self.flagged = split_url(url)
        self.credentials = credentials
        self._token = token
        self._transport = transport
        self._limiter = RateLimiter(self.options.rate)
        self._random = random.Random(self.options.seed)  # noqa: S311 (not a secret)
        self._http = httpx.Client(transport=transport, timeout=self.options.timeout, headers={"User-Agent": USER_AGENT})
        for name in ("Accept", "Accept-Encoding") + (() if self.options.user_agent else ("User-Agent",)):
            del self._http.headers[name]

    def refresh_token(self) -> None:
        """Request a new token if there are client credentials. Raises TokenRequestError if that fails."""
        if self.credentials is not None:
            self._token = self.credentials.request_token(self._transport)

    def with_prefix(self, prefix: str) -> Self:
        """Return a copy that sends a prefix before the token."""
        other = copy.copy(self)
        other._token = prefix + self._token
        return other

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self, method: str, path: str, query: Query = (), body: Any = None, *, headers: Headers | None = None
    ) -> Exchange:
        """Send a request. A failure does not raise: the exchange records it as its `fault`."""
        exchange = Exchange(method, self._url(path, query), body, self.base)
        self._limiter.wait()
        self._attempt(exchange, headers or {})
        if exchange.status in (429, 503) and self.options.honour_retry_after:
            seconds = exchange.headers.get("retry-after", "")
            time.sleep(min(int(seconds), MAX_RETRY_AFTER) if seconds.isdecimal() else 1)
            self._attempt(exchange, headers or {})
        return exchange

    def _attempt(self, exchange: Exchange, headers: Headers) -> None:
        fault = next((name for name, share in self.options.faults.items() if self._random.random() < share), None)
        started = time.monotonic()
        if fault is None or fault == "timeout":
            self._exchange(exchange, headers)
        exchange.milliseconds = round((time.monotonic() - started) * 1000)
        if fault is not None:
            exchange.fault = f"injected {fault}"
            exchange.status = int(fault) if fault.isdigit() else None
        if fault == "timeout":  # the endpoint processed the request, but the client got no response
            exchange.response = None

    def _exchange(self, exchange: Exchange, headers: Headers) -> None:
        exchange.fault, exchange.unreachable = None, False
        try:
            response = self._http.send(self._request(exchange, headers))
        except httpx.TimeoutException:
            exchange.fault = f"no response within {self.options.timeout:g} seconds"
        except httpx.ConnectError as error:
            exchange.fault, exchange.unreachable = self._hide(f"could not connect: {_reason(error)}"), True
        except httpx.LocalProtocolError:  # its message quotes the header and therefore the token, escaped
            exchange.fault, exchange.unreachable = "the request was not sent: it is not valid HTTP", True
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            exchange.fault = self._hide(str(error) or type(error).__name__)
        else:
            exchange.status = response.status_code
            exchange.headers = {k: self._hide(v) for k, v in response.headers.items()}
            exchange.response = parse_body(self._hide(response.text))

    def _request(self, exchange: Exchange, headers: Headers) -> httpx.Request:
        content = None if exchange.request is None else json.dumps(exchange.request).encode()
        request = self._http.build_request(exchange.method, self.base + exchange.url, content=content)
        request.headers["Authorization"] = f"Bearer {self._token}"
        if content is not None:
            suffix = "; charset=utf-8" if self.options.charset else ""
            request.headers["Content-Type"] = f"application/scim+json{suffix}"
        for name, value in headers.items():
            request.headers.pop(name, None)
            if value is not None:
                request.headers[name] = value
        exchange.sent = {k: self._hide(v) for k, v in request.headers.items() if k not in NOT_SHOWN}
        return request

    def _url(self, path: str, query: Query) -> str:
        encode = quote_plus if self.options.spaces == "+" else quote
        parts = [f"{name}={encode(value, safe='')}" for name, value in query]
        if self.options.flag_on_wire and self.flagged:
            parts.insert(0, FLAG)
        slash = "/" if self.options.trailing_slash and parts and "?" not in path else ""
        return path + slash + ("?" + "&".join(parts) if parts else "")

    def _hide(self, text: str) -> str:
        # An endpoint may echo the token, which must not reach a log or a report.
        return text.replace(self._token, HIDDEN_TOKEN) if self._token else text


def parse_body(text: str) -> Any:
    """Parse a JSON body; None if it is empty, the text itself if it is not JSON."""
    try:
        return strict_json.loads(text) if text.strip() else None
    except ValueError:
        return text


def _reason(error: Exception) -> str:
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
    return reason[:1].lower() + reason[1:]


def masked(value: Any) -> Any:
    """Copy a body without its passwords; no log or report may contain one."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = {key for key in value if key.casefold() == "password"}
    if str(value.get("path", "")).rpartition(":")[2].casefold() == "password":
        hidden.add("value")
    return {key: "(hidden)" if key in hidden else masked(inner) for key, inner in value.items()}


def split_url(url: str) -> tuple[str, bool]:
    """Split a tenant URL into its base and whether the flag is appended. Raises ValueError if it is invalid."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} has no scheme or host. Give a full URL, for example {EXAMPLE_URL}")
    if parts.username or parts.password:
        raise ValueError("the URL contains a user name or password. Remove it and pass the token with --token")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return base, FLAG.casefold() in parts.query.casefold()
