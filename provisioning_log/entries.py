"""The entries of the log: what a request did, to whom, and from which value to which."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from provisioning_log.fitting import TOO_LONG, Room, fitted, shortened
from scim.directory.events import Event
from scim.directory.resources import WriteResult
from scim.schema.resource_types import Registry, ResourceType

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
MAX_LINE = 200_000  # bytes
MAX_NAME = 200  # characters of each of a resource's names
MAX_WORD = 100  # characters of an id, a token's name and the like
MAX_PATH = 500
MAX_UNKNOWN = 50
_NOTES = 1_500  # bytes for the words that say what is missing, of which each level of nesting has two
_DERIVED = ("id", "schemas", "meta")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Subject:
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
    who: Subject = Subject()
    changes: Mapping[str, tuple[Any, Any]] = _NOTHING
    joined: tuple[Subject, ...] = ()
    left: tuple[Subject, ...] = ()
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
    def people(self) -> Iterator[Subject]:
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
        return to_json({name: value for name, value in zip(self._fields, self, strict=True) if value})

    def bounded(self, max_line: int = MAX_LINE) -> "Entry":
        """Return the entry with every field so short that its line has at most `max_line` bytes.

        What says who did what comes first. Then the answer, the changes and the request may each have half of the
        room that is left, and who joined and left has the rest.
        """
        room = Room(max_line - _NOTES)
        words: dict[str, Any] = {name: _word(getattr(self, name), room, length) for name, length in _WORDS.items()}
        short = self._replace(
            **words,
            who=_bounded_who(self.who, room),
            unknown=tuple(_word(one, room, MAX_NAME) for one in self.unknown[:MAX_UNKNOWN]),
            query={_word(name, room): _word(value, room, MAX_PATH) for name, value in self.query.items()},
        )
        response = _in_half(self.response, room)
        changes = _bounded_changes(self.changes, room)
        request = _in_half(self.request, room)
        joined, left = _bounded_people(self.joined, self.left, room)
        return short._replace(response=response, changes=changes, request=request, joined=joined, left=left)


_WORDS = {"method": 20, "path": MAX_PATH, "by": MAX_WORD, "type": MAX_WORD, "request_id": MAX_WORD}
_WORDS |= {"client_request_id": MAX_WORD, "cause": MAX_WORD}


def to_json(value: Any) -> str:
    """Return a value as an entry's line has it."""
    try:
        return orjson.dumps(value, _of_who, orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:  # a number of more than 64 bits, or half a surrogate pair
        return _encoder.encode(value)


def read_entry(line: str | bytes) -> Entry:
    """Return the entry in a line, each of its fields as `Entry` says, whatever the line has in it. Raises ValueError.

    Anybody who can write the file can put any JSON into it, and other versions have other fields. What is not of the
    right type is taken for empty, so what works with entries need not ask. A line without a valid time and id is no
    entry.
    """
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    try:
        body = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("the line is nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("the line is not an object")
    if _is_unusual(text):
        body = fitted(body, Room(2 * MAX_LINE))
    time, id = body.get("time"), body.get("id")
    if not (isinstance(time, str) and _is_time(time) and isinstance(id, str) and _ID.fullmatch(id)):
        raise ValueError("the line has no valid time and id")
    return Entry(
        time,
        id,
        _read_texts(body.get("actions")),
        status=int(_read_number(body.get("status"), 999)),
        ms=_read_number(body.get("ms"), _MOST),
        who=_read_who(body.get("who")),
        changes={name: pair for name, pair in _read_object(body.get("changes")).items() if _is_pair(pair)},
        joined=_read_people(body.get("joined")),
        left=_read_people(body.get("left")),
        moved=int(_read_number(body.get("moved"), _MOST)),
        unknown=_read_texts(body.get("unknown"))[:MAX_UNKNOWN],
        query={name: one for name, one in _read_object(body.get("query")).items() if isinstance(one, str)},
        request=body.get("request"),
        response=body.get("response"),
        **{name: _read_text(body.get(name)) for name in _WORDS},
    )


def _is_time(text: str) -> bool:
    """Return whether a text is a time as `timestamp` has it."""
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_MOST = 10**12
_MOST_BRACKETS = 100  # no value is nested deeper than this without being looked at


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text[:20])


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)


