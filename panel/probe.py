"""Test connection: send Entra's test requests to the public URL and explain the result."""

import ipaddress
import socket
import ssl
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from config import Server
from provisioning_log import portal
from scim.directory.resources import LIST_RESPONSE
from scim.web.request import MEDIA_TYPE

# Imported by the first test only: it takes a fifth of the start-up time of a command.
if TYPE_CHECKING:
    import httpx

LIFETIME = timedelta(minutes=1)
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One check: "good", "bad", or "note" for a problem that only Entra would meet."""

    kind: str
    title: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The checks, up to the first bad one."""

    steps: tuple[Step, ...]

    @property
    def passed(self) -> bool:
        """Whether no check was bad."""
        return all(step.kind != "bad" for step in self.steps)

    @property
    def summary(self) -> str:
        """The result in one sentence."""
        if not self.passed:
            return "The test failed."
        has_notes = any(step.kind == "note" for step in self.steps)
        return "The test passed from this server, but Entra may not reach it." if has_notes else "The test passed."


class CheckFailed(Exception):
    """A failed check, which ends the test: its title and what to do."""


def make_client(socket: str = "") -> "httpx.Client":
    """Return a client that uses no proxy, trusts only public authorities and follows no redirects.

    If given the path of a Unix socket, it connects to that.
    """
    import httpx

    transport = httpx.HTTPTransport(uds=socket) if socket else None
    return httpx.Client(timeout=TIMEOUT, trust_env=False, transport=transport)


# A token, or what gets one and says how.
SignIn = str | Callable[["httpx.Client"], tuple[str, list[Step]]]


def test_configured(server: Server, sign_in: SignIn) -> Result:
    """Test the service at its configured URL; request headers never decide where credentials are sent."""
    if server.public_url:
        return run(server.url(), sign_in)
    return run(server.url(server.local_origin), sign_in, socket=server.socket, first=(_LOCAL,))


def run(base_url: str, sign_in: SignIn, *, socket: str = "", first: Iterable[Step] = ()) -> Result:
    """Sign in, and search for a user and for a group that do not exist, as Entra does."""
    steps = list(first)
    try:
        if not socket:
            steps.extend(_check_address(base_url))
        with closing(make_client(socket) if socket else make_client()) as client:
            token, signed_in = (sign_in, []) if isinstance(sign_in, str) else sign_in(client)
            steps.extend(signed_in)
            for kind, query in _QUERIES.items():
                parameters = {key: text.format(uuid.uuid4()) for key, text in query.items()}
                _search(client, f"{base_url}/{kind}", parameters, token)
                steps.append(Step("good", f"{kind}: search works", "It returned an empty list, as expected."))
    except CheckFailed as error:
        title, detail = error.args
        steps.append(Step("bad", title, detail))
    return Result(tuple(steps))


SINGLE_THREADED = Result(
    (
        Step(
            "bad",
            "This service cannot test itself",
            "It handles one request at a time and is busy with this one. Set workers or threads under [server] to 2 or "
            f"more and restart it, or use {portal.TEST} in Entra.",
        ),
    )
)
_LOCAL = Step(
    "note",
    "public_url is empty",
    "This tests the address on which the service listens on this server, not the one that Entra calls. Set public_url "
    "under [server].",
)
_QUERIES = {
    "Users": {"filter": 'userName eq "{}"'},
    "Groups": {"excludedAttributes": "members", "filter": 'displayName eq "{}"'},
}


def _check_address(base_url: str) -> Iterator[Step]:
    """Check the URL: its scheme, and the addresses that its host name resolves to."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)}
    except OSError:
        raise CheckFailed(
            f"{host} does not resolve",
            "DNS returned no address for it on this server. Check public_url under [server] and your DNS.",
        ) from None
    yield Step("good", f"Host name {host}", f"Resolves to {', '.join(sorted(found))}.")
    if not any(_is_public(address) for address in found):
        yield _NOT_PUBLIC
    if parts.scheme != "https":
        yield _NOT_HTTPS


def unreachable(base_url: str) -> list[Step]:
    """Return why Entra cannot reach the URL, as far as the URL itself shows it."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    is_public = _is_public(host) if _is_address(host) else "." in host and not host.endswith(_PRIVATE_DOMAINS)
    return [*([] if is_public else [_NOT_PUBLIC]), *([] if parts.scheme == "https" else [_NOT_HTTPS])]


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False


