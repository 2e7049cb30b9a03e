"""What can be done with resources, whoever asks: create, get, query, replace, patch, delete. No HTTP in it."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, Generic, TypeVar

import orjson

from scim.budget import Budget
from scim.directory import disabled, memberships, relations
from scim.directory.derived import ResourceUrl
from scim.directory.indexes import Indexes
from scim.directory.relations import Relations
from scim.directory.rendering import Answer, Answers, RenderCache
from scim.directory.search import Page, Search
from scim.errors import InsufficientStorage, NotFound, ScimError, ServiceUnavailable, Uniqueness, shorten
from scim.protocol import patch
from scim.protocol.leniency import STRICT, Leniency
from scim.protocol.operations import load_patch
from scim.protocol.patch import Operation, check_all_immutable
from scim.protocol.preconditions import UNCONDITIONAL, Preconditions, new_version, now, version_of
from scim.protocol.projection import DEFAULT_PROJECTION, Projection
from scim.protocol.query import Query
from scim.schema.resource_types import GROUP, MEMBERS, Registry, ResourceType, Target
from scim.schema.validation import load_resource
from storage.base import ID, Document, Duplicate, Reader, Store, StoreCorrupted, Unavailable, Writer

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_FEW_STEPS = 20  # for each element: so few are not worth a look at the resource before the lock is taken


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write did: the stored resource before and after, None where there was or is none.

    `unknown` are the names in the request that no schema knows; what stood under them is not kept. `joined` and
    `left` are the members that came into a group and went, as far as they are listed; `moved` is how many did.
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
        """Whether anything is not as it was."""
        return self.after is not self.before


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources in a store, under the addresses that `locate` gives.

    How strictly requests are read is for `tolerance` to say.
    """

    store: Store
    registry: Registry
    indexes: Indexes
    resource_url: ResourceUrl
    leniency: Leniency = STRICT
    cache: RenderCache = field(default_factory=RenderCache)

    def create(self, type: ResourceType, body: Mapping[str, Any], *, id: str | None = None) -> WriteResult:
        """Create a resource, under the id where one was promised. Raises InvalidValue, InvalidSyntax, Uniqueness."""
        document, unknown = load_resource(type, body)
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
            moves = memberships.set_members(writer, document["id"], joining)
            return self._outcome(writer, type, None, document, unknown, moves)

    def get(
        self,
        type: ResourceType,
        id: str,
        projection: Projection = DEFAULT_PROJECTION,
        conditions: Preconditions = UNCONDITIONAL,
    ) -> Answer:
        """Return a resource's answer, whose text is empty if the client has this version already.

        Raises NotFound, PreconditionFailed.
        """
        with self._reading() as reader:
            found = reader.sealed_lookup(type.name, ID, id)
            if not found:
                raise _not_found(type, id)
            if conditions != UNCONDITIONAL:
                version = version_of(reader.unseal(found[0]))
                if conditions.is_unchanged(version):
                    return Answer(version, b"")
            return self._answers(reader).of(type, found[0], projection)

    def render(self, type: ResourceType, document: Document, projection: Projection = DEFAULT_PROJECTION) -> Answer:
        """Return a stored resource as it is answered."""
        with self._reading() as reader:
            return self._answers(reader).renderer(type, projection).render(document)

    def query(
        self, types: list[ResourceType], query: Query, secret: bytes, projection: Projection = DEFAULT_PROJECTION
    ) -> bytes:
        """Return the ListResponse of a query over some types (RFC 7644 section 3.4.2); `secret` signs cursors."""
        with self._reading() as reader:
            answers = self._answers(reader)
            page = Search(types, query, answers.relations, self.indexes, self.leniency).page(secret)
            texts = [answers.texts(type, documents, projection) for type, documents in page.found]
            return _list_response(page, query, list(chain.from_iterable(texts)))

    def replace(
        self, type: ResourceType, id: str, body: Mapping[str, Any], conditions: Preconditions = UNCONDITIONAL
    ) -> WriteResult:
        """Replace a resource (RFC 7644 section 3.5.1).

        Raises what `create` does, and NotFound, PreconditionFailed, Mutability.
        """
        loaded, unknown = load_resource(type, body)
        with self._writing() as writer:
            before = self._existing(writer, type, id, conditions)
            kept = {"schemas": [], "id": id, **loaded, "meta": before["meta"]}
            after, joining = self._strip_derived(type, kept)
            check_all_immutable(type, before, after)
            moves = memberships.set_members(writer, id, joining)
            saved = self._save(writer, type, before, after, moves.count > 0)
            return self._outcome(writer, type, before, saved, unknown, moves)

    def patch(
        self,
        type: ResourceType,
        id: str,
        body: Mapping[str, Any],
        budget: Budget,
        conditions: Preconditions = UNCONDITIONAL,
    ) -> WriteResult:
        """Apply a PatchOp message, all of it or nothing (RFC 7644 section 3.5.2).

        Raises what `load_patch` and `replace` do, and TooMany.
        """
        operations, unknown = load_patch(type, body, self.leniency)
        own, moving = memberships.split(type, operations)
        if sum(operation.steps for operation in operations) > _FEW_STEPS:
            self._check_budget(type, id, own, moving, budget)
        with self._writing() as writer:
            before = self._existing(writer, type, id, conditions)
            relating = self._relations(writer)
            answered = partial(relating.answered, type)
            make_missing_element = self.leniency.make_missing_element
            after = patch.apply(type, before, own, budget, make_missing_element, answered) if own else before
            after, _ = self._strip_derived(type, after)
            moves = memberships.apply(writer, id, moving, budget, make_missing_element, partial(relating.member, type))
            saved = self._save(writer, type, before, after, moves.count > 0)
            return self._outcome(writer, type, before, saved, unknown, moves)

    def _check_budget(
        self, type: ResourceType, id: str, own: list[Operation], moving: list[Operation], budget: Budget
    ) -> None:
        """Raise TooMany before the lock is taken for operations that cannot be carried out."""
        with self._reading() as reader:
            document = reader.get(type.name, id)
            if document:
                foreseen = memberships.foreseen_steps(reader, id, moving) + patch.foreseen_steps(document, own)
                budget.check(foreseen)

    def delete(self, type: ResourceType, id: str, conditions: Preconditions = UNCONDITIONAL) -> WriteResult:
        """Delete a resource and every mention of it in others. Raises NotFound, PreconditionFailed."""
        with self._writing() as writer:
            before = self._existing(writer, type, id, conditions)
            writer.delete(type.name, id)
            disabled.track(writer, id, before, None)
            self._forget(writer, type, id)
        return WriteResult(type, id, before, None)

    def disabled_since(self, type: ResourceType, ids: Iterable[str]) -> dict[str, str]:
        """Return since when resources have been disabled, by id, without those that are not."""
        with self._reading() as reader:
            documents = filter(None, (reader.get(type.name, id) for id in ids))
            times = {document["id"]: disabled.since(reader, document) for document in documents}
        return {id: moment for id, moment in times.items() if moment}

    def disabled_before(self, type: ResourceType, moment: str) -> list[tuple[str, str]]:
        """Return ids and versions of the resources that have been disabled since before a moment."""
        with self._reading() as reader:
            documents = filter(None, (reader.get(type.name, id) for id in disabled.before(reader, moment)))
            return [(document["id"], version_of(document)) for document in documents]

    def release_reserved_id(self, id: str) -> None:
        """Take back every reference to a resource that was promised this id and was not created."""
        with self._writing() as writer:
            for type in self.registry.types.values():
                self._forget(writer, type, id)

    def _outcome(
        self,
        reader: Reader,
        type: ResourceType,
        before: Document | None,
        after: Document,
        unknown: list[str],
        moves: memberships.MembershipChanges,
    ) -> WriteResult:
        joined, left = (self._people(reader, ids) for ids in (moves.joined, moves.left))
        return WriteResult(type, after["id"], before, after, tuple(unknown), joined, left, moves.count)

    def _people(self, reader: Reader, ids: list[str]) -> tuple[Document, ...]:
        """Return the members with these ids as they are stored; of one that is not here, the id alone."""
        if not ids:
            return ()
        kinds = self.registry.types[GROUP].attribute(None, MEMBERS).refers_to
        relations = self._relations(reader)
        return tuple(found[1] if (found := relations.find(kinds, id)) else {"id": id} for id in ids)

    def _forget(self, writer: Writer, type: ResourceType, id: str) -> None:
        """Take every reference to the id out of groups and out of attributes such as manager."""
        group_type = self.registry.types[GROUP]
        for group in memberships.remove_references(writer, id):
            held = writer.get(GROUP, group)
            if held:
                self._save(writer, group_type, held, held, True)
        for other, target in self._references_to(type):
            for document in list(writer.lookup(other.name, str(target), id)):
                remaining = relations.without_reference(other, target, document, id)
                self._save(writer, other, document, remaining, False)

    def _references_to(self, type: ResourceType) -> Iterator[tuple[ResourceType, Target]]:
        for other in self.registry.types.values():
            for extension, name, sub in self.indexes.by_type[other.name]:
                attribute = other.attribute(extension, name)
                if sub == "value" and type.name in attribute.refers_to:
                    yield other, Target(extension, attribute, attribute.sub_attributes_by_name.get(sub))

    def _save(self, writer: Writer, type: ResourceType, before: Document, after: Document, moved: bool) -> Document:
        """Write the resource in a new version, unless it is as it was: then nothing has happened."""
        if after == before and not moved:
            return before
        version = new_version(before["meta"]["version"])
        saved = {**after, "meta": {**before["meta"], "lastModified": now(), "version": version}}
        writer.replace(type.name, saved)
        disabled.track(writer, before["id"], before, saved)
        return saved

    def _existing(self, writer: Writer, type: ResourceType, id: str, conditions: Preconditions) -> Document:
        document = writer.get(type.name, id)
        if document is None:
            raise _not_found(type, id)
        conditions.check_write(document)
        return document

    def _strip_derived(self, type: ResourceType, document: Document) -> tuple[Document, list[dict[str, Any]]]:
        return relations.strip_derived(type, self.registry, document)

    def _answers(self, reader: Reader) -> Answers:
        return Answers(reader, self.registry, self.resource_url, self.leniency, self.cache)

    def _relations(self, reader: Reader) -> Relations:
        return Relations(reader, self.registry, self.resource_url)

    def _writing(self) -> "_Translated[Writer]":
        return _Translated(self.store.writing)

    def _reading(self) -> "_Translated[Reader]":
        return _Translated(self.store.reading)