def _is_unusual(text: str) -> bool:
    """Return whether a line is too long, or may be nested too deeply or have half a surrogate pair in it."""
    return len(text) > MAX_LINE or text.count("{") + text.count("[") > _MOST_BRACKETS or "\\u" in text


def _read_text(value: Any) -> str:
    return value[:MAX_PATH] if isinstance(value, str) else ""


def _read_texts(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(_read_text, value))) if isinstance(value, list) else ()


def _read_number(value: Any, most: int) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most else 0


def _read_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_who(value: Any) -> Subject:
    given = _read_object(value)
    return Subject(*(_read_text(given.get(name)) for name in ("id", "user_name", "display_name")))


def _read_people(value: Any) -> tuple[Subject, ...]:
    return tuple(filter(None, map(_read_who, value))) if isinstance(value, list) else ()


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


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


def who(document: Document) -> Subject:
    """Return whom a stored resource is about."""
    return Subject(document["id"], document.get("userName", ""), document.get("displayName", ""))


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


def _deeds(outcome: WriteResult, changed: Changes, cause: str) -> list[str]:
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


def _of_outcome(outcome: WriteResult, changed: Changes) -> dict[str, Any]:
    return {
        "type": outcome.type.name,
        "who": who(outcome.after or outcome.before or {"id": outcome.id}),
        # A deletion adds no values to the log; the entries before it keep theirs until they are too old.
        "changes": changed if outcome.after else {},
        "joined": tuple(map(who, outcome.joined)),
        "left": tuple(map(who, outcome.left)),
        "moved": outcome.moved,
        "unknown": outcome.unknown[:MAX_UNKNOWN],
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


def _named(request: Any, id: str) -> Subject:
    body = request if isinstance(request, Mapping) else {}
    names = (body.get(name) for name in ("userName", "displayName"))
    return Subject(id, *(name if isinstance(name, str) else "" for name in names))


def _of_who(value: Subject) -> dict[str, str]:
    return {name: text for name in ("id", "user_name", "display_name") if (text := getattr(value, name))}


_encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_of_who)


def _word(text: str, room: Room, length: int = MAX_WORD) -> str:
    kept = shortened(text, length)
    return kept if room.takes(kept) else ""


def _bounded_who(value: Subject, room: Room) -> Subject:
    return Subject(*(_word(text, room, MAX_NAME) for text in (value.id, value.user_name, value.display_name)))


def _in_half(value: Any, room: Room) -> Any:
    half = room.half()
    kept = fitted(value, half)
    room.give_back(half)
    return kept


def _bounded_changes(changed: Mapping[str, Any], room: Room) -> dict[str, Any]:
    half = room.half()
    kept: dict[str, Any] = {}
    for name, (old, new) in changed.items():
        if not half.takes(name):
            kept[f"(and {len(changed) - len(kept)} more)"] = (None, TOO_LONG)
            break
        kept[shortened(name)] = (fitted(old, half, 1), fitted(new, half, 1))
    room.give_back(half)
    return kept


def _bounded_people(
    joined: tuple[Subject, ...], left: tuple[Subject, ...], room: Room
) -> tuple[tuple[Subject, ...], tuple[Subject, ...]]:
    """Return the first who joined and who left. Both lists are cut at the same length, as `unlisted` expects."""
    kept: tuple[list[Subject], list[Subject]] = ([], [])
    for both in zip_longest(joined, left):
        found = [one and _bounded_who(one, room) for one in both]
        if not room.takes("user_name display_name id user_name display_name id"):
            break
        for people, one in zip(kept, found, strict=True):
            if one is not None:
                people.append(one)
    return tuple(kept[0]), tuple(kept[1])
