"""The operations on resources, without HTTP: create, get, query, replace, patch, delete."""

import uuid
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import orjson

from scim.budget import Budget
from scim.directory import disabled, memberships
from scim.directory.context import ResourceUrl
from scim.directory.delete import delete_resource, remove_references
from scim.directory.feed import Feed
from scim.directory.indexes import Indexes
from scim.directory.lists import ListQuery, Lists
from scim.directory.relations import Relations, strip_derived
from scim.directory.rendering import RenderCache, RenderedResource, ResourceRenderer
from scim.directory.search import Page, Search
from scim.directory.transactions import existing, not_found, save, transaction
from scim.protocol import patch
from scim.protocol.leniency import STRICT, Leniency
from scim.protocol.operations import load_patch
from scim.protocol.patch import Operation, check_all_immutable
from scim.protocol.preconditions import UNCONDITIONAL, Preconditions, new_version, now, version_of
from scim.protocol.projection import DEFAULT_PROJECTION, Projection
from scim.protocol.query import Query
from scim.schema.resource_types import GROUP, MEMBERS, Registry, ResourceType, Target
from scim.schema.validation import load_resource
from storage.base import Document, Reader, Store, Writer

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_FEW_STEPS = 20  # for each element: fewer are not worth reading the resource before the lock is taken


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write did: the stored resource before (None if created) and after (None if deleted).

    `unknown` has the names in the request that no schema defines; their values are not stored. `joined` and `left`
    are the members added to and removed from a group, up to a limit; `moved` counts all of them.
    """

    type: ResourceType
    id: str
    before: Document | None
    after: Document | None
    unknown: tuple[str, ...] = ()
    joined: tuple[Document, ...] = ()
    left: tuple[Document, ...] = ()
    moved: int = 0

    @property
    def changed(self) -> bool:
        """Return whether the write changed anything."""
        return self.after is not self.before


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources in a store. `leniency` decides how strictly requests are read."""

    feed: Feed
    store: Store
    registry: Registry
    indexes: Indexes
    resource_url: ResourceUrl
    leniency: Leniency = STRICT
    cache: RenderCache = field(default_factory=RenderCache)
    lists: Lists = field(default_factory=Lists)

    def create(self, type: ResourceType, body: Mapping[str, Any], *, id: str | None = None) -> WriteResult:
        """Create a resource, with the reserved id if given. Raises InvalidValue, InvalidSyntax, Uniqueness."""
        document, unknown = load_resource(type, self.leniency.resource(type, body))
        moment = now()
        meta = {
            "resourceType": type.name,
            "created": moment,
            "lastModified": moment,
            "version": new_version(),
        }
        document, joining = self._strip_derived(type, {"schemas": [], "id": id or new_id(), **document, "meta": meta})
        with self._writing() as writer:
            writer.insert(type.name, document)
            disabled.track(writer, document["id"], None, document)
            changes = memberships.add_members(writer, document["id"], joining)
            return self._result(writer, type, None, document, unknown, changes)

    def get(
        self,
        type: ResourceType,
        id: str,
        projection: Projection = DEFAULT_PROJECTION,
        conditions: Preconditions = UNCONDITIONAL,
    ) -> RenderedResource:
        """Return a resource as the client sees it, with an empty text if the client has this version already.

        Raises NotFound, PreconditionFailed.
        """
        with self._reading() as reader:
            stored = reader.get(type.name, id)
            if stored is None:
                raise not_found(type, id)
            if conditions != UNCONDITIONAL:
                version = version_of(stored.data)
                if conditions.is_unchanged(version):
                    return RenderedResource(version, b"")
            return self._renderer(reader).render_stored(type, stored, projection)

    def render(
        self, type: ResourceType, document: Document, projection: Projection = DEFAULT_PROJECTION
    ) -> RenderedResource:
        """Return a stored resource as the client sees it."""
        with self._reading() as reader:
            return self._renderer(reader).render(type, document, projection)

    def query(
        self, types: list[ResourceType], query: Query, secret: bytes, projection: Projection = DEFAULT_PROJECTION
    ) -> bytes:
        """Return the ListResponse of a query over some types (RFC 7644 section 3.4.2); `secret` signs cursors."""
        with self._reading() as reader:
            renderer = self._renderer(reader)
            page = Search(types, query, renderer.relations, self.indexes, self.leniency).page(secret)
            texts = [renderer.texts(type, found, projection) for type, found in page.found]
            return _list_response(page, query, list(chain.from_iterable(texts)))

    def page(
        self, type: ResourceType, query: ListQuery, projection: Projection, start: int = 0, count: int | None = None
    ) -> tuple[int, list[Document]]:
        """Return the number of all resources in a list for people, and those from `start` on."""
        with self._reading() as reader:
            rows = self.lists.find(reader, type.name, query)
            shown = rows[start:] if count is None else rows[start : start + count]
            found = filter(None, (reader.get(type.name, row.id) for row in shown))
            texts = self._renderer(reader).texts(type, found, projection)
            return len(rows), list(map(orjson.loads, texts))

    def prepare_lists(self, type: ResourceType, columns: Iterable[Target]) -> None:
        """Prepare lists that are sorted by one of these columns."""
        with self._reading() as reader:
            self.lists.prepare(reader, type.name, columns)

    def count(self, type: ResourceType) -> tuple[int, int]:
        """Return how many resources of a type are active and how many are disabled."""
        with self._reading() as reader:
            return self.lists.count(reader, type.name)

    def replace(
        self, type: ResourceType, id: str, body: Mapping[str, Any], conditions: Preconditions = UNCONDITIONAL
    ) -> WriteResult:
        """Replace a resource (RFC 7644 section 3.5.1).

        Raises what `create` does, and NotFound, PreconditionFailed, Mutability.
        """
        loaded, unknown = load_resource(type, self.leniency.resource(type, body))
        with self._writing() as writer:
            before = existing(writer, type, id, conditions)
            kept = {"schemas": [], "id": id, **loaded, "meta": before["meta"]}
            after, joining = self._strip_derived(type, kept)
            check_all_immutable(type, before, after)
            changes = memberships.set_members(writer, id, joining)
            saved = save(writer, type, before, after, members_changed=changes.count > 0)
            return self._result(writer, type, before, saved, unknown, changes)

    def patch(
        self,
        type: ResourceType,
        id: str,
        body: Mapping[str, Any],
        budget: Budget,
        conditions: Preconditions = UNCONDITIONAL,
    ) -> WriteResult:
        """Apply a PatchOp message as a whole or not at all (RFC 7644 section 3.5.2).

        Raises what `load_patch` and `replace` do, and TooMany.
        """
        operations, unknown = load_patch(type, body, self.leniency)
        own, on_members = memberships.split(type, operations)
        if sum(operation.steps for operation in operations) > _FEW_STEPS:
            self._check_budget(type, id, own, on_members, budget)
        with self._writing() as writer:
            before = existing(writer, type, id, conditions)
            relations = self._relations(writer)
            answered = partial(relations.answered, type)
            make_missing_element = self.leniency.make_missing_element
            after = patch.apply(type, before, own, budget, make_missing_element, answered) if own else before
            after, _ = self._strip_derived(type, after)
            changes = memberships.apply(
                writer, id, on_members, budget, make_missing_element, partial(relations.member, type)
            )
            saved = save(writer, type, before, after, members_changed=changes.count > 0)
            return self._result(writer, type, before, saved, unknown, changes)

    def _check_budget(
        self, type: ResourceType, id: str, own: list[Operation], on_members: list[Operation], budget: Budget
    ) -> None:
        """Raise TooMany, before the lock is taken, if the operations exceed the budget."""
        with self._reading() as reader:
            stored = reader.get(type.name, id)
            if stored:
                steps = memberships.foreseen_steps(reader, id, on_members) + patch.foreseen_steps(stored.data, own)
                budget.check(steps)

    def delete(self, type: ResourceType, id: str, conditions: Preconditions = UNCONDITIONAL) -> WriteResult:
        """Delete a resource and every reference to it. Raises NotFound, PreconditionFailed."""
        with self._writing() as writer:
            before = existing(writer, type, id, conditions)
            delete_resource(writer, self.registry, self.indexes, type, before)
        return WriteResult(type, id, before, None)

    def disabled_since(self, type: ResourceType, ids: Iterable[str]) -> dict[str, str]:
        """Return when each disabled resource among the ids was disabled, by id."""
        with self._reading() as reader:
            found = filter(None, (reader.get(type.name, id) for id in ids))
            times = {stored.data["id"]: disabled.since(reader, stored.data) for stored in found}
        return {id: moment for id, moment in times.items() if moment}

    def disabled_before(self, type: ResourceType, moment: str) -> list[tuple[str, str]]:
        """Return ids and versions of the resources that were disabled before a moment."""
        with self._reading() as reader:
            found = filter(None, (reader.get(type.name, id) for id in disabled.before(reader, moment)))
            return [(stored.data["id"], version_of(stored.data)) for stored in found]

    def release_reserved_id(self, id: str) -> None:
        """Remove every reference to an id that was reserved and whose resource was not created."""
        with self._writing() as writer:
            for type in self.registry.types.values():
                remove_references(writer, self.registry, self.indexes, type, id)

    def _result(
        self,
        reader: Reader,
        type: ResourceType,
        before: Document | None,
        after: Document,
        unknown: list[str],
        changes: memberships.MembershipChanges,
    ) -> WriteResult:
        joined, left = (self._members(reader, ids) for ids in (changes.joined, changes.left))
        return WriteResult(type, after["id"], before, after, tuple(unknown), joined, left, changes.count)

    def _members(self, reader: Reader, ids: list[str]) -> tuple[Document, ...]:
        """Return the stored members with these ids; for an unknown one, the id alone."""
        if not ids:
            return ()
        kinds = self.registry.types[GROUP].attribute(None, MEMBERS).refers_to
        relations = self._relations(reader)
        relations.prefetch_all(kinds, ids)
        return tuple(found[1] if (found := relations.find(kinds, id)) else {"id": id} for id in ids)

    def _strip_derived(self, type: ResourceType, document: Document) -> tuple[Document, list[dict[str, Any]]]:
        return strip_derived(type, self.registry, document)

    def _renderer(self, reader: Reader) -> ResourceRenderer:
        return ResourceRenderer(reader, self.registry, self.resource_url, self.leniency, self.cache)

    def _relations(self, reader: Reader) -> Relations:
        return Relations(reader, self.registry, self.resource_url)

    def _writing(self) -> AbstractContextManager[Writer]:
        return transaction(self.feed.writing, writes=True)

    def _reading(self) -> AbstractContextManager[Reader]:
        return transaction(self.store.reading)


def new_id() -> str:
    """Return an id that no resource has or had (RFC 7643 section 3.1)."""
    return str(uuid.uuid4())


def _list_response(page: Page, query: Query, resources: list[bytes]) -> bytes:
    body: dict[str, Any] = {
        "schemas": [LIST_RESPONSE],
        "totalResults": page.total,
        "itemsPerPage": len(resources),
    }
    if query.cursor is None:
        body["startIndex"] = query.start_index
    elif page.next_cursor:
        body["nextCursor"] = page.next_cursor
    return b'%b,"Resources":[%b]}' % (orjson.dumps(body)[:-1], b",".join(resources))