R = TypeVar("R", bound=Reader)


class _Translated(Generic[R]):
    """A reader or a writer of the store, whose failures are told in the protocol's words."""

    __slots__ = ("_open", "_opened")

    def __init__(self, open: Callable[[], AbstractContextManager[R]]) -> None:
        self._open = open

    def __enter__(self) -> R:
        try:
            self._opened = self._open()
            return self._opened.__enter__()
        except (Unavailable, StoreCorrupted) as error:
            raise _translated(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        try:
            self._opened.__exit__(kind, error, trace)
        except (Unavailable, StoreCorrupted) as failure:
            raise _translated(failure) from failure
        if isinstance(error, Duplicate | Unavailable | StoreCorrupted):
            raise _translated(error) from error


def _translated(error: Duplicate | Unavailable | StoreCorrupted) -> ScimError:
    if isinstance(error, Duplicate):
        return Uniqueness(f'Another {error.kind} has the {error.index} "{shorten(error.key)}".')
    kind = InsufficientStorage if isinstance(error, Unavailable) and error.full else ServiceUnavailable
    return kind("The store cannot be used at the moment and nothing was changed; try again later.")


def new_id() -> str:
    """Return an id that no resource has or had (RFC 7643 section 3.1)."""
    return str(uuid.uuid4())


def _not_found(type: ResourceType, id: str) -> NotFound:
    return NotFound(f"There is no {type.name} with the id {shorten(id)}.")


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
