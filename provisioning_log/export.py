"""Entries in other formats: a line of text, an exchange to replay, a row of a spreadsheet."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provisioning_log.advice import advice
from provisioning_log.entries import Entry, Subject
from scim.schema.resource_types import Registry, ResourceType
from scim.schema.validation import set_schemas

_SHOWN_CHANGES = 4
_SHOWN_PEOPLE = 5
COLUMNS = (
    *("time", "actions", "status", "type", "who_id", "user_name", "display_name", "changes", "joined", "left", "moved"),
    *("unknown", "detail", "advice", "by", "method", "path", "ms", "request_id", "client_request_id", "cause", "id"),
)


def summary(entry: Entry) -> str:
    """Return an entry as one line of text."""
    if "lost" in entry.actions:
        return f"{_time(entry)} --- {entry.moved} entries could not be written"
    about = " ".join(filter(None, (entry.type, _name(entry.who))))
    head = f"{_time(entry)} {entry.status} {'+'.join(entry.actions)} {about or entry.path}"
    tail = f"({entry.by or entry.cause or 'unauthenticated'}, {entry.ms} ms)"
    return _printable(" ".join((": ".join(filter(None, (head, "; ".join(_facts(entry))))), tail)))


def detail(entry: Entry) -> str:
    """Return why a request failed: the reason for which its token was rejected, or the detail of the response."""
    body = entry.response if isinstance(entry.response, Mapping) else {}
    return entry.reason or str(body.get("detail", ""))


def as_exchange(entry: Entry, registry: Registry) -> dict[str, Any]:
    """Return an entry as JSON that can be replayed: `method`, `path`, `query`, `request`, `response`, `status`.

    The response to a creation is rebuilt from the stored values and the new id.
    """
    body: dict[str, Any] = json.loads(entry.to_line())
    if "created" in entry.actions and not entry.failed:
        body["response"] = _created(entry, registry.types.get(entry.type))
    if entry.failed:
        body["advice"] = advice(entry)
    if any(entry.unlisted):
        body["unlisted"] = sum(entry.unlisted)
    return body


def as_row(entry: Entry) -> dict[str, Any]:
    """Return an entry as a row with the columns `COLUMNS`."""
    row: dict[str, Any] = {name: getattr(entry, name) for name in COLUMNS if hasattr(entry, name)}
    row |= {name: getattr(entry.who, name) for name in ("user_name", "display_name")}
    row |= {"who_id": entry.who.id, "detail": detail(entry), "advice": advice(entry)}
    row |= {name: " ".join(row[name]) for name in ("actions", "unknown")}
    row |= {name: "; ".join(subject.name for subject in getattr(entry, name)) for name in ("joined", "left")}
    joined, left, either = entry.unlisted
    row["joined"] += f"; and {joined} more, not listed" if joined else ""
    row["left"] += f"; and {left} more, not listed" if left else ""
    row["moved"] = f"{entry.moved}, {either} of them not listed" if either else entry.moved or ""
    row["changes"] = json.dumps(entry.changes, ensure_ascii=False) if entry.changes else ""
    return {name: row[name] for name in COLUMNS}


def people_of(people: Sequence[Subject], missing: int, shown: int) -> str:
    """Return the first names and the number of others, including unlisted ones."""
    more = max(len(people) - shown, 0) + missing
    return ", ".join(subject.name for subject in people[:shown]) + (f" and {more:,} more" if more else "")


def flat(name: str, values: tuple[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the old and new value of an attribute, or of each changed sub-attribute."""
    old, new = values
    if isinstance(old or new, dict) and isinstance(new or old, dict):
        for part in {**(old or {}), **(new or {})}:
            was, now = ((value or {}).get(part) for value in (old, new))
            if was != now:
                yield f"{name}.{part}", was, now
    else:
        yield name, old, new


def shown(value: Any) -> str:
    """Return a value as text."""
    if value is None:
        return "(empty)"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "value" in item for item in value):
        return ", ".join(f"{item['value']}{_kind(item)}" for item in value)
    return json.dumps(value, ensure_ascii=False)


def _facts(entry: Entry) -> Iterator[str]:
    if entry.failed:
        yield " ".join(filter(None, (detail(entry), advice(entry))))
    elif "read" in entry.actions:
        yield " ".join((entry.path, *(f"{name}={value}" for name, value in entry.query.items())))
    elif "created" not in entry.actions:
        facts = [fact for name, values in entry.changes.items() for fact in flat(name, values)]
        for name, old, new in facts[:_SHOWN_CHANGES]:
            yield f"{name.rpartition(':')[2]} {shown(old)} -> {shown(new)}"
        if len(facts) > _SHOWN_CHANGES:
            yield f"and {len(facts) - _SHOWN_CHANGES} more"
    joined, left, either = entry.unlisted
    for word, people, missing in (("joined", entry.joined, joined), ("left", entry.left, left)):
        if people:
            yield f"{word} {people_of(people, missing, _SHOWN_PEOPLE)}"
    if either:
        yield f"{either:,} more joined or left"
    if entry.unknown:
        yield f"unknown attributes: {', '.join(entry.unknown)}"


def _name(who: Subject) -> str:
    return f"{who.name} ({who.user_name})" if who.user_name and who.display_name else who.name


def _time(entry: Entry) -> str:
    return f"{entry.time[:10]} {entry.time[11:19]}Z"


def _kind(element: Mapping[str, Any]) -> str:
    return f" ({element['type']})" if element.get("type") else ""


def _created(entry: Entry, type: ResourceType | None) -> dict[str, Any]:
    document: dict[str, Any] = {"id": entry.who.id}
    for name, (_, value) in entry.changes.items():
        urn, _, attribute = name.rpartition(":")
        container = document.setdefault(urn, {}) if urn else document
        if isinstance(container, dict):  # in a log written by another program, the URN may be an attribute
            container[attribute] = value
    if type:
        set_schemas(type, document)
    return document


def _printable(text: str) -> str:
    """Replace characters that could control a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
