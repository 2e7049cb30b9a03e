"""What observers are told: one event for each write that was carried out and for each request that failed."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.redact import cut
from scim.directory.resources import WriteResult
from scim.protocol.messages import SEARCH_PARAMETERS


@dataclass(slots=True)  # frozen ones take three times as long to make, and each write makes one
class Event:
    """A request, or an operation of a bulk request, and what came of it.

    `outcome` is there where something was written. `request` is the body as it was sent, with whatever secrets are in
    it; `response` is the body of an error. `cause` is empty for a request, and else says what wrote without one.
    """

    method: str
    path: str
    status: int
    time: float = field(default_factory=time.time)
    milliseconds: float = 0.0
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    client_request_id: str = ""
    token: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    outcome: WriteResult | None = None
    request: Any = None
    response: Any = None
    cause: str = ""


Observer = Callable[[Event], None]
"""Is called in the thread of the request, before the answer goes out: it must be quick and must not block."""


def shown_query(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the protocol's own parameters, and of the filter only its form: its values are about people."""
    shown = {name: value for name, value in parameters.items() if name in SEARCH_PARAMETERS}
    if "filter" in shown:
        shown["filter"] = without_values(shown["filter"])
    return {name: cut(value, 500) for name, value in shown.items()}


def without_values(filter: str) -> str:
    """Return a filter with `"?"` for each value, also where it cannot be read."""
    closed = _STRING.sub('"?"', filter)
    return _UNQUOTED.sub(r"\1?", closed)


# Both match wherever they begin, so no part of a text is read twice.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+["\\]?', re.DOTALL)
_UNQUOTED = re.compile(r"(\b(?:eq|ne|co|sw|ew|gt|ge|lt|le)\s+)(?![\"\s])[^\s)\]]+", re.IGNORECASE)
