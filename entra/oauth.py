"""OAuth client credentials: access tokens for a client secret, or for the assertion of a workload identity."""

import base64
import time
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote_plus, urlsplit

import httpx

from entra.exchange import HIDDEN, Exchange, parse_body, shown_headers
from entra.workload_identity import WorkloadIdentity

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MARGIN = 60  # seconds before its end at which a token is replaced, or a tenth of its lifetime if that is less


def is_valid_token(token: str) -> bool:
    """Return whether an HTTP header can carry the token."""
    return token.isascii() and token.isprintable()


class TokenRequestError(Exception):
    """The token endpoint returned no usable token; the message contains no secret."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token and the time (of time.monotonic) from which another is requested."""

    text: str = field(repr=False)
    renew_at: float = float("inf")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client of a token endpoint with its secret or its workload identity; `repr` leaves out the secret."""

    url: str
    client_id: str
    secret: str = field(default="", repr=False)
    sent: Literal["header", "body", "both"] = "body"
    identity: WorkloadIdentity | None = field(default=None, repr=False)
    scope: str = ""

    def request_token(self, http: httpx.Client) -> AccessToken:
        """Request a token. Raises TokenRequestError if the response contains none."""
        exchange = self.ask(http)
        if exchange.status is None:
            raise TokenRequestError(f"could not reach the token endpoint: {exchange.fault}")
        body = exchange.response
        if not isinstance(body, dict):
            raise TokenRequestError(f"the token endpoint returned {exchange.status} without a JSON object")
        token = body.get("access_token") if exchange.status // 100 == 2 else None
        if not isinstance(token, str) or not token:
            error = f" ({str(body['error'])[:100]})" if "error" in body else ""
            raise TokenRequestError(f"the token endpoint returned {exchange.status}{error} without an access_token")
        if not is_valid_token(token):
            raise TokenRequestError(
                "the token endpoint returned a token with characters that an HTTP header cannot carry"
            )
        return AccessToken(token, _renew_at(body.get("expires_in")))

    def ask(self, http: httpx.Client, **changes: str | None) -> Exchange:
        """Send a token request and return the exchange; `changes` replace or leave out parameters of the form."""
        headers, own = self._authentication()
        form = {"grant_type": "client_credentials", "scope": self.scope or None, **own, **changes}
        given = {name: value for name, value in form.items() if value is not None}
        base = "{0.scheme}://{0.netloc}".format(urlsplit(self.url))
        exchange = Exchange("POST", self.url.removeprefix(base), given, base)
        started = time.monotonic()
        try:
            request = http.build_request("POST", self.url, data=given, headers=headers)
            exchange.sent = shown_headers(request) | dict.fromkeys(headers, f"Basic {HIDDEN}")
            response = http.send(request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            exchange.fault, exchange.unreachable = str(error) or type(error).__name__, True
        else:
            exchange.status, exchange.headers = response.status_code, dict(response.headers)
            exchange.response = parse_body(response.text.replace(self.secret or "\0", HIDDEN))  # it may be echoed
        exchange.milliseconds = round((time.monotonic() - started) * 1000)
        return exchange

    def _authentication(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the headers and the form parameters that authenticate the client."""
        body = {"client_id": self.client_id}
        if self.identity is not None:
            return {}, {**body, "client_assertion_type": JWT_BEARER, "client_assertion": self.identity.assertion()}
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        header = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        body["client_secret"] = self.secret
        return {} if self.sent == "body" else header, {} if self.sent == "header" else body


def _renew_at(expires_in: Any) -> float:
    if not isinstance(expires_in, int | float) or expires_in <= 0:
        return float("inf")  # without an end, the token is used until it is refused
    return time.monotonic() + expires_in - min(MARGIN, expires_in / 10)
