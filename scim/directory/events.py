"""Events for observers: one for each completed write and for each failed request."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.redact import cut
from scim.directory.resources import WriteResult
from scim.protocol.messages import SEARCH_PARAMETERS


@dataclass(slots=True)  # not frozen: that would triple the cost of creation, and each write creates one
class Event:
    """A request, or an operation of a bulk request, and its result.

    `outcome` is None unless something was written. `request` is the body as received, secrets included; `response` is
    the body of an error. `cause` names what caused a write without a request.
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
"""Called in the thread of the request, before the response is sent: it must be quick and must not block."""


def shown_query(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the protocol's own parameters, with the values of the filter masked: they are personal data."""
    shown = {name: value for name, value in parameters.items() if name in SEARCH_PARAMETERS}
    if "filter" in shown:
        shown["filter"] = without_values(shown["filter"])
    return {name: cut(value, 500) for name, value in shown.items()}


def without_values(filter: str) -> str:
    """Return a filter with `"?"` for each value, even if its syntax is invalid."""
    return _UNQUOTED.sub(r"\1?", _STRING.sub('"?"', filter))


# Both match wherever they begin, so matching takes linear time.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+["\\]?', re.DOTALL)
_UNQUOTED = re.compile(r"(\b(?:eq|ne|co|sw|ew|gt|ge|lt|le)\s+)(?![\"\s])[^\s)\]]+", re.IGNORECASE)
