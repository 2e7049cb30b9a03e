"""The entries of the log: what a request did, to whom, and from which value to which."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from scim.events import Event
from scim.registry import Registry, ResourceType
from scim.resources import Outcome

Document = dict[str, Any]
Changes = dict[str, tuple[Any, Any]]
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
_NOTHING: Mapping[str, Any] = MappingProxyType({})


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


class Entry(NamedTuple):
    """One line of the log. The keys in the file are the names here; what is empty is not written.

    `by` is the name of the token. `changes` has the old and the new value of each attribute that changed, null where
    there was or is none. `moved` is how many joined and left, of whom the first are listed.
    """

    time: str
    id: str
    actions: tuple[str, ...]
    status: int = 0
    method: str = ""
    path: str = ""
    by: str = ""
    ms: float = 0.0
    type: str = ""
    who: Who = Who()
    changes: Mapping[str, tuple[Any, Any]] = _NOTHING
    joined: tuple[Who, ...] = ()
    left: tuple[Who, ...] = ()
    moved: int = 0
    unknown: tuple[str, ...] = ()
    query: Mapping[str, str] = _NOTHING
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

    @property
    def unlisted(self) -> tuple[int, int, int]:
        """How many joined, how many left, and how many did one or the other, beside those who are listed.

        The lists are cut at the same length: the shorter one has everybody, and of two long ones nobody knows.
        """
        joined, left = len(self.joined), len(self.left)
        missing = max(self.moved - joined - left, 0) if joined or left else 0
        return (missing * (joined > left), missing * (left > joined), missing * (joined == left))

    def to_line(self) -> str:
        """Return the entry as one line of JSON, its time first."""
        line = _dumped(self)
        return line if len(line) <= MAX_LINE else _dumped(_shortened(self))


def to_json(value: Any) -> str:
    """Return a value as an entry's line has it."""
    try:
        return orjson.dumps(value, _of_who, orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:  # a number of more than 64 bits, or half a surrogate pair
        return _encoder.encode(value)


def read_entry(line: str | bytes) -> Entry:
    """Return the entry in a line. Raises ValueError."""
    try:
        body = {name: value for name, value in json.loads(line).items() if name in Entry._fields}
        for name in ("joined", "left"):
            body[name] = tuple(Who(**who) for who in body.get(name, ()))
        body["who"] = Who(**body.get("who", {}))
        for name in ("actions", "unknown"):
            body[name] = tuple(body.get(name, ()))
        return Entry(**body)
    except (AttributeError, TypeError) as error:
        raise ValueError(str(error)) from None


def timestamp(moment: float) -> str:
    """Return a time as entries have it: always of one length, so that text sorts as time does."""
    seconds, microseconds = divmod(round(moment * 1_000_000), 1_000_000)
    return f"{_second(seconds)}.{microseconds:06}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    """Return a time without its fraction: many entries share one."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def make_entry(event: Event, id: str, registry: Registry) -> Entry | None:
    """Return the entry of an event, secrets and all; None where nothing happened that anybody would look for."""
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
        by=event.token,
        ms=round(event.milliseconds, 1),
        **(_of_outcome(outcome, changed) if outcome else _of_failure(event, registry) if event.token else {}),
        query=event.query,
        request=event.request,
        response=event.response,
        request_id=event.request_id,
        client_request_id=event.client_request_id,
        cause=event.cause,
    )


def who(document: Document) -> Who:
    """Return whom a stored resource is about."""
    return Who(document["id"], document.get("userName", ""), document.get("displayName", ""))


def changes(type: ResourceType, before: Document | None, after: Document | None) -> Changes:
    """Return the old and the new value of each attribute that differs, by its full name."""
    found = _differences(before or {}, after or {})
    for name in _DERIVED:
        found.pop(name, None)
    for schema in type.extensions:
        if schema.id in found:
            old, new = found.pop(schema.id)
            found |= _differences(old or {}, new or {}, f"{schema.id}:")
    return found


def _differences(old: Document, new: Document, prefix: str = "") -> Changes:
    found = {}
    for name in {**old, **new}:
        was, now = old.get(name), new.get(name)
        if was is not now and was != now:
            found[prefix + name] = (was, now)
    return found


def _actions(event: Event, changed: Changes) -> tuple[str, ...]:
    """Return what was done, the most telling first."""
    done = _deeds(event.outcome, changed, event.cause) if event.outcome else []
    if event.status >= 400:
        done.append("failed")
    return tuple(done)


def _deeds(outcome: Outcome, changed: Changes, cause: str) -> list[str]:
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
    """Return what became of a resource whose `active` changed, perhaps among others; who has no `active` is."""
    was, now = (value is not False for value in changed.get("active", (None, None)))
    switched = [] if was == now else ["restored" if now else "disabled"]
    return [*switched, "updated"] if len(changed) > len(switched) else switched


def _of_outcome(outcome: Outcome, changed: Changes) -> dict[str, Any]:
    return {
        "type": outcome.type.name,
        "who": who(outcome.after or outcome.before or {"id": outcome.id}),
        # A deletion adds no values to the log; the entries before it keep theirs until they are too old.
        "changes": changed if outcome.after else {},
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
    return to_json({name: value for name, value in zip(Entry._fields, entry, strict=True) if value})


def _of_who(value: Who) -> dict[str, str]:
    return {name: text for name in ("id", "user_name", "display_name") if (text := getattr(value, name))}


_encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_of_who)


def _shortened(entry: Entry) -> Entry:
    """Return an entry that is too long for a line without its longest parts."""
    return entry._replace(
        changes=dict.fromkeys(list(entry.changes)[:100], (None, TOO_LONG)),
        request=TOO_LONG,
        joined=entry.joined[:100],
        left=entry.left[:100],
    )
