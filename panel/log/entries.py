"""The entries of the log: what a request did, to whom, and from which value to which."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from panel.log.secrets import Cleaning, Secrets, without_tokens
from scim.events import Event
from scim.registry import Registry, ResourceType
from scim.resources import Outcome

Document = dict[str, Any]
ACTIONS = (
    "created",
    "updated",
    "disabled",
    "restored",
    "deleted",
    "purged",
    "joined",
    "left",
    "unchanged",
    "failed",
    "lost",
)
MAX_LINE = 200_000
TOO_LONG = "(too long for the log)"
_DERIVED = ("id", "schemas", "meta")


@dataclass(frozen=True, slots=True)
class Who:
    """A resource as people know it; false if nothing is known of it."""

    id: str = ""
    user_name: str = ""
    display_name: str = ""

    @property
    def name(self) -> str:
        """What to call it."""
        return self.display_name or self.user_name or self.id

    def __bool__(self) -> bool:
        return bool(self.name)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log. The keys in the file are the names here; what is empty is not written.

    `changes` has the old and the new value of each attribute that changed, null where there was or is none; `moved`
    is how many joined and left, should they be too many to list.
    """

    time: str
    id: str
    actions: tuple[str, ...]
    status: int = 0
    method: str = ""
    path: str = ""
    token: str = ""
    ms: float = 0.0
    type: str = ""
    who: Who = Who()
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    joined: tuple[Who, ...] = ()
    left: tuple[Who, ...] = ()
    moved: int = 0
    unknown: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    request: Any = None
    response: Any = None
    request_id: str = ""
    client_request_id: str = ""
    cause: str = ""

    @property
    def failed(self) -> bool:
        """Whether the answer was an error."""
        return self.status >= 400

    @property
    def people(self) -> Iterator[Who]:
        """Everybody whom the entry is about."""
        yield self.who
        yield from self.joined
        yield from self.left

    def to_line(self) -> str:
        """Return the entry as one line of JSON, its time first."""
        line = _dumped(self)
        if len(line) > MAX_LINE:
            line = _dumped(_shortened(self))
        return without_tokens(line)


def read_entry(line: str | bytes) -> Entry:
    """Return the entry in a line; ValueError."""
    try:
        body = {name: value for name, value in json.loads(line).items() if name in _NAMES}
        for name in ("joined", "left"):
            body[name] = tuple(Who(**who) for who in body.get(name, ()))
        body["who"] = Who(**body.get("who", {}))
        for name in ("actions", "unknown"):
            body[name] = tuple(body.get(name, ()))
        return Entry(**body)
    except (AttributeError, TypeError) as error:
        raise ValueError(str(error)) from None


_NAMES = tuple(one.name for one in fields(Entry))


def timestamp(moment: float) -> str:
    """Return a time as entries have it: always of one length, so that text sorts as time does."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def make_entry(event: Event, id: str, registry: Registry, secrets: Secrets) -> Entry | None:
    """Return the entry of an event; None where nothing happened that anybody would look for."""
    outcome, cleaning = event.outcome, secrets.cleaning()
    actions = tuple(_actions(event))
    if actions == ("unchanged",) and not (outcome and outcome.unknown):
        return None
    request = cleaning.request(event.request)
    return Entry(
        time=timestamp(event.time),
        id=id,
        actions=actions,
        status=event.status,
        method=event.method if event.method.isalpha() else "-",
        path=event.path,
        token=event.token,
        ms=round(event.milliseconds, 1),
        **(_of_outcome(outcome, cleaning) if outcome else _of_failure(event, registry)),
        query=cleaning.query(event.query),
        request=request,
        response=cleaning.response(event.response),
        request_id=event.request_id,
        client_request_id=event.client_request_id,
        cause=event.cause,
    )


def who(document: Document) -> Who:
    """Return whom a stored resource is about."""
    return Who(document["id"], document.get("userName", ""), document.get("displayName", ""))


def changes(type: ResourceType, before: Document | None, after: Document | None) -> dict[str, tuple[Any, Any]]:
    """Return the old and the new value of each attribute that differs, by its full name."""
    found = dict(_differences(type, None, before or {}, after or {}))
    for schema in type.extensions:
        old, new = (document.get(schema.id) or {} for document in (before or {}, after or {}))
        found.update(_differences(type, schema.id, old, new))
    return found


def _differences(
    type: ResourceType, extension: str | None, old: Document, new: Document
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if old == new:
        return
    for name in {**old, **new}:
        was, now = old.get(name), new.get(name)
        if was == now or (extension is None and (name in _DERIVED or name in type.schemas)):
            continue
        if type.attribute(extension, name).returned != "never":
            yield (f"{extension}:{name}" if extension else name), (was, now)


def _actions(event: Event) -> Iterator[str]:
    """Yield what was done, the most telling first."""
    outcome = event.outcome
    if outcome:
        yield from _deeds(outcome, event.cause)
    if event.status >= 400:
        yield "failed"


def _deeds(outcome: Outcome, cause: str) -> Iterator[str]:
    before, after = outcome.before, outcome.after
    if before is None:
        yield "created"
    elif after is None:
        yield "purged" if cause == "purge" else "deleted"
    elif not outcome.changed:
        yield "unchanged"
    else:
        switched = before.get("active", True) != after.get("active", True)
        if switched:
            yield "restored" if after.get("active", True) else "disabled"
        if len(changes(outcome.type, before, after)) > switched:
            yield "updated"
    if outcome.joined:
        yield "joined"
    if outcome.left:
        yield "left"


def _of_outcome(outcome: Outcome, cleaning: Cleaning) -> dict[str, Any]:
    document = outcome.after or outcome.before or {"id": outcome.id}
    # Of what was deleted the log says who it was and no more: it is to be forgotten here, too.
    changed = changes(outcome.type, outcome.before, outcome.after) if outcome.after else {}
    return {
        "type": outcome.type.name,
        "who": who(document),
        "changes": {name: cleaning.request(list(values)) for name, values in changed.items()},
        "joined": tuple(map(who, outcome.joined)),
        "left": tuple(map(who, outcome.left)),
        "moved": outcome.moved,
        "unknown": tuple(name[:200] for name in outcome.unknown[:50]),
    }


def _of_failure(event: Event, registry: Registry) -> dict[str, Any]:
    """Return whom a request was about that failed, as far as it says so itself."""
    parts = event.path.strip("/").split("/")
    for place, part in enumerate(parts):
        type = registry.at(part)
        if type:
            id = parts[place + 1] if len(parts) > place + 1 else ""
            return {"type": type.name, "who": _named(event.request, "" if id.startswith(".") else id)}
    return {}


def _named(request: Any, id: str) -> Who:
    body = request if isinstance(request, Mapping) else {}
    names = (body.get(name) for name in ("userName", "displayName"))
    return Who(id, *(name[:200] if isinstance(name, str) else "" for name in names))


def _dumped(entry: Entry) -> str:
    body = {name: value for name in _NAMES if (value := getattr(entry, name))}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_of_who)


def _of_who(value: Who) -> dict[str, str]:
    return {name: text for name in ("id", "user_name", "display_name") if (text := getattr(value, name))}


def _shortened(entry: Entry) -> Entry:
    """Return an entry that is too long for a line without its longest parts."""
    return replace(
        entry,
        changes=dict.fromkeys(list(entry.changes)[:100], (None, TOO_LONG)),
        request=TOO_LONG,
        joined=entry.joined[:100],
        left=entry.left[:100],
    )
