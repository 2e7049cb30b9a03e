"""Resources as they are answered: JSON text, which is kept for as long as all that it was made from stays as it is."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import cast

import orjson

from scim.conditions import version_of
from scim.members import GROUP
from scim.projection import EVERYTHING, Projection
from scim.registry import Registry, ResourceType
from scim.relations import Locate, Relations
from scim.tolerance import Tolerance
from storage.base import ID, Document, Reader, Sealed

KEPT_BYTES = 64_000_000
USUAL = 2_500  # bytes that an answer takes, all in all
_OVERHEAD = 300  # of it beside its text and what was looked up
_LOOKUP = 250

Lookup = tuple[str, str, str]
"""A kind, an index, and the key."""


@dataclass(slots=True)
class Answer:
    """A resource's version and its text, with what was looked up in other documents to make it.

    `mark` is that of the state of the store in which it was last found to hold.
    """

    version: str
    text: bytes
    lookups: tuple[tuple[Lookup, tuple[Sealed, ...]], ...] = ()
    mark: object = None

    @property
    def document(self) -> Document:
        """The resource that the text says."""
        document: Document = orjson.loads(self.text)
        return document


class Kept:
    """Answers by address and document, as many as there is room for: the oldest make room."""

    def __init__(self) -> None:
        self._room = KEPT_BYTES
        self._lock = Lock()
        self._answers: OrderedDict[tuple[str, Sealed], Answer] = OrderedDict()

    def get(self, address: str, document: Sealed) -> Answer | None:
        """Return the answer, which may no longer hold, or None."""
        return self._answers.get((address, document))

    def put(self, address: str, document: Sealed, answer: Answer) -> None:
        """Keep an answer, in the place of one that no longer holds."""
        key = (address, document)
        with self._lock:
            self._room += _size(self._answers.pop(key, None))
            self._answers[key] = answer
            self._room -= _size(answer)
            while self._room < 0:
                self._room += _size(self._answers.popitem(last=False)[1])

    def has_room_for(self, count: int) -> bool:
        """Tell whether so many answers fit; of more, each would be gone before it is asked for again."""
        return count * USUAL <= KEPT_BYTES


def _size(answer: Answer | None) -> int:
    return _OVERHEAD + len(answer.text) + _LOOKUP * len(answer.lookups) if answer else 0


class Answers:
    """Makes the answers of one reader."""

    def __init__(self, reader: Reader, registry: Registry, locate: Locate, tolerance: Tolerance, kept: Kept) -> None:
        self.relations = Relations(reader, registry, locate)
        self._reader, self._tolerance, self._kept = reader, tolerance, kept
        self._found: dict[Lookup, tuple[Sealed, ...]] = {}
        self._kept_types: dict[str, bool] = {}

    def of(self, type: ResourceType, sealed: Sealed, projection: Projection = EVERYTHING) -> Answer:
        """Return the answer of a resource, which may be one that is kept."""
        if projection != EVERYTHING or not self._keeps(type):
            return self.make(type, self._reader.unseal(sealed), projection)
        address = self.relations.locate(type, "")
        kept = self._kept.get(address, sealed)
        if kept is None or not self._holds(kept):
            kept = self._traced(type, self._reader.unseal(sealed))
            self._kept.put(address, sealed, kept)
        return kept

    def make(self, type: ResourceType, document: Document, projection: Projection = EVERYTHING) -> Answer:
        """Return the answer of a stored resource, which is not kept."""
        return Answer(version_of(document), self._text(type, document, projection, self.relations))

    def look_up(self, lookup: Lookup) -> tuple[Sealed, ...]:
        """Return what is found, for which the reader is asked once."""
        found = self._found.get(lookup)
        if found is None:
            found = self._found[lookup] = self._reader.sealed(*lookup)
        return found

    def _keeps(self, type: ResourceType) -> bool:
        """Tell whether answers of the type are kept. To see whether a group's holds would be to make it anew."""
        if type.name not in self._kept_types:
            fits = self._kept.has_room_for(self._reader.count(type.name))
            self._kept_types[type.name] = fits and type.name != GROUP
        return self._kept_types[type.name]

    def _holds(self, answer: Answer) -> bool:
        if answer.mark is not self._reader.mark:
            if not all(self.look_up(lookup) == found for lookup, found in answer.lookups):
                return False
            answer.mark = self._reader.mark
        return True

    def _traced(self, type: ResourceType, document: Document) -> Answer:
        traced = _Traced(self._reader, self.look_up)
        relations = Relations(cast(Reader, traced), self.relations.registry, self.relations.locate)
        text = self._text(type, document, EVERYTHING, relations)
        kept = bytes(memoryview(text))  # a copy: orjson's own has room for more behind it, 8 KB at least
        return Answer(version_of(document), kept, tuple(traced.lookups.items()), self._reader.mark)

    def _text(self, type: ResourceType, document: Document, projection: Projection, relations: Relations) -> bytes:
        wanted = projection.bind(type, self._tolerance)
        return orjson.dumps(wanted.project(relations.complete(type, document, wanted)))


class _Traced:
    """A reader, as far as an answer needs one, that notes what is looked up."""

    def __init__(self, reader: Reader, look_up: Callable[[Lookup], tuple[Sealed, ...]]) -> None:
        self._reader, self._look_up = reader, look_up
        self.lookups: dict[Lookup, tuple[Sealed, ...]] = {}

    def get(self, kind: str, id: str) -> Document | None:
        return next(self.lookup(kind, ID, id), None)

    def lookup(self, kind: str, index: str, key: str) -> Iterator[Document]:
        lookup = (kind, index, key)
        found = self.lookups[lookup] = self._look_up(lookup)
        return map(self._reader.unseal, found)
