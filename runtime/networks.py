"""Client addresses, as proxies write them, and their networks."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from contextlib import suppress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """Return the address without a port, or None if the text is not an address."""
    with_port = re.fullmatch(r"\[(.+)\](?::\d+)?|([\d.]+):\d+", text)
    try:
        parsed = ipaddress.ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def is_within(text: str, networks: Iterable[str]) -> bool:
    """Return whether the text is an address in one of the networks."""
    address = parse_address(text)
    return address is not None and any(address in ipaddress.ip_network(network) for network in networks)


def client_network(text: str) -> str:
    """Return the network that one client controls: an IPv4 address, or a /64 of IPv6."""
    address = parse_address(text)
    if address is None:
        return "unknown"
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def with_free_port(bind: str) -> str:
    """Return the address with a port that is free now if its port is 0.

    An address that cannot be used is returned as it is: gunicorn reports it.
    """
    host, _, port = bind.rpartition(":")
    if port == "0":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with suppress(OSError), socket.create_server((host.strip("[]"), 0), family=family) as probe:
            return f"{host}:{probe.getsockname()[1]}"
    return bind
