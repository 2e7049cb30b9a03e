"""Records what a transaction changes, as one entry of the store's log: the events of the feed in a compact form."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import zip_longest
from random import getrandbits
from time import time
from typing import Any

from scim.directory.differences import changes
from scim.directory.role_changes import GroupChanges, RoleHistory
from scim.directory.roles import USER
from scim.protocol.projection import DEFAULT_PROJECTION
from scim.schema.resource_types import GROUP, MEMBERS, MEMBERSHIP, Registry, ResourceType
from storage.base import Document, Reader, StoredDocument, Writer

TYPED = 1_000  # members of one transaction whose resource type is looked up
_NAMES = ("externalId", "userName", "displayName")

_STORED = StoredDocument(b"{}", lambda _: {})  # for a membership, whose id says all

Event = dict[str, Any]


class Recorder:
    """A writer that notes each document before and after the transaction."""

    def __init__(self, writer: Writer, registry: Registry) -> None:
        self._writer, self._registry = writer, registry
        self._before: dict[tuple[str, str], StoredDocument | None] = {}
        self._after: dict[tuple[str, str], Document | None] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def insert(self, kind: str, *documents: Document) -> None:
        """Add documents."""
        self._writer.insert(kind, *documents)
        for document in documents:
            self._before.setdefault((kind, document["id"]), None)
            self._after[kind, document["id"]] = document

    def replace(self, kind: str, document: Document) -> None:
        """Replace a document."""
        before = self._writer.get(kind, document["id"])
        self._writer.replace(kind, document)
        self._before.setdefault((kind, document["id"]), before)
        self._after[kind, document["id"]] = document

    def delete(self, kind: str, *ids: str) -> None:
        """Delete documents."""
        before = [_STORED if kind == MEMBERSHIP else self._writer.get(kind, id) for id in ids]
        self._writer.delete(kind, *ids)
        for id, stored in zip(ids, before, strict=True):
            self._before.setdefault((kind, id), stored)
            self._after[kind, id] = None

    def entry(self) -> Document | None:
        """Return the entry of the transaction, or None if it changed nothing."""
        if not self._after:
            return None
        # Made for speed: nothing here needs to be secret, and the time becomes text when it is read.
        return {"id": f"{getrandbits(64):016x}", "time": time(), "events": list(self._events())}

    def _events(self) -> Iterator[Event]:
        """Yield the events: of resources that are there, then of members, then of deleted resources.

        So a member is removed from its groups before it is deleted.
        """
        changed = self._group_changes()
        history = RoleHistory(self._writer, self._registry, changed) if self._registry.roles else None
        deleted = []
        for (kind, id), after in self._after.items():
            type, stored = self._registry.types.get(kind), self._before[kind, id]
            before = stored.data if type and stored else None
            if type and history:
                before = before and history.before(type, before)
                after = after and history.after(type, after)
            if type and after is not None:
                yield from _kept(type, before, after)
            elif type and before:
                deleted.append({"kind": kind, "verb": "deleted", "data": _shown(type, before)})
        yield from self._of_members(changed)
        if history:
            yield from self._of_roles(history)
        yield from deleted

    def _group_changes(self) -> GroupChanges:
        changed = GroupChanges()
        for (kind, id), after in self._after.items():
            before = self._before[kind, id]
            if kind == GROUP:
                changed.before[id] = before.data if before else None
            elif kind == MEMBERSHIP and (before is None) != (after is None):
                group, _, member = id.partition(".")
                (changed.left if after is None else changed.joined).append((group, member))
        return changed

    def _of_roles(self, history: RoleHistory) -> Iterator[Event]:
        """Yield the updates of users that only the roles of their groups changed."""
        for before, after in history.changed():
            if (USER, after["id"]) not in self._after:
                yield from _kept(self._registry.types[USER], before, after)

    def _of_members(self, changed: GroupChanges) -> Iterator[Event]:
        """Yield the members that left and joined each group. Those of a deleted group are not listed."""
        moved: dict[str, tuple[list[str], list[str]]] = {}
        for is_new, pairs in enumerate((changed.left, changed.joined)):
            for group, member in pairs:
                moved.setdefault(group, ([], []))[is_new].append(member)
        untyped, kinds = TYPED, self._registry.types[GROUP].attribute(None, MEMBERS).refers_to
        for group, lists in moved.items():
            stored = self._group(group)
            for verb, members in zip(("removed", "added"), lists, strict=True):
                if stored and members:
                    types = [self._type_of(kinds, member) for member in members[: max(untyped, 0)]]
                    yield moves(stored, verb, members, types)
                    untyped -= len(members)

    def _group(self, id: str) -> Document | None:
        """Return a group, or None if the transaction deleted it."""
        if self._after.get((GROUP, id), id) is None:
            return None
        stored = self._writer.get(GROUP, id)
        return stored.data if stored else {"id": id}

    def _type_of(self, kinds: Iterable[str], member: str) -> str:
        changed = (kind for kind in kinds if (kind, member) in self._before)
        return next(changed, "") or member_type(self._writer, kinds, member)


def member_type(reader: Reader, kinds: Iterable[str], id: str) -> str:
    """Return the resource type of a member, or "" if no resource has the id."""
    return next((kind for kind in kinds if reader.get(kind, id)), "")


def moves(group: Document, verb: str, members: Iterable[str], types: Iterable[str]) -> Event:
    """Return the event of members that joined or left a group, in the form that an entry has it: one for all."""
    elements = [
        {"value": member, "type": type} if type else {"value": member} for member, type in zip_longest(members, types)
    ]
    return {"kind": GROUP, "verb": f"member_{verb}", "data": reference(GROUP, group), "members": elements}


def reference(kind: str, document: Document) -> Document:
    """Return what names a resource: its type and id, the client's id of it and its name."""
    named = {name: document[name] for name in _NAMES if name in document}
    if "userName" in named:
        named.pop("displayName", None)
    return {"type": kind, "id": document["id"], **named}


