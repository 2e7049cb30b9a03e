"""Makes the entry of an event: what a request did, to which resource, and which values it changed."""

from collections.abc import Mapping
from typing import Any

from provisioning_log.entries import MAX_UNKNOWN, Entry, Subject, timestamp
from scim.directory.differences import Changes, changes
from scim.directory.events import Event, shown_query
from scim.directory.resources import WriteResult
from scim.schema.resource_types import Registry

Document = dict[str, Any]
_REASONS = {
    "missing": "The request had no token.",
    "unknown": "The token is unknown.",
    "expired": 'The token "{}" has expired.',
    "revoked": 'The token "{}" was revoked.',
    "off": "The connection is turned off.",
}


def make_entry(event: Event, id: str, registry: Registry) -> Entry | None:
    """Return the entry of an event, with its secrets, or None if nothing changed or failed."""
    outcome = event.outcome
    changed = changes(outcome.type, outcome.before, outcome.after) if outcome and outcome.changed else {}
    actions = _actions(event, changed)
    if actions == ("unchanged",) and not (outcome and outcome.unknown):
        return None
    return Entry(
        time=timestamp(event.time),
        id=id,
        actions=actions,
        status=event.status,
        method=event.method if event.method.isalpha() else "-",
        path=event.path,
        by=event.token or (event.rejection[1] if event.rejection else ""),
        ms=round(event.milliseconds, 1),
        **(_of_outcome(outcome, changed) if outcome else _of_failure(event, registry) if event.token else {}),
        query=dict(event.query.items()) if event.is_read else shown_query(event.query),
        request=event.request,
        response=event.response if event.token else None,
        request_id=event.request_id,
        client_request_id=event.client_request_id,
        cause=event.cause,
        reason=_reason(event.rejection, event.response) if event.rejection else "",
    )


def _reason(rejection: tuple[str, str], response: Any) -> str:
    """Return why a token was rejected; of an access token, and of a sign-in, the response says it."""
    said = str(response.get("detail", "")) if isinstance(response, Mapping) else ""
    return said if said.startswith(("The access token", "The sign-in")) else _REASONS[rejection[0]].format(rejection[1])


def subject_of(document: Document) -> Subject:
    """Return the subject of a stored resource."""
    return Subject(document["id"], document.get("userName", ""), document.get("displayName", ""))


def _actions(event: Event, changed: Changes) -> tuple[str, ...]:
    """Return what was done, the main action first."""
    if event.is_read:
        return ("read",)
    done = _write_actions(event.outcome, changed, event.cause) if event.outcome else []
    if event.status >= 400:
        done.append("failed")
    return tuple(done)


def _write_actions(outcome: WriteResult, changed: Changes, cause: str) -> list[str]:
    if outcome.before is None:
        done = ["created"]
    elif outcome.after is None:
        done = ["purged" if cause == "purge" else "deleted"]
    elif not outcome.changed:
        done = ["unchanged"]
    else:
        done = _updates(changed)
    if outcome.joined:
        done.append("joined")
    if outcome.left:
        done.append("left")
    return done


def _updates(changed: Changes) -> list[str]:
    """Return "disabled" or "restored" if `active` (true by default) changed, and "updated" for other changes."""
    was, now = (value is not False for value in changed.get("active", (None, None)))
    switched = [] if was == now else ["restored" if now else "disabled"]
    return [*switched, "updated"] if len(changed) > len(switched) else switched


def _of_outcome(outcome: WriteResult, changed: Changes) -> dict[str, Any]:
    return {
        "type": outcome.type.name,
        "who": subject_of(outcome.after or outcome.before or {"id": outcome.id}),
        # Deletions are logged without values; earlier entries keep theirs until they expire.
        "changes": changed if outcome.after else {},
        "joined": tuple(map(subject_of, outcome.joined)),
        "left": tuple(map(subject_of, outcome.left)),
        "moved": outcome.moved,
        "unknown": outcome.unknown[:MAX_UNKNOWN],
    }


def _of_failure(event: Event, registry: Registry) -> dict[str, Any]:
    """Return the type and subject of a failed request or a read, taken from its path and body."""
    parts = event.path.strip("/").split("/")
    for index, part in enumerate(parts):
        type = registry.at(part)
        if type:
            id = parts[index + 1] if len(parts) > index + 1 else ""
            return {"type": type.name, "who": _named(event.request, "" if id.startswith(".") else id)}
    return {}


def _named(request: Any, id: str) -> Subject:
    body = request if isinstance(request, Mapping) else {}
    names = (body.get(name) for name in ("userName", "displayName"))
    return Subject(id, *(name if isinstance(name, str) else "" for name in names))
