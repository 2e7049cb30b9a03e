"""Lists resources: filter, sort, page (RFC 7644 section 3.4.2, RFC 9865)."""

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby, islice
from typing import Any, NamedTuple

from scim.budget import Budget
from scim.directory.index_lookup import exact_index_lookup, index_candidates
from scim.directory.indexes import Indexes
from scim.directory.memberships import parts
from scim.directory.relations import Relations
from scim.errors import InvalidValue, shorten
from scim.filters import FindDerived, compile_filter, read_values
from scim.filters.compiler import none_derived, with_default_value
from scim.protocol.cursor import Cursor, decode, digest
from scim.protocol.leniency import STRICT, Leniency
from scim.protocol.query import Query
from scim.schema.resource_types import ResourceType, Target
from storage.base import Document, StoredDocument

_SORTED_LENGTH = 256
_HEAP_LIMIT = 5_000  # up to which a heap of the first resources is faster than sorting all
_SLICE = 1_000  # steps between two pauses of a scan, about 0.4 ms
_READING = 10  # steps that count for reading a document
_ADVICE = (
    'Narrow the filter: join it by "and" to an "eq" on an indexed attribute such as userName or externalId, use fewer '
    "terms, or ask in several requests."
)


class Page(NamedTuple):
    """One page: its resources by type, the total, and the cursor of the next page, if any."""

    total: int
    found: list[tuple[ResourceType, list[StoredDocument]]]
    next_cursor: str | None = None


class _Hit(NamedTuple):
    """A matching resource, with the index of its type in the query and its sort key."""

    place: int
    type: ResourceType
    id: str
    key: tuple[bool, str, Any]