def expanded(event: Event) -> Iterator[Event]:
    """Yield an event of an entry in its full form; there is one for each member that joined or left a group."""
    kind, data = event["kind"], event["data"]
    named = {"type": event_name(kind, event["verb"]), "resource": reference(kind, data)}
    if "members" in event:
        yield from ({**named, "data": member, "changes": {}} for member in event["members"])
    else:
        before = event.get("before", {})
        names = [*before, *event.get("new", ())]
        yield {**named, "data": data, "changes": {name: [before.get(name), _value(data, name)] for name in names}}


def _value(data: Document, name: str) -> Any:
    extension, _, name = name.rpartition(":")
    return (data.get(extension, {}) if extension else data).get(name)


def event_name(kind: str, verb: str) -> str:
    """Return the type of an event, such as user.created."""
    return f"{kind[0].lower()}{kind[1:]}.{verb}"


def created(type: ResourceType, document: Document) -> Event:
    """Return the event of a resource's creation."""
    return {"kind": type.name, "verb": "created", "data": _shown(type, document)}


def _kept(type: ResourceType, before: Document | None, after: Document) -> Iterator[Event]:
    """Yield the event of a resource that the transaction created or changed, if more than its version changed."""
    if before is None:
        yield created(type, after)
    elif found := changes(type, before, after):
        shown, visible = _shown(type, after), _visible(type)
        if not visible.issuperset(found):
            found = changes(type, _shown(type, before), shown)
        # A value that is null would take another, slow way to JSON.
        old = {name: was for name, (was, _) in found.items() if was is not None}
        event = {"kind": type.name, "verb": _verb(before, after), "data": shown, "before": old}
        yield event if len(old) == len(found) else {**event, "new": [name for name in found if name not in old]}


def _verb(before: Document, after: Document) -> str:
    was, is_now = before.get("active") is not False, after.get("active") is not False
    return "updated" if was == is_now else "enabled" if is_now else "disabled"


def _shown(type: ResourceType, document: Document) -> Document:
    """Return the attributes that are returned by default, so no secrets."""
    return DEFAULT_PROJECTION.bind(type).project(document)


@lru_cache(maxsize=64)
def _visible(type: ResourceType) -> frozenset[str]:
    """Return the full names of the attributes that are returned by default with all their parts."""
    return frozenset(
        f"{extension}:{one.name}" if extension else one.name
        for extension, attributes in type.attributes_by_schema()
        for one in attributes
        if all(part.returned in ("always", "default") for part in (one, *one.sub_attributes))
    )
