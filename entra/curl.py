"""A request as a curl command that can be pasted into a shell."""

import json
import shlex

from entra.client import HIDDEN_TOKEN, Exchange, masked

DEFAULT_HEADERS = ("User-Agent", "Accept")  # curl adds these unless they are emptied


def command(exchange: Exchange) -> str:
    """Return the command; the token comes from the environment variable SCIM_TOKEN."""
    words = ["curl", "-i", "-X", exchange.method, shlex.quote(exchange.base + exchange.url)]
    missing = [f"{name}:" for name in DEFAULT_HEADERS if name.lower() not in exchange.sent]
    for header in [*(f"{name.title()}: {value}" for name, value in exchange.sent.items()), *missing]:
        words += ["-H", _quote(header)]
    if exchange.request is not None:
        words += ["--data-raw", shlex.quote(json.dumps(masked(exchange.request), ensure_ascii=False))]
    return " ".join(words)


def _quote(header: str) -> str:
    before, placeholder, after = header.partition(HIDDEN_TOKEN)
    if not placeholder:
        return shlex.quote(header)
    return f'{shlex.quote(before)}"$SCIM_TOKEN"{shlex.quote(after) if after else ""}'
