"""The event feed: what changed in the directory, for the applications that follow it.

Every transaction appends one entry to the store's log, so an event is kept exactly if its change is. A cursor of the
feed is one of the log, followed by the id of the last event if the next entry was read in part.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import cast

import orjson

from scim.directory import memberships
from scim.directory.context import ResourceUrl
from scim.directory.recorder import Event, Recorder, created, event_name, expanded, member_type, moves
from scim.directory.relations import Relations
from scim.directory.roles import completed
from scim.protocol.preconditions import dated, now
from scim.schema.resource_types import GROUP, MEMBERS, Registry, ResourceType
from storage.base import Document, Expired, Reader, Store, Writer

MAX_SCANNED = 10_000  # events that a page reads at most, if few are of the types that it is to have
MAX_BYTES = 8_000_000  # of a page, after which it takes no further event


class Feed:
    """Records the changes of all transactions if it is on, and gives them out as events."""

    def __init__(self, store: Store, registry: Registry, resource_url: ResourceUrl, *, is_on: bool) -> None:
        self.is_on = is_on
        self._store, self._registry, self._resource_url = store, registry, resource_url

    @property
    def types(self) -> Sequence[str]:
        """The types of events that there are."""
        return [event_name(type.name, verb) for type in self._registry.types.values() for verb in _verbs(type)]

    def writing(self) -> AbstractContextManager[Writer]:
        """Open the store's writer, which records what changes if the feed is on."""
        return self._recording() if self.is_on else self._store.writing()

    @contextmanager
    def _recording(self) -> Iterator[Writer]:
        with self._store.writing() as writer:
            recorder = Recorder(writer, self._registry)
            yield cast(Writer, recorder)
            if entry := recorder.entry():
                writer.append(entry)

    def end(self) -> str:
        """Return the cursor after the newest event."""
        with self._store.reading() as reader:
            return reader.end

    def page(
        self, after: str, limit: int, types: Collection[str] = (), resource_url: ResourceUrl | None = None
    ) -> tuple[list[Event], str]:
        """Return the next events of these types, or of all, and the cursor to go on from.

        Nothing is left if that is the given cursor; until then a page may have fewer events than `limit`. The empty
        cursor stands for the oldest event that is kept. Raises Expired, and ValueError for what is not a cursor.
        """
        texts, cursor = self.texts(after, limit, types, resource_url)
        return list(map(orjson.loads, texts)), cursor

    def texts(
        self, after: str, limit: int, types: Collection[str] = (), resource_url: ResourceUrl | None = None
    ) -> tuple[list[bytes], str]:
        """Return what `page` does, each event as JSON."""
        with self._store.reading() as reader:
            texts, cursor, size = list[bytes](), after, 0
            url = resource_url or self._resource_url
            for number, event in enumerate(_events(reader, after), 1):
                cursor = event["cursor"]
                if not types or event["type"] in types:
                    texts.append(orjson.dumps(_located(event, self._registry, url)))
                    size += len(texts[-1])
                if len(texts) == limit or size > MAX_BYTES or number == MAX_SCANNED:
                    break
            else:  # the log may go on without an event, and lose what is before that
                cursor = reader.end
            return texts, cursor

    def cursor_before(self, is_sought: Callable[[Event], bool]) -> str | None:
        """Return the cursor before the first such event that is kept, or None. Raises Expired if the log is damaged."""
        with self._store.reading() as reader:
            cursor = ""
            for event in _events(reader, ""):
                if is_sought(event):
                    return cursor
                cursor = event["cursor"]
        return None

    def snapshot(self, reader: Reader, resource_url: ResourceUrl) -> Iterator[Document]:
        """Yield the events that would create what a reader sees, then the cursor of the events that come after it."""
        relations = Relations(reader, self._registry, resource_url)
        for type in self._registry.types.values():
            for part in memberships.parts(reader.scan(type.name)):
                if self._registry.roles and reader.is_remote:
                    relations.prefetch_groups([stored.data["id"] for stored in part])
                for stored in part:
                    for event in expanded(created(type, completed(relations, type, stored.data))):
                        yield _located(event, self._registry, resource_url)
        kinds = self._registry.types[GROUP].attribute(None, MEMBERS).refers_to
        for stored in reader.scan(GROUP):
            memberships_of = memberships.of_group(reader, stored.data["id"])
            for members in memberships.parts(one["member"] for one in memberships_of):
                relations.prefetch_all(kinds, members)
                types = (member_type(reader, kinds, member) for member in members)
                yield from expanded(moves(stored.data, "added", members, types))
        yield {"cursor": reader.end, "time": now()}


def _located(event: Event, registry: Registry, resource_url: ResourceUrl) -> Event:
    """Return an event with the location of its resource, which is not recorded."""
    data, type = event["data"], registry.types.get(event["resource"]["type"])
    if not type or "meta" not in data:
        return event
    location = resource_url(type, data["id"])
    return {**event, "data": {**data, "meta": {**data["meta"], "location": location}}}


def _events(reader: Reader, after: str) -> Iterator[Event]:
    """Yield the events after a cursor, each with the cursor after it. Raises Expired, ValueError."""
    start, _, last = after.partition(".")
    entry_id, _, passed = last.partition("-")
    if last and not (passed.isascii() and passed.isdecimal()):
        raise ValueError("this is not a cursor")
    skip = int(passed) if last else 0
    for following, entry in reader.entries(start):
        if skip and entry["id"] != entry_id:
            raise Expired("the entry that the cursor is in was removed")
        events = [one for event in entry["events"] for one in expanded(event)]
        moment = dated(datetime.fromtimestamp(entry["time"], UTC))
        for number, event in enumerate(events[skip:], skip + 1):
            id = f"{entry['id']}-{number}"
            cursor = following if number == len(events) else f"{start}.{id}"
            yield {"id": id, "cursor": cursor, "time": moment, **event}
        start, skip = following, 0


def _verbs(type: ResourceType) -> Iterator[str]:
    yield from ("created", "updated")
    if "active" in type.by_name:
        yield from ("disabled", "enabled")
    yield "deleted"
    if type.name == GROUP:
        yield from ("member_added", "member_removed")
