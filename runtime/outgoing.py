"""Requests to URLs that an administrator entered: only to allowed addresses, and within a time limit (SSRF).

No redirect is followed, and no proxy of the environment is used.
"""

import io
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, cast
from urllib.parse import urlsplit

from config.checks import host_name, is_loopback
from runtime.networks import Address, is_within, parse_address

MAX_ANSWER = 1_024  # bytes that are read of an answer's body
_TRANSLATED = ip_network("64:ff9b::/96")  # IPv4 addresses behind NAT64 (RFC 6052)
_OF_CLOUDS = ("168.63.129.16/32",)  # Azure's own services, at an address that looks public


class Failed(Exception):
    """There was no answer; the message says why, without the URL's path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, its Retry-After header, and the beginning of its body."""

    status: int
    retry_after: str = ""
    body: bytes = b""


class Endpoint:
    """Posts to one URL over a connection that stays open. One thread uses it at a time."""

    def __init__(self, url: str, networks: tuple[str, ...] = (), timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        self._target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        self._connection = _Connection(parts.scheme == "https", parts.hostname or "", parts.port, networks)
        self._timeout = timeout

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a body and return the answer. Raises Failed."""
        self._connection.deadline = time.monotonic() + self._timeout
        was_open = self._connection.sock is not None
        try:
            return self._send(body, headers)
        except (ConnectionError, HTTPException) as error:
            self.close()
            if not was_open or isinstance(error, _NotAllowed):
                raise Failed(_reason(error, self._timeout)) from None
        except (OSError, ValueError) as error:
            self.close()
            raise Failed(_reason(error, self._timeout)) from None
        return self.post(body, headers)  # the other side had closed the connection since the last request

    def _send(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        self._connection.request("POST", self._target, body, dict(headers))
        response = self._connection.getresponse()
        start = response.read(MAX_ANSWER)
        if not _is_finished(response):
            self.close()
        return Answer(response.status, response.headers.get("Retry-After", ""), start)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        with suppress(OSError):
            self._connection.close()


def _is_finished(response: HTTPResponse) -> bool:
    """Return whether all of the body was read: only then can the connection be used again."""
    return response.isclosed() or (response.length == 0 and not response.chunked) or response.read(1) == b""


class _NotAllowed(ConnectionError):
    """The name leads to addresses that are not allowed; the message names one."""


class _Connection(HTTPConnection):
    """A connection to an address that was checked: the name is looked up once, so it cannot change in between."""

    def __init__(self, is_tls: bool, host: str, port: int | None, networks: tuple[str, ...]) -> None:
        super().__init__(host, port or (443 if is_tls else 80))
        self._tls, self._networks = ssl.create_default_context() if is_tls else None, networks
        self.default_port = 443 if is_tls else 80
        self.deadline = 0.0

    def connect(self) -> None:
        """Connect to the first allowed address that answers."""
        self.sock = cast(Any, _Timed(self._opened(), self))

    @property
    def remaining(self) -> float:
        """The seconds until the deadline. Raises TimeoutError after it."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _opened(self) -> socket.socket:
        problem: OSError = OSError("its name has no address")
        for address in allowed_addresses(self.host, self.port, self._networks):
            try:
                opened = socket.create_connection(address, timeout=self.remaining)
            except OSError as error:
                problem = error
                continue
            try:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._tls.wrap_socket(opened, server_hostname=self.host) if self._tls else opened
            except BaseException:
                opened.close()
                raise
        raise problem


class _Timed:
    """A socket as http.client uses it; each operation ends at the connection's deadline.

    Headers and body are sent at once, when the answer is to be read.
    """

    def __init__(self, opened: socket.socket, connection: _Connection) -> None:
        self._opened, self._connection, self._unsent = opened, connection, b""

    def sendall(self, data: bytes) -> None:
        self._unsent += data

    def makefile(self, mode: str) -> io.BufferedReader:
        self._opened.settimeout(self._connection.remaining)
        unsent, self._unsent = self._unsent, b""
        self._opened.sendall(unsent)
        return io.BufferedReader(_TimedReader(self._opened, self._connection))

    def close(self) -> None:
        self._opened.close()


class _TimedReader(io.RawIOBase):
    """Reads from a socket, however slowly its bytes come, until the deadline."""

    def __init__(self, opened: socket.socket, connection: _Connection) -> None:
        self._opened, self._connection = opened, connection
        self._raw = opened.makefile("rb", buffering=0)  # keeps the socket open until the answer was read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._opened.settimeout(self._connection.remaining)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def allowed_addresses(host: str, port: int, networks: tuple[str, ...]) -> list[tuple[str, int]]:
    """Look up a host and return the addresses that may be connected to. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    allowed = [one for one in addresses if is_allowed(one, host, networks)]
    if not allowed:
        raise _NotAllowed(
            f"its address {addresses[0]} is in a private network. If that is right, add the network to networks under "
            "[webhook_delivery] in the configuration"
        )
    return [(one, port) for one in allowed]


def is_allowed(text: str, host: str, networks: tuple[str, ...]) -> bool:
    """Return whether an address may be connected to: a public one, or one in the networks.

    An address of this machine is allowed if the URL says so itself.
    """
    address = _innermost(text)
    if address is None or is_within(str(address), networks):
        return address is not None
    if address.is_loopback:
        return is_loopback(host_name(f"[{host}]" if ":" in host else host))
    is_site_local = isinstance(address, IPv6Address) and address.is_site_local
    is_unusual = address.is_multicast or address.is_reserved or is_site_local or is_within(str(address), _OF_CLOUDS)
    return address.is_global and not is_unusual


def _innermost(text: str) -> Address | None:
    """Return the address, or the IPv4 address that an IPv6 address stands for."""
    address = parse_address(text)
    if not isinstance(address, IPv6Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else address)


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"there was no complete answer within {timeout:g} seconds"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "no secure connection (TLS) could be made"
    if isinstance(error, socket.gaierror):
        return "its name could not be found"
    if isinstance(error, _NotAllowed):
        return str(error)
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the connection was closed before an answer came"
    if isinstance(error, OSError):
        return f"could not connect: {error.strerror or error}"
    return "the answer is not HTTP"
