"""The state of the connection to the identity provider."""

import time
from dataclasses import dataclass

from config import Config
from scim.directory.token_usage import TokenUsage

# Entra calls about every 40 minutes even if nothing changed. After a recent call, an unknown token is another client's.
_CALLS_WITHIN = 3600.0

_WAITING = "Entra has not called yet. Enter the SCIM URL and the token in Entra and start provisioning."
_ONLY_UNKNOWN = (
    "A request with an unknown token was rejected (401). If it came from Entra, create a new token and paste it into "
    "Entra as the Secret Token."
)
_UNKNOWN = (
    "The last request had an unknown or expired token and was rejected (401). Create a new token and paste it into "
    "Entra as the Secret Token."
)
_FAILED = (
    "The last request failed because of an error in this service ({status}). See the service's log. Entra retries "
    "automatically."
)


@dataclass(frozen=True, slots=True)
class State:
    """The connection's state. `name` is off, waiting, connected or failing; `last_call` is 0 before the first call."""

    name: str
    label: str
    detail: str
    last_call: float


def connection_state(config: Config, seen: TokenUsage) -> State:
    """Return the current state of the connection."""
    failed = seen.failed if seen.failed and seen.failed.token else None
    last = max(seen.succeeded, failed.time if failed else 0.0)
    if not config.connection.enabled:
        return State("off", "Off", "All requests are rejected (403) until you turn on the connection.", last)
    if not config.lets_write:
        return State("waiting", "No token", "Create a SCIM token and paste it into Entra as the Secret Token.", last)
    if not last:
        return State("waiting", "Waiting for the first call", _ONLY_UNKNOWN if seen.unknown else _WAITING, last)
    if failed and failed.time > seen.succeeded:
        return State("failing", "Failing", _FAILED.format(status=failed.status), last)
    if seen.unknown > last and time.time() - last > _CALLS_WITHIN:
        return State("failing", "Failing", _UNKNOWN, last)
    return State("connected", "Connected", "Entra's requests succeed.", last)