_PRIVATE_DOMAINS = (
    ".localhost",
    ".local",
    ".localdomain",
    ".internal",
    ".intranet",
    ".lan",
    ".home",
    ".home.arpa",
    ".corp",
)
_NOT_PUBLIC = Step(
    "note",
    "The address is not public",
    "Entra calls from the internet and cannot reach it, unless you use the on-premises provisioning agent.",
)
_NOT_HTTPS = Step(
    "note",
    "The URL is not HTTPS",
    "Entra only calls HTTPS addresses. Put a proxy with a certificate in front of this service and set "
    "public_url under [server].",
)


def _search(client: "httpx.Client", url: str, parameters: dict[str, str], token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Accept": MEDIA_TYPE}
    _check_response(sent(lambda: client.get(url, params=parameters, headers=headers)))


def sent(send: Callable[[], "httpx.Response"]) -> "httpx.Response":
    """Send a request; explain why there is no answer."""
    import httpx

    try:
        return send()
    except httpx.TimeoutException:
        raise CheckFailed(
            "The request timed out",
            f"There was no response within {TIMEOUT:.0f} seconds. A firewall may drop the request, or a proxy cannot "
            "reach this service.",
        ) from None
    except httpx.HTTPError as error:
        raise _explain(error) from None


def _explain(error: BaseException) -> CheckFailed:
    """Explain why the request failed."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CheckFailed(
                "The certificate is not trusted",
                f"{cause.verify_message.capitalize()}. Entra requires a certificate for this host name from a public "
                "authority, including the intermediate certificates.",
            )
        if isinstance(cause, ssl.SSLError):
            return CheckFailed("The TLS handshake failed", "The server on this port does not support TLS 1.2 or later.")
        if isinstance(cause, ConnectionRefusedError):
            return CheckFailed(
                "Connection refused", "Nothing listens on this port. Check the port, and that the proxy is running."
            )
    return CheckFailed("Could not connect", f"{error}. Check the address, the port and the firewall.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _check_response(response: "httpx.Response") -> None:
    """Accept the response that Entra expects; explain any other."""
    is_ours = response.headers.get("Content-Type", "").partition(";")[0] == MEDIA_TYPE
    if response.status_code == 200 and is_ours:
        _check_body(response)
        return
    status, location = response.status_code, response.headers.get("Location", "")
    title, detail = _diagnose(status, is_ours)
    raise CheckFailed(title, detail.format(status=status, location=location, url=response.url.copy_with(query=None)))


def _check_body(response: "httpx.Response") -> None:
    body = json_body(response)
    if not isinstance(body, dict) or body.get("schemas") != [LIST_RESPONSE] or body.get("totalResults") != 0:
        raise CheckFailed("Unexpected response", "Something between Entra and this service changes the responses.")


def json_body(response: "httpx.Response") -> Any:
    """Return the JSON in a response, or None."""
    try:
        return response.json()
    except ValueError:
        return None


def _diagnose(status: int, is_ours: bool) -> tuple[str, str]:
    """Return the title and explanation of an unexpected response; `is_ours` if it is from this service."""
    if 300 <= status < 400:
        return _REDIRECT
    return _OUR_RESPONSES.get(status, _FAILED) if is_ours else _OTHER_RESPONSES.get(status, _OTHER_SERVICE)


_REDIRECT = (
    "The URL redirects",
    "The response ({status}) redirects to {location}. Entra does not follow redirects. Use the final URL.",
)
_FAILED = ("This service failed", "It responded with {status}. See the service's log.")
_OTHER_SERVICE = (
    "The response is from another service",
    "The response ({status}) is not from this service. Check public_url under [server], and that the proxy forwards "
    "{url} to it.",
)
_BAD_GATEWAY = (
    "The proxy cannot reach this service",
    "The proxy itself responded with {status}. Check the address that it forwards requests to.",
)
_OUR_RESPONSES = {
    401: (
        "The token is rejected",
        "This service responded, but rejected the token (401). A proxy drops the Authorization header, or the URL "
        "belongs to another installation.",
    ),
    403: (
        "The connection is turned off",
        "The service was reached, but rejects requests while the connection is off. Turn it on.",
    ),
    404: (
        "The proxy changes the path",
        "This service responded, but has no such path (404). Configure the proxy to pass on the path unchanged.",
    ),
}
_OTHER_RESPONSES = {
    401: (
        "The proxy requires a sign-in",
        "The response (401) is not from this service. Configure the proxy to pass requests to {url} without a sign-in.",
    ),
    403: (
        "The request is blocked before it reaches this service",
        "The response (403) is not from this service. A firewall or bot protection blocks requests to {url}.",
    ),
    **dict.fromkeys((502, 503, 504), _BAD_GATEWAY),
}
