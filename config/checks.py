"""Checks of single values: addresses, hosts, URLs, files and password hashes."""

import ipaddress
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LABEL = r"\w(?:[\w-]{0,61}\w)?"


def is_address(text: str) -> bool:
    """Return whether gunicorn can listen on it: host:port, [IPv6]:port or unix:/path.

    With port 0 it chooses a free one.
    """
    if text.startswith("unix:"):
        return bool(re.fullmatch(r"unix:/.*[^/]", text))
    found = re.fullmatch(rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[([0-9A-Fa-f:.]+)\]):([0-9]{{1,5}})", text)
    return found is not None and int(found[2]) < 65_536 and (found[1] is None or _is_ip(found[1]))


def is_base_path(text: str) -> bool:
    """Return whether the endpoints can be under this path."""
    return bool(re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text))


def is_public_url(text: str) -> bool:
    """Return whether it is empty or the URL of a server, with or without a path."""
    return not text or bool(re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~-]+)*/?", text))


def is_file(text: str) -> bool:
    """Return whether a path ends in a file's name."""
    return Path(text).name not in ("", "..")


def is_database(url: str) -> bool:
    """Return whether it is empty or the URL of a PostgreSQL database, which several servers may have."""
    # A second @ before the path is one in the password, whose rest would be taken for a host, which errors quote.
    return not url or bool(re.fullmatch(r"postgres(ql)?://([^\s/?@]*@)?[^\s/?@]*(/[^\s/?]*)?(\?\S*)?", url, re.ASCII))


def without_password(url: str, instead: str = "") -> str:
    """Return the URL of a database without its secrets; other texts stay as they are."""
    if not url.startswith(("postgresql://", "postgres://")):
        return url
    before, mark, options = re.sub(r"(?<=://)([^:@]*):.*@", rf"\1{instead}@", url).partition("?")
    return before + mark + "&".join(one for one in options.split("&") if not _is_secret(one))


def _is_secret(option: str) -> bool:
    return re.search("password|secret|scram", unquote(option.partition("=")[0])) is not None


def is_host(name: str) -> bool:
    """Return whether it is a host name or an IP address, without a port."""
    return bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*\.?", name, re.ASCII) or _is_ip(name))


def host_name(host: str) -> str:
    """Return the name in a Host header without port and brackets and in lower case, for comparison."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
    return str(ipaddress.ip_address(name)) if _is_ip(name) else name


def is_loopback(name: str) -> bool:
    """Return whether a host name, as `host_name` returns it, is this machine's own."""
    return name == "localhost" or (_is_ip(name) and ipaddress.ip_address(name).is_loopback)


def is_id(text: str) -> bool:
    """Return whether it can be a client's or a secret's id: no client encodes these characters in its own way."""
    return bool(re.fullmatch(r"[A-Za-z0-9._~-]{1,100}", text))


def is_secure_url(text: str) -> bool:
    """Return whether the service may send a request to it: over TLS, or to this machine."""
    try:
        parts = urlsplit(text)
        host, _ = host_name(parts.netloc), parts.port
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and " " not in text and "@" not in parts.netloc
    return bool(host) and is_plain and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def is_event_type(text: str) -> bool:
    """Return whether it can be the type of an event, such as user.created."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,99}\.[a-z_]{1,40}", text))


def is_network(text: str) -> bool:
    """Return whether it is an IP network, such as 10.0.0.0/8."""
    try:
        return bool(ipaddress.ip_network(text))
    except ValueError:
        return False


def is_password_hash(text: str) -> bool:
    """Return whether Werkzeug can check a password against the hash; trying it would take longer than most commands."""
    scrypt = re.fullmatch(r"scrypt:([0-9]{1,8}):([0-9]{1,4}):([0-9]{1,4})\$[^$]+\$[0-9a-f]{128}", text)
    if scrypt:
        n, r, p = map(int, scrypt.groups())
        # RFC 7914 section 2: n is a power of 2, and below 2 to the 16 r.
        if not (n > 1 and n & (n - 1) == 0 and n.bit_length() <= 16 * r):
            return False
        # OpenSSL must need no more memory than Werkzeug allows it, which must fit into a C int.
        return 128 * r * (n + 2 + p) <= 132 * n * r * p < 2**31
    return bool(re.fullmatch(r"pbkdf2:sha(1|224|256|384|512):[1-9][0-9]{0,7}\$[^$]+\$[0-9a-f]+", text))


def is_label(text: str) -> bool:
    """Return whether the panel can show it as an attribute's name."""
    return len(text) <= 60 and text.isprintable() and text == text.strip()


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_moment(text: str) -> bool:
    """Return whether a text is a date and time with its zone."""
    with suppress(ValueError):
        return datetime.fromisoformat(text).tzinfo is not None
    return False