class Search:
    """One query over some resource types, within one read transaction."""

    def __init__(
        self,
        types: list[ResourceType],
        query: Query,
        relations: Relations,
        indexes: Indexes,
        leniency: Leniency = STRICT,
    ) -> None:
        self._types = types
        self._query = query
        self._relations = relations
        self._reader = relations.reader
        self._indexes = indexes
        self._leniency = leniency
        tree = query.filter
        self._matches = 0
        self._trees = {} if tree is None else {type.name: leniency.filter(type, tree) for type in types}
        self._budget = Budget(query.max_steps, _ADVICE)
        self._derived = {type.name: relations.find_derived(type, self._budget) for type in types}

    def page(self, secret: bytes) -> Page:
        """Return the requested page.

        Raises InvalidFilter, InvalidValue, InvalidCursor, InvalidCount, TooMany.
        """
        if self._query.cursor is not None:
            return self._by_cursor(self._query.cursor, secret)
        start, count = self._query.start_index - 1, self._query.count
        if len(self._types) == 1:
            page = self._looked_up(self._types[0], start, count)
            if page is not None:
                return page
        hits = self._sorted(self._counted(self._matching()), start + count)
        return Page(self._matches, self._by_type(hits[start : start + count]))

    def _looked_up(self, type: ResourceType, start: int, count: int) -> Page | None:
        """Return the page if it needs no document to be read, else None. Raises InvalidFilter."""
        tree = self._trees.get(type.name)
        if tree is None:
            rows = self._rows_in_order(type, start, count)
            return None if rows is None else Page(self._reader.count(type.name), [(type, list(rows))])
        if self._query.sort_by is not None:
            return None
        found = exact_index_lookup(tree, type, self._reader, self._indexes.by_type[type.name], self._derived[type.name])
        if found is None:
            return None
        skipped = sum(1 for _ in islice(found.documents, start))
        page = list(islice(found.documents, count))
        is_all = next(found.documents, None) is None
        return Page(skipped + len(page) if is_all else found.total(), [(type, page)])

    def _rows_in_order(self, type: ResourceType, start: int, count: int) -> Iterable[StoredDocument] | None:
        """Return a page of all resources, or None if they must be read to be sorted."""
        if self._query.sort_by is None:
            return self._reader.scan(type.name, offset=start, limit=count)
        target = self._sort_target(type, self._query.sort_by)
        if target is None or target.attribute is None or target.attribute.multi_valued or target.leaf.type != "string":
            return None
        sub = target.sub.name if target.sub else None
        index = self._indexes.by_type[type.name].get((target.extension, target.attribute.name, sub))
        if index is None:
            return None
        descending = self._query.descending
        return self._reader.scan_sorted(type.name, index.name, descending=descending, offset=start, limit=count)

    def _by_cursor(self, text: str, secret: bytes) -> Page:
        """Page after the last resource seen, so that creations and deletions before it shift nothing."""
        query = self._query
        asked = digest([type.name for type in self._types], query.filter, query.sort_by, query.descending)
        cursor = decode(text, secret, asked, query.count) if text else None
        hits, total = self._following(cursor)
        page = self._by_type(hits[: query.count])
        if len(hits) <= query.count or not page:
            return Page(total, page)
        last = hits[query.count - 1]
        position = self._position(last)
        following = Cursor(asked, query.count, total, last.place, position, list(last.key))
        return Page(total, page, following.encode(secret))

    def _following(self, cursor: Cursor | None) -> tuple[list[_Hit], int]:
        """Return one resource more than the page has, and the total."""
        limit = self._query.count + 1
        if self._query.sort_by is None:
            rest = self._matching(cursor)
            hits = list(islice(rest, limit))
            return hits, cursor.total if cursor else self._total(len(hits), rest)
        matching = self._counted(self._matching())
        hits = self._sorted((hit for hit in matching if cursor is None or self._follows(hit, cursor)), limit)
        return hits, cursor.total if cursor else self._matches

    def _follows(self, hit: _Hit, cursor: Cursor) -> bool:
        key = tuple(cursor.key)
        if hit.key != key:
            return (hit.key > key) != self._query.descending
        return (hit.place, self._position(hit)) > (cursor.type, cursor.position)

    def _total(self, seen: int, rest: Iterator[_Hit]) -> int:
        """Return the number of all results, those already seen included."""
        if self._query.filter is None:
            return sum(self._reader.count(type.name) for type in self._types)
        return seen + sum(1 for _ in rest)

    def _matching(self, cursor: Cursor | None = None) -> Iterator[_Hit]:
        """Yield the matching resources, by type and in order of creation, after the cursor's resource."""
        for place, type in enumerate(self._types):
            if cursor and place < cursor.type:
                continue
            after = cursor.position if cursor and place == cursor.type else 0
            key = self._sort_key(type)
            found, matches = self._narrowed(type, after)
            for stored in self._in_slices(found):
                document = stored.data
                if matches(document):
                    yield _Hit(place, type, document["id"], key(document))

    def _in_slices(self, found: Iterable[StoredDocument]) -> Iterator[StoredDocument]:
        """Yield the documents, and let other threads run after each slice of work.

        A Python thread runs for 5 ms before it releases the interpreter. Without pauses in a scan, a short request
        beside it waits 11 ms at the median; with them, 0.1 ms.
        """
        paused = 0
        for number, stored in enumerate(found, 1):
            yield stored
            done = number * _READING + self._budget.spent
            if done - paused > _SLICE:
                time.sleep(0)  # release the interpreter to other threads
                paused = done

    def _narrowed(self, type: ResourceType, after: int) -> tuple[Iterable[StoredDocument], Callable[[Document], bool]]:
        """Return the documents of a type that may match, and the predicate that decides."""
        tree = self._trees.get(type.name)
        if tree is None:
            return self._reader.scan(type.name, after=after), _always
        derived = self._derived[type.name]
        matches = compile_filter(tree, type, derived, lenient=len(self._types) > 1, budget=self._budget)
        found = index_candidates(tree, type, self._reader, self._indexes.by_type[type.name], derived)
        if found is None:
            return self._reader.scan(type.name, after=after), matches
        return filter(partial(self._is_after, type, after), found) if after else found, matches

    def _is_after(self, type: ResourceType, position: int, stored: StoredDocument) -> bool:
        return self._reader.position(type.name, stored.data["id"]) > position

    def _position(self, hit: _Hit) -> int:
        return self._reader.position(hit.type.name, hit.id)

    def _by_type(self, hits: list[_Hit]) -> list[tuple[ResourceType, list[StoredDocument]]]:
        """Return the documents of a page, which the hits do not keep: there may be many more hits."""
        return [
            (type, [found for part in parts(those) for found in self._read(type, part)])
            for type, those in groupby(hits, lambda hit: hit.type)
        ]

    def _read(self, type: ResourceType, hits: list[_Hit]) -> Iterable[StoredDocument]:
        self._reader.prefetch(type.name, [hit.id for hit in hits])
        return filter(None, (self._reader.get(type.name, hit.id) for hit in hits))

    def _counted(self, hits: Iterable[_Hit]) -> Iterator[_Hit]:
        """Yield the matching resources, and set `_matches` to their number."""
        for self._matches, hit in enumerate(hits, 1):
            yield hit

    def _sorted(self, hits: Iterable[_Hit], limit: int) -> list[_Hit]:
        """Return the first resources by the sort key. Equal keys are in order of creation in both directions."""
        if self._query.sort_by is None:
            page = list(islice(hits, limit))
            deque(hits, maxlen=0)  # only counted
            return page
        if limit > _HEAP_LIMIT:
            return sorted(hits, key=_key_of, reverse=self._query.descending)
        first = heapq.nlargest if self._query.descending else heapq.nsmallest
        return first(max(limit, 1), hits, key=_key_of)  # one even for none, so that all hits are counted

    def _sort_key(self, type: ResourceType) -> Callable[[Document], tuple[bool, str, Any]]:
        """Return the sort key: whether the value is missing, its kind, and its comparison key.

        Long texts are cut, so that a cursor can carry them. The kind keeps texts and numbers of different resource
        types apart.
        """
        name = self._query.sort_by
        target = None if name is None else self._sort_target(type, name)
        if target is None:
            return _no_key
        read = first_value(target, self._derived[type.name])

        def key(document: Document) -> tuple[bool, str, Any]:
            key = target.leaf.key(read(document))
            if key is None:
                return _NO_KEY
            return (False, "text", key[:_SORTED_LENGTH]) if isinstance(key, str) else (False, "number", key)

        return key

    def _sort_target(self, type: ResourceType, name: str) -> Target | None:
        """Return the attribute to sort by, or None if only other types of the query have it. Raises InvalidValue."""
        target = type.resolve(self._leniency.name(type, name))
        if target is None:
            if len(self._types) == 1:
                raise InvalidValue(f'There is no attribute "{shorten(name)}" in {type.name} to sort by.')
            return None
        if target.attribute is None or (
            target.leaf.type == "complex" and "value" not in target.leaf.sub_attributes_by_name
        ):
            raise InvalidValue(f"{shorten(name)} is complex: name the sub-attribute to sort by.")
        return with_default_value(target, name)


def first_value(target: Target, find_derived: FindDerived = none_derived) -> Callable[[Document], Any]:
    """Return a function that reads the primary value, or else the first (RFC 7644 section 3.4.2.3)."""
    read = read_values(Target(target.extension, target.attribute), find_derived)
    sub = target.sub.name if target.sub else None

    def first(document: Document) -> Any:
        elements = read(document)
        if sub:
            preferred = sorted(elements, key=lambda element: element.get("primary") is not True)
            elements = [element[sub] for element in preferred if element.get(sub) is not None]
        return elements[0] if elements else None

    return first


_NO_KEY = True, "", 0


def _key_of(hit: _Hit) -> tuple[bool, str, Any]:
    return hit.key


def _no_key(document: Document) -> tuple[bool, str, Any]:
    return _NO_KEY


def _always(document: Document) -> bool:
    return True
