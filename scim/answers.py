"""Resources as they are answered: JSON text, which is kept for as long as nothing is written."""

from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

import orjson

from scim.conditions import version_of
from scim.derived import Locate, Met
from scim.members import GROUP
from scim.projection import EVERYTHING, Projection, Wanted
from scim.registry import Registry, ResourceType
from scim.relations import Relations
from scim.tolerance import Tolerance
from storage.base import Document, Reader, Sealed

KEPT_BYTES = 128_000_000
_OVERHEAD = 350  # bytes that an answer takes beside its text
_SHELF = 1_000  # bytes that an address takes


class Answer(NamedTuple):
    """A resource's version, and the resource as JSON text."""

    version: str
    text: bytes

    @property
    def document(self) -> Document:
        """The resource that the text says."""
        document: Document = orjson.loads(self.text)
        return document


class Kept:
    """The answers of one state of the store; after each write it begins anew."""

    def __init__(self) -> None:
        self._state = _State(object())

    def under(self, address: str, mark: object) -> "_Shelf":
        """Return the answers with an address of the service, of the state of the store with this mark."""
        state = self._state
        if state.mark is not mark:
            state = self._state = _State(mark)
        return state.under(address)


class _State:
    """The answers of one state of the store, by address: as many as there is room for, and then no more."""

    def __init__(self, mark: object) -> None:
        self.mark = mark
        self._room = _Room(KEPT_BYTES)
        self._shelves: dict[str, _Shelf] = {}

    def under(self, address: str) -> "_Shelf":
        found = self._shelves.get(address)
        if found is None:
            found = _Shelf(self._room)
            if self._room.take(_SHELF + len(address)):
                self._shelves[address] = found
        return found


class _Room:
    """So many bytes, which several threads take."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._lock = Lock()

    def take(self, size: int) -> bool:
        """Take as much, if there is so much left."""
        with self._lock:
            fits = size <= self._left
            self._left -= size if fits else 0
            return fits


class _Shelf:
    """Answers by document, and the groups that they have met.

    Where the two texts begin alike, only the rest of the answer's is kept.
    """

    def __init__(self, room: _Room) -> None:
        self.met = Met(room.take)
        self._room = room
        self._answers: dict[Sealed, tuple[str, int, bytes]] = {}

    def get(self, document: Sealed) -> Answer | None:
        """Return the answer, or None."""
        found = self._answers.get(document)
        return Answer(found[0], document[: found[1]] + found[2]) if found else None

    def text(self, document: Sealed) -> bytes | None:
        """Return the answer's text, or None."""
        found = self._answers.get(document)
        return document[: found[1]] + found[2] if found else None

    def put(self, document: Sealed, answer: Answer) -> Answer:
        """Keep an answer, and return it."""
        shared = _shared(document, answer.text)
        rest = bytes(memoryview(answer.text)[shared:])  # a copy: orjson's own has room behind it, 8 KB at least
        if self._room.take(len(rest) + _OVERHEAD):
            self._answers[document] = answer.version, shared, rest
        return answer


def _shared(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts have in common at their beginning."""
    length = min(len(one), len(other))
    difference = int.from_bytes(one[:length]) ^ int.from_bytes(other[:length])
    return length - (difference.bit_length() + 7) // 8


class Maker:
    """Makes the answers of one type, with what is wanted of it."""

    def __init__(self, relations: Relations, type: ResourceType, wanted: Wanted) -> None:
        self._relations, self._wanted = relations, wanted
        self._derived = relations.wanted(type, wanted)

    def make(self, document: Document) -> Answer:
        """Return the answer of a stored resource."""
        whole = self._relations.complete(document, self._derived)
        return Answer(version_of(document), orjson.dumps(self._wanted.project(whole)))


class Answers:
    """The answers of one reader."""

    def __init__(self, reader: Reader, registry: Registry, locate: Locate, tolerance: Tolerance, kept: Kept) -> None:
        self._reader, self._tolerance = reader, tolerance
        self._shelf = kept.under(locate(registry.types[GROUP], ""), reader.mark)
        self.relations = Relations(reader, registry, locate, self._shelf.met)

    def maker(self, type: ResourceType, projection: Projection) -> Maker:
        """Return what makes answers of a type, which are not kept."""
        return Maker(self.relations, type, projection.bind(type, self._tolerance))

    def of(self, type: ResourceType, document: Sealed, projection: Projection) -> Answer:
        """Return the answer of a resource, which may be one that is kept."""
        if projection != EVERYTHING:
            return self._made(self.maker(type, projection), document)
        return self._shelf.get(document) or self._put(self.maker(type, projection), document)

    def texts(self, type: ResourceType, documents: Iterable[Sealed], projection: Projection) -> list[bytes]:
        """Return the answers of several resources, as `of` does, without their versions."""
        maker = self.maker(type, projection)
        if projection != EVERYTHING:
            return [self._made(maker, one).text for one in documents]
        return [self._shelf.text(one) or self._put(maker, one).text for one in documents]

    def _made(self, maker: Maker, document: Sealed) -> Answer:
        return maker.make(self._reader.unseal(document))

    def _put(self, maker: Maker, document: Sealed) -> Answer:
        return self._shelf.put(document, self._made(maker, document))
