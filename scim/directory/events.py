"""Events for observers: one for each request, and for each operation of a bulk request."""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.redact import cut
from scim.directory.resources import WriteResult
from scim.filters.lexer import STRING
from scim.protocol.messages import parameter_name


@dataclass(slots=True)  # not frozen: that would triple the cost of creation, and each write creates one
class Event:
    """A request, or an operation of a bulk request, and its result.

    `outcome` is None unless something was written. `query` and `request` are as received, secrets included; `response`
    is the body of an error. `cause` names what caused a write without a request. `rejection` has the reason for which
    the token was rejected, and the name of a token that was valid once. `is_probe`: Entra's test of the connection.
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
    rejection: tuple[str, str] | None = None
    user_agent: str = ""
    is_probe: bool = False
    is_operation: bool = False

    @property
    def is_read(self) -> bool:
        """Whether the request succeeded and wrote nothing."""
        return self.outcome is None and self.status < 400


Observer = Callable[[Event], None]
"""Called in the thread of the request, before the response is sent: it must be quick and must not block."""


def shown_query(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the protocol's own parameters, with the values in filters masked: they are personal data."""
    return {
        known: cut(without_values(value), 500) for name, value in parameters.items() if (known := parameter_name(name))
    }


def without_values(filter: str) -> str:
    """Return a filter with `"?"` for each value, even if its syntax is invalid."""
    return _UNQUOTED.sub(r"\1?", STRING.sub('"?"', filter))


# It matches wherever it begins, so matching takes linear time.
_UNQUOTED = re.compile(r"(\b(?:eq|ne|co|sw|ew|gt|ge|lt|le)\s+)(?![\"\s])[^\s)\]]+", re.IGNORECASE)
