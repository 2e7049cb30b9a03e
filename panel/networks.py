"""Addresses of clients as proxies write them, and the networks that they are in."""

import ipaddress
import re
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """Return the address, without the port that some proxies add, or None if it is not one."""
    with_port = re.fullmatch(r"\[(.+)\](?::\d+)?|([\d.]+):\d+", text)
    try:
        parsed = ipaddress.ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def is_within(text: str, networks: Iterable[str]) -> bool:
    """Return whether an address is in one of the networks; one that cannot be read is in none."""
    address = parse_address(text)
    return address is not None and any(address in ipaddress.ip_network(network) for network in networks)


def client_network(text: str) -> str:
    """Return what one client has: an IPv4 address, or the /64 of an IPv6 one."""
    address = parse_address(text)
    if address is None:
        return "unknown"
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
