"""A request with its response, as it is recorded, reported and logged."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from entra import strict_json

FORM = "application/x-www-form-urlencoded"
HIDDEN, HIDDEN_TOKEN = "(hidden)", "(token)"  # stand for secrets wherever an exchange is shown
ADDED = ("host", "connection", "content-length")
SECRETS = frozenset({"password", "client_secret", "client_assertion", "access_token"})


@dataclass(slots=True)
class Exchange:
    """One request and its response, without the token."""

    method: str
    url: str
    request: Any = None
    base: str = ""
    sent: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    response: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    milliseconds: int = 0
    fault: str | None = None
    unreachable: bool = False

    @property
    def content_type(self) -> str:
        """The response's Content-Type."""
        return self.headers.get("content-type", "")

    @property
    def is_form(self) -> bool:
        """Whether the body was sent as a form, as token requests are."""
        return self.sent.get("content-type") == FORM

    @property
    def outcome(self) -> int | str | None:
        """The status, or the fault that left the request without a response."""
        return self.fault if self.status is None else self.status

    def to_json(self) -> dict[str, Any]:
        """Return the exchange in a form that `replay` reads."""
        path, _, query = self.url.partition("?")
        record = {"method": self.method, "path": path, "query": query, "request": masked(self.request)}
        record |= {"status": self.status, "response": masked(self.response)}
        record |= {"milliseconds": self.milliseconds, "fault": self.fault}
        return {key: value for key, value in record.items() if value not in (None, "")}


def shown_headers(request: httpx.Request) -> dict[str, str]:
    """Return the headers of a request without those that every client adds by itself."""
    return {name: value for name, value in request.headers.items() if name not in ADDED}


def parse_body(text: str) -> Any:
    """Parse a JSON body; None if it is empty, the text itself if it is not JSON."""
    try:
        return strict_json.loads(text) if text.strip() else None
    except ValueError:
        return text


def masked(value: Any) -> Any:
    """Copy a body without its secrets; no log or report may contain one."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = {key for key in value if key.casefold() in SECRETS}
    if str(value.get("path", "")).rpartition(":")[2].casefold() == "password":
        hidden.add("value")
    return {key: HIDDEN if key in hidden else masked(inner) for key, inner in value.items()}
