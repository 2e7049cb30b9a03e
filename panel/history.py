"""What happened to one resource, from the provisioning log, in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from panel.log.entries import Entry, Who
from panel.log.exports import flat
from panel.names import Names, texts
from scim.attributes import Attribute
from scim.registry import ResourceType

_FEW = 5
_BY = {"panel": "the administrator, here", "purge": "the purge of who was disabled for long"}


@dataclass(frozen=True, slots=True)
class Change:
    """An attribute's readable name with the old and the new value, empty where there was or is none."""

    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened; `status` is 0 where it went well, `group` the id of who was joined or left."""

    time: str
    deed: str
    by: str
    status: int
    changes: tuple[Change, ...]
    group: str = ""
    group_name: str = ""


def lines(entries: Iterable[Entry], type: ResourceType, id: str, names: Names) -> list[Line]:
    """Return what the entries say of the resource, in their order."""
    return [_line(entry, type, id, names) for entry in entries]


def _line(entry: Entry, type: ResourceType, id: str, names: Names) -> Line:
    by = entry.by or _BY.get(entry.cause, entry.cause) or "somebody without a known token"
    status = entry.status if entry.failed else 0
    if entry.who.id == id:
        return Line(entry.time, ", ".join(_deeds(entry)), by, status, tuple(_changes(entry, type, names)))
    deed = "joined" if any(who.id == id for who in entry.joined) else "left"
    return Line(entry.time, deed, by, status, (), entry.who.id, entry.who.name)


def _deeds(entry: Entry) -> Iterator[str]:
    for action in entry.actions:
        moved = {"joined": entry.joined, "left": entry.left}.get(action, ())
        yield f"{_listed(moved)} {action}" if moved else action


def _listed(people: tuple[Who, ...]) -> str:
    text = ", ".join(who.name for who in people[:_FEW])
    return f"{text} and {len(people) - _FEW} more" if len(people) > _FEW else text


def _changes(entry: Entry, type: ResourceType, names: Names) -> Iterator[Change]:
    for name, values in entry.changes.items():
        for part, old, new in flat(name, values):
            target = type.resolve(part)
            if target and target.attribute:
                yield Change(names.label(target), _shown(target.leaf, old), _shown(target.leaf, new))


def _shown(attribute: Attribute, value: Any) -> str:
    return "" if value is None else ", ".join(texts(attribute, value))
