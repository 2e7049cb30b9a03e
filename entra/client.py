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

from entra.dialect import FLAG
from entra.exchange import HIDDEN_TOKEN, Exchange, parse_body, shown_headers
from entra.oauth import AccessToken, Credentials, TokenRequestError

FAULTS = ("429", "500", "503", "timeout")
EXAMPLE_URL = "http://127.0.0.1:8000/api/scim/v2"
USER_AGENT = "Tinyscim-Entra-emulator/1.0"
MAX_RETRY_AFTER = 60  # seconds
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
        credentials: Credentials | None = None,
    ) -> None:
        self.options = options or HttpOptions()
        self.base, self.flagged = split_url(url)
        self.credentials = credentials
        self._token = AccessToken(token)
        self._hidden = {token}
        self._lock = threading.Lock()
        self._limiter = RateLimiter(self.options.rate)
        self._random = random.Random(self.options.seed)  # noqa: S311 (not a secret)
        self._http = httpx.Client(transport=transport, timeout=self.options.timeout, headers={"User-Agent": USER_AGENT})
        for name in ("Accept", "Accept-Encoding") + (() if self.options.user_agent else ("User-Agent",)):
            del self._http.headers[name]

    @property
    def token(self) -> str:
        """The token of the next request."""
        return self._token.text

    def refresh_token(self, old: AccessToken | None = None) -> None:
        """Request a new token if there are client credentials, unless another thread has replaced the old one.

        Raises TokenRequestError if that fails.
        """
        if self.credentials is None:
            return
        with self._lock:
            if old is None or self._token is old:
                self._token = self.credentials.request_token(self._http)
                self._hidden.add(self._token.text)

    def ask_for_token(self, credentials: Credentials, **changes: str | None) -> Exchange:
        """Send a token request with other credentials, or with a changed form."""
        self._limiter.wait()
        return credentials.ask(self._http, **changes)

    def with_token(self, text: str) -> Self:
        """Return a copy that sends another token, and requests none."""
        other = copy.copy(self)
        other._token, other.credentials, other._hidden = AccessToken(text), None, {*self._hidden, text}
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
        token = self._attempt(exchange, headers or {})
        if _is_invalid_token(exchange) and "Authorization" not in (headers or {}) and self._renew(exchange, token):
            self._attempt(exchange, headers or {})
        if exchange.status in (429, 503) and self.options.honour_retry_after:
            seconds = exchange.headers.get("retry-after", "")
            time.sleep(min(int(seconds), MAX_RETRY_AFTER) if seconds.isdecimal() else 1)
            self._attempt(exchange, headers or {})
        return exchange

    def _attempt(self, exchange: Exchange, headers: Headers) -> AccessToken:
        """Send the request, unless a fault is injected, and return the token that it was sent with."""
        if time.monotonic() > self._token.renew_at:
            self._renew(exchange, self._token)  # if that fails, the old token may still work
        token = self._token
        fault = next((name for name, share in self.options.faults.items() if self._random.random() < share), None)
        started = time.monotonic()
        if fault is None or fault == "timeout":
            self._exchange(exchange, headers, token.text)
        exchange.milliseconds = round((time.monotonic() - started) * 1000)
        if fault is not None:
            exchange.fault = f"injected {fault}"
            exchange.status = int(fault) if fault.isdigit() else None
        if fault == "timeout":  # the endpoint processed the request, but the client got no response
            exchange.response = None
        return token

    def _renew(self, exchange: Exchange, old: AccessToken) -> bool:
        """Return whether there is a new token; the exchange records why not."""
        try:
            self.refresh_token(old)
        except TokenRequestError as error:
            exchange.fault, exchange.unreachable = str(error), True
        return self._token is not old

    def _exchange(self, exchange: Exchange, headers: Headers, token: str) -> None:
        exchange.fault, exchange.unreachable = None, False
        try:
            response = self._http.send(self._request(exchange, headers, token))
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

    def _request(self, exchange: Exchange, headers: Headers, token: str) -> httpx.Request:
        content = None if exchange.request is None else json.dumps(exchange.request).encode()
        request = self._http.build_request(exchange.method, self.base + exchange.url, content=content)
        request.headers["Authorization"] = f"Bearer {token}"
        if content is not None:
            suffix = "; charset=utf-8" if self.options.charset else ""
            request.headers["Content-Type"] = f"application/scim+json{suffix}"
        for name, value in headers.items():
            request.headers.pop(name, None)
            if value is not None:
                request.headers[name] = value
        exchange.sent = {name: self._hide(value) for name, value in shown_headers(request).items()}
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
        for token in sorted(filter(None, list(self._hidden)), key=len):
            text = text.replace(token, HIDDEN_TOKEN)
        return text


def _is_invalid_token(exchange: Exchange) -> bool:
    """Return whether the endpoint refused the token as RFC 6750 section 3.1 says of one that has expired."""
    return exchange.status == 401 and "invalid_token" in exchange.headers.get("www-authenticate", "")


def _reason(error: Exception) -> str:
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
    return reason[:1].lower() + reason[1:]


def split_url(url: str) -> tuple[str, bool]:
    """Split a tenant URL into its base and whether the flag is appended. Raises ValueError if it is invalid."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} has no scheme or host. Give a full URL, for example {EXAMPLE_URL}")
    if parts.username or parts.password:
        raise ValueError("the URL contains a user name or password. Remove it and pass the token with --token")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return base, FLAG.casefold() in parts.query.casefold()
