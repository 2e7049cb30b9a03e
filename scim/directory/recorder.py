"""Records what a transaction changes, as one entry of the store's log: the events of the feed in a compact form."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from secrets import token_hex
from typing import Any

from scim.directory.differences import changes
from scim.directory.role_changes import GroupChanges, RoleHistory
from scim.directory.roles import USER
from scim.protocol.preconditions import now
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
        self._types = registry.types[GROUP].attribute(None, MEMBERS).refers_to

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
        return {"id": token_hex(8), "time": now(), "events": list(self._events())}

    def _events(self) -> Iterator[Event]:
        """Yield the events: of resources that are there, then of members, then of deleted resources.

        So a member is removed from its groups before it is deleted.
        """
        changed = self._group_changes()
        history = RoleHistory(self._writer, self._registry, changed)
        deleted = []
        for (kind, id), after in self._after.items():
            type, stored = self._registry.types.get(kind), self._before[kind, id]
            before = history.before(type, stored.data) if type and stored else None
            if type and after is not None:
                yield from _kept(type, before, history.after(type, after))
            elif type and before:
                deleted.append(_event(type, "deleted", _shown(type, before)))
        yield from self._of_members(changed)
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
        untyped = TYPED
        for group, lists in moved.items():
            stored = self._group(group)
            for verb, members in zip(("removed", "added"), lists, strict=True):
                if stored and members:
                    types = [self._type_of(member) for member in members[: max(untyped, 0)]]
                    yield moves(self._registry.types[GROUP], stored, verb, members, types)
                    untyped -= len(members)

    def _group(self, id: str) -> Document | None:
        """Return a group, or None if the transaction deleted it."""
        if self._after.get((GROUP, id), id) is None:
            return None
        stored = self._writer.get(GROUP, id)
        return stored.data if stored else {"id": id}

    def _type_of(self, member: str) -> str:
        kinds = (kind for kind in self._types if (kind, member) in self._before)
        return next(kinds, "") or member_type(self._writer, self._types, member)


def member_type(reader: Reader, kinds: Iterable[str], id: str) -> str:
    """Return the resource type of a member, or "" if no resource has the id."""
    return next((kind for kind in kinds if reader.get(kind, id)), "")


def moves(type: ResourceType, group: Document, verb: str, members: Iterable[str], types: Iterable[str]) -> Event:
    """Return the event of members that joined or left a group, in the form that an entry has it: one for all."""
    elements = [
        {"value": member, "type": type} if type else {"value": member} for member, type in zip_longest(members, types)
    ]
    return {"type": event_name(type, f"member_{verb}"), "resource": reference(type, group), "members": elements}


def event_name(type: ResourceType, verb: str) -> str:
    """Return the type of an event, such as user.created."""
    return f"{type.name[0].lower()}{type.name[1:]}.{verb}"


def reference(type: ResourceType, document: Document) -> Document:
    """Return what names a resource: its type and id, the client's id of it and its name."""
    named = {name: document[name] for name in _NAMES if name in document}
    if "userName" in named:
        named.pop("displayName", None)
    return {"type": type.name, "id": document["id"], **named}


def created(type: ResourceType, document: Document) -> Event:
    """Return the event of a resource's creation."""
    return _event(type, "created", _shown(type, document))


def _kept(type: ResourceType, before: Document | None, after: Document) -> Iterator[Event]:
    """Yield the event of a resource that the transaction created or changed, if more than its version changed."""
    if before is None:
        yield created(type, after)
    elif {**before, "meta": None} != {**after, "meta": None}:
        shown = _shown(type, after)
        changed = changes(type, _shown(type, before), shown)
        was, is_now = before.get("active") is not False, after.get("active") is not False
        verb = "updated" if was == is_now else "enabled" if is_now else "disabled"
        yield {**_event(type, verb, shown), "changes": changed}


def _event(type: ResourceType, verb: str, shown: Document) -> Event:
    return {"type": event_name(type, verb), "resource": reference(type, shown), "data": shown}


def _shown(type: ResourceType, document: Document) -> Document:
    """Return the attributes that are returned by default, so no secrets."""
    return DEFAULT_PROJECTION.bind(type).project(document)
