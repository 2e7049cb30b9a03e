"""How the connection to the identity provider fares, in words."""

import time
from dataclasses import dataclass

from config import Config
from scim.directory.token_usage import TokenUsage

# Entra calls about every 40 minutes even when nothing has changed. While its calls are that fresh, a wrong token is
# somebody else's.
_CALLS_WITHIN = 3600.0

_NOBODY = "Entra has not called yet. Paste the SCIM URL and the token into Entra and start provisioning there."
_STRANGER = (
    "Somebody called with a token that is not known here, and was refused (401). If that was Entra, make a new token "
    "and paste it into Entra as the Secret Token."
)
_UNKNOWN = (
    "The last call carried a token that is not known here or has expired, and was refused (401). Make a new token and "
    "paste it into Entra as the Secret Token."
)
_FAILED = (
    "The last call was answered with an error of this service ({status}). Its log on this machine says why; Entra "
    "tries again by itself."
)


@dataclass(frozen=True, slots=True)
class State:
    """One of off, waiting, connected and failing; what that means now; when the provider last called, or 0."""

    name: str
    label: str
    detail: str
    last_call: float


def connection_state(config: Config, seen: TokenUsage) -> State:
    """Return the connection's state now."""
    failed = seen.failed if seen.failed and seen.failed.token else None
    last = max(seen.succeeded, failed.time if failed else 0.0)
    if not config.connection.enabled:
        return State("off", "Off", "Every request is refused with 403 until you turn the connection on.", last)
    if not any(token.is_valid and not token.read_only for token in config.tokens):
        return State("waiting", "No token", "Make a SCIM token and paste it into Entra as the Secret Token.", last)
    if not last:
        return State("waiting", "Waiting for the first call", _STRANGER if seen.unknown else _NOBODY, last)
    if failed and failed.time > seen.succeeded:
        return State("failing", "Failing", _FAILED.format(status=failed.status), last)
    if seen.unknown > last and time.time() - last > _CALLS_WITHIN:
        return State("failing", "Failing", _UNKNOWN, last)
    return State("connected", "Connected", "Entra calls and is answered.", last)
