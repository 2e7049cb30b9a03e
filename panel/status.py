"""The status of provisioning: whether Entra's requests come, and whether they succeed."""

from dataclasses import dataclass

from config import Config
from panel.page import ago, moment
from provisioning_log.activity import HOUR, Activity, Rejection

SILENT_AFTER = 2 * HOUR  # Entra calls about every 40 minutes, even if nothing changed
MISSED = HOUR  # without a request of Entra, a rejected one with an unknown token counts as Entra's


@dataclass(frozen=True, slots=True)
class Status:
    """The status to show. `name` is off, waiting, connected, refused, failing or silent; `tone` is its colour.

    `last_request` is the time of Entra's last accepted request, or 0.
    """

    name: str
    tone: str
    label: str
    detail: str
    last_request: float = 0.0


def current_status(config: Config, activity: Activity, now: float) -> Status:
    """Return the current status."""
    last = activity.last_request
    if not config.connection.enabled:
        return Status(
            "off", "neutral", "Off", "All requests are rejected (403) until you turn on the connection.", last
        )
    rejection = _rejection_of_entra(config, activity, now)
    if rejection:
        tone = "bad" if last or rejection.token else "caution"
        return Status("refused", tone, "Refused", _explain(config, rejection), last)
    if not last:
        return Status("waiting", "caution", "Waiting for the first request", _waiting(config, activity))
    if now - last > SILENT_AFTER:
        return Status("silent", "bad", "Silent", _SILENT_DETAIL.format(ago(last)), last)
    cycle = activity.entra_cycles[-1]
    name = cycle.client.token
    if name not in _valid_names(config):
        detail = _REPLACED.format(_end(config, name), _REMEDIES[_is_client(config, name)])
        return Status("waiting", "caution", "Waiting for the first request", detail, last)
    failed, requests = cycle.counts["failed"], cycle.counts["requests"]
    if failed:
        tone = "bad" if 2 * failed >= requests else "caution"
        detail = f"{failed:,} of {requests:,} requests failed in the last cycle, which began {ago(cycle.start)}."
        return Status("failing", tone, "Failing", detail, last)
    detail = (
        f"All {requests:,} requests of the last cycle succeeded." if requests > 1 else "The last request succeeded."
    )
    return Status("connected", "good", "Connected", detail, last)


_SILENT_DETAIL = (
    "The last request came {}. Entra calls about every 40 minutes, even if nothing changed. Check in Entra that "
    "provisioning is on and not in quarantine, and that the proxy forwards its requests."
)
_REPLACED = (
    "Entra has not called with a valid token yet: {}, and Entra used it last. {}, and select Test Connection there."
)
_WAITING = "Entra has not called yet. Follow the setup guide."
_OTHERS = "Other clients have called, but Entra has not. Follow the setup guide."


def _waiting(config: Config, activity: Activity) -> str:
    if not config.lets_write:
        return "Create a SCIM token and paste it into Entra."
    return _OTHERS if activity.cycles else _WAITING


def _rejection_of_entra(config: Config, activity: Activity, now: float) -> Rejection | None:
    """Return the latest rejection since Entra's last accepted request that shows that Entra is refused.

    A token that was valid once shows it by itself. Anyone can imitate Entra's probe with an unknown token, so that
    counts only if Entra has missed a cycle, or has no valid token.
    """
    last = activity.last_request
    rejections = [one for one in activity.entra_rejections() if one.last > last]
    is_heard = now - last <= MISSED and not _valid_names(config).isdisjoint(activity.probed_tokens)
    relevant = [one for one in rejections if one.token or not is_heard]
    return max(relevant, key=lambda one: (bool(one.token), one.last), default=None)


def _explain(config: Config, rejection: Rejection) -> str:
    """Return since when and how often requests were rejected, why, and what to do."""
    often = f"{rejection.count:,} times" if rejection.count > 1 else "once"
    since = f"Entra's requests have been rejected (401) since {moment(rejection.first)}, {often} so far"
    if rejection.token:
        reason, is_client = _end(config, rejection.token), _is_client(config, rejection.token)
    else:
        reason = _UNNAMED.get(rejection.reason, "their token is unknown")
        is_client = rejection.reason == "revoked"
    return f"{since}: {reason}. {_REMEDIES[is_client]}."


_UNNAMED = {"missing": "they have no token", "revoked": "their client was revoked"}
# For a token, and for a client.
_REMEDIES = ("Create a new token and paste it into Entra", "Create another client secret and enter it in Entra")


def _is_client(config: Config, name: str) -> bool:
    return any(client.name == name for client in config.clients)


def _end(config: Config, name: str) -> str:
    """Return how and when a token ended last, or that a client cannot sign in as before."""
    if _is_client(config, name):
        return f"what the client “{name}” signed in with was revoked or has expired"
    ends = [
        (token.expires, "expired")
        for token in config.tokens
        if token.name == name and token.expires and not token.is_valid
    ]
    ends += [(one.ended, _WORDS[one.reason]) for one in config.revoked_tokens if one.name == name and one.ended]
    if not ends:
        return f"the token or client “{name}” is no longer valid"
    ended, word = max(ends)
    return f"the token “{name}” {word} on {moment(ended)}"


_WORDS = {"revoked": "was revoked", "expired": "expired"}


def _valid_names(config: Config) -> set[str]:
    """Return the names of the tokens and clients that are valid."""
    tokens = {token.name for token in config.tokens if token.is_valid}
    return tokens | {client.name for client in config.clients if client.is_valid}
