"""Test connection: what Entra's own test does, run from here against the public address, with the result in words."""

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
from scim.directory.resources import LIST_RESPONSE
from scim.web.request import MEDIA_TYPE

# It is loaded by the first test: it would take a fifth of the time in which each command starts.
if TYPE_CHECKING:
    import httpx

LIFETIME = timedelta(minutes=1)
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: "good", "bad", or "note" for what only Entra itself would stumble over."""

    kind: str
    title: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """All that was looked at, up to the first thing that is bad."""

    steps: tuple[Step, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was bad."""
        return all(step.kind != "bad" for step in self.steps)

    @property
    def summary(self) -> str:
        """What came of it, in a sentence."""
        if not self.passed:
            return "The test failed."
        remarks = any(step.kind == "note" for step in self.steps)
        return "The test passed from here, but Entra may not get this far." if remarks else "The test passed."


class _Bad(Exception):
    """What ends the test: a title, and what to do about it."""


def make_client(socket: str = "") -> "httpx.Client":
    """Return a client that goes straight to the address, believes public authorities alone, and follows nothing.

    With the path of a Unix socket, it connects to that instead.
    """
    import httpx

    transport = httpx.HTTPTransport(uds=socket) if socket else None
    return httpx.Client(timeout=TIMEOUT, trust_env=False, transport=transport)


def test_configured(server: Server, token: str) -> Result:
    """Test the service at its configured address. No request's header has a say in where the token is sent."""
    if server.public_url:
        return run(server.url(), token)
    return run(server.url(server.local_origin), token, socket=server.socket, first=(_LOCAL,))


def run(base_url: str, token: str, *, socket: str = "", first: Iterable[Step] = ()) -> Result:
    """Look for somebody who is not there, among users and among groups, as Entra does."""
    steps = list(first)
    try:
        if not socket:
            steps.extend(_address(base_url))
        with closing(make_client(socket) if socket else make_client()) as client:
            for kind, query in _QUERIES.items():
                parameters = {key: text.format(uuid.uuid4()) for key, text in query.items()}
                _search(client, f"{base_url}/{kind}", parameters, token)
                steps.append(
                    Step("good", f"{kind} are answered", "A search for somebody who is not there found nobody.")
                )
    except _Bad as error:
        title, detail = error.args
        steps.append(Step("bad", title, detail))
    return Result(tuple(steps))


ALONE = Result(
    (
        Step(
            "bad",
            "This service cannot test itself",
            "It answers one request at a time, and is busy with this one. Set workers or threads under [server] to 2 "
            "or more and start it anew, or use Test Connection in Entra.",
        ),
    )
)
_LOCAL = Step(
    "note",
    "public_url is empty",
    "So this tests the service where it listens on this machine, which is not the address that Entra calls. Set "
    "public_url under [server].",
)
_QUERIES = {
    "Users": {"filter": 'userName eq "{}"'},
    "Groups": {"excludedAttributes": "members", "filter": 'displayName eq "{}"'},
}


def _address(base_url: str) -> Iterator[Step]:
    """Look at the address itself: its scheme, and where its name leads."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)}
    except OSError:
        raise _Bad(
            f"{host} is not found",
            "DNS has no address for it, seen from this machine. Check public_url under [server] and your DNS.",
        ) from None
    yield Step("good", f"{host} is found", f"It leads to {', '.join(sorted(found))}.")
    if not any(ipaddress.ip_address(one.partition("%")[0]).is_global for one in found):
        yield Step(
            "note",
            "The address is not a public one",
            "Entra calls from the Internet and cannot reach it, unless you use its on-premises provisioning agent.",
        )
    if parts.scheme != "https":
        yield Step(
            "note",
            "The address is not https",
            "Entra calls https alone. Put a proxy with a certificate before this service and set public_url under "
            "[server].",
        )


def _search(client: "httpx.Client", url: str, parameters: dict[str, str], token: str) -> None:
    import httpx

    headers = {"Authorization": f"Bearer {token}", "Accept": MEDIA_TYPE}
    try:
        response = client.get(url, params=parameters, headers=headers)
    except httpx.TimeoutException:
        raise _Bad(
            "Nobody answered",
            f"Nothing came within {TIMEOUT:.0f} seconds. A firewall may drop the request, or a proxy cannot reach "
            "this service.",
        ) from None
    except httpx.HTTPError as error:
        raise _unreached(error) from None
    _judge(response)


def _unreached(error: BaseException) -> _Bad:
    """Say why the request did not arrive."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _Bad(
                "The certificate is not accepted",
                f"{cause.verify_message.capitalize()}. Entra wants a certificate for this very name from a public "
                "authority, with its intermediate certificates.",
            )
        if isinstance(cause, ssl.SSLError):
            return _Bad("TLS does not come about", "What listens there does not speak TLS 1.2 or later on this port.")
        if isinstance(cause, ConnectionRefusedError):
            return _Bad("The connection is refused", "Nothing listens there. Check the port, and that the proxy runs.")
    return _Bad("The request did not arrive", f"{error}. Check the address, the port and the firewall.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _judge(response: "httpx.Response") -> None:
    """Pass over the answer that Entra wants; say of any other where it comes from and what to do."""
    ours = response.headers.get("Content-Type", "").partition(";")[0] == MEDIA_TYPE
    if response.status_code == 200 and ours:
        _judge_body(response)
        return
    for is_it, title, detail in _DIAGNOSES:
        if is_it(response.status_code, ours):
            place = response.headers.get("Location", "")
            raise _Bad(
                title, detail.format(status=response.status_code, place=place, url=response.url.copy_with(query=None))
            )


def _judge_body(response: "httpx.Response") -> None:
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or body.get("schemas") != [LIST_RESPONSE] or body.get("totalResults") != 0:
        raise _Bad("The answer is not the expected one", "Something between Entra and this service changes answers.")


_DIAGNOSES: tuple[tuple[Callable[[int, bool], bool], str, str], ...] = (
    (
        lambda status, ours: status == 401 and ours,
        "The token does not arrive",
        "This service answers, but refuses the token (401). A proxy drops the Authorization header, or the address "
        "leads to another installation.",
    ),
    (
        lambda status, ours: status == 401,
        "Somebody else asks for a password",
        "The answer (401) is not this service's: the proxy has a sign-in of its own. Let requests to {url} through.",
    ),
    (
        lambda status, ours: status == 403 and ours,
        "The connection is turned off",
        "Everything is reached, and requests are refused because the connection is off. Turn it on.",
    ),
    (
        lambda status, ours: status == 403,
        "Something before this service refuses the request",
        "The answer (403) is not this service's: a firewall or bot protection blocks requests to {url}.",
    ),
    (
        lambda status, ours: status == 404 and ours,
        "The path is cut short",
        "This service answers, but not to this path. The proxy must pass the path on unchanged.",
    ),
    (
        lambda status, ours: 300 <= status < 400,
        "The address leads elsewhere",
        "The answer ({status}) points to {place}. Entra does not follow; use the address that it ends at.",
    ),
    (
        lambda status, ours: status in (502, 503, 504) and not ours,
        "The proxy does not reach this service",
        "It answers {status} by itself. Check where it passes requests on to.",
    ),
    (
        lambda status, ours: ours,
        "This service could not answer",
        "It answered {status}; its log on this machine says why.",
    ),
    (
        lambda status, ours: True,
        "Something else answers at this address",
        "The answer ({status}) is not this service's. Check public_url under [server], and that the proxy passes "
        "{url} on to it.",
    ),
)
