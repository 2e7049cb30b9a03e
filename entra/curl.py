"""A request as a curl command that can be pasted into a shell."""

import json
import shlex
from collections.abc import Iterator

from entra.exchange import HIDDEN_TOKEN, Exchange, masked

DEFAULT_HEADERS = ("User-Agent", "Accept")  # curl adds these unless they are emptied


def command(exchange: Exchange) -> str:
    """Return the command; secrets come from the environment variables SCIM_TOKEN and SCIM_CLIENT_SECRET."""
    words = ["curl", "-i", "-X", exchange.method, shlex.quote(exchange.base + exchange.url)]
    missing = [f"{name}:" for name in DEFAULT_HEADERS if name.lower() not in exchange.sent]
    for header in [*(f"{name.title()}: {value}" for name, value in exchange.sent.items()), *missing]:
        words += ["-H", _quote(header, HIDDEN_TOKEN, "SCIM_TOKEN")]
    return " ".join([*words, *_body(exchange)])


def _body(exchange: Exchange) -> Iterator[str]:
    body = masked(exchange.request)
    if not exchange.is_form:
        yield from [] if body is None else ["--data-raw", shlex.quote(json.dumps(body, ensure_ascii=False))]
        return
    for name, value in body.items():
        yield "--data-urlencode"
        yield _quote(f"{name}={value}", value if name == "client_secret" else HIDDEN_TOKEN, "SCIM_CLIENT_SECRET")


def _quote(text: str, placeholder: str, variable: str) -> str:
    before, found, after = text.partition(placeholder)
    return f'{shlex.quote(before)}"${variable}"{shlex.quote(after) if after else ""}' if found else shlex.quote(text)
