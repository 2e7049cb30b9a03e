"""Resources as they are answered: JSON text, which is kept for as long as nothing is written."""

from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

import orjson

from scim.directory.derived import GroupCache, ResourceUrl
from scim.directory.relations import Relations
from scim.protocol.leniency import Leniency
from scim.protocol.preconditions import version_of
from scim.protocol.projection import DEFAULT_PROJECTION, AttributeSelection, Projection
from scim.schema.resource_types import GROUP, Registry, ResourceType
from storage.base import Document, Reader, Sealed

CACHE_BYTES = 128_000_000
_OVERHEAD = 350  # bytes that an answer takes beside its text
_BASE_URL_OVERHEAD = 1_000  # bytes that a base URL takes


class Answer(NamedTuple):
    """A resource's version, and the resource as JSON text."""

    version: str
    text: bytes

    @property
    def document(self) -> Document:
        """The resource that the text says."""
        document: Document = orjson.loads(self.text)
        return document


class RenderCache:
    """A cache of answers: it holds those of one state of the store, so every write empties it."""

    def __init__(self) -> None:
        self._state = _CacheOfState(object())

    def under(self, base_url: str, mark: object) -> "_CacheOfBaseUrl":
        """Return the cached answers for a base URL in the state of the store that has this mark."""
        state = self._state
        if state.mark is not mark:
            state = self._state = _CacheOfState(mark)
        return state.under(base_url)


class _CacheOfState:
    """The cached answers of one state of the store, by base URL; once it is full, nothing more is kept."""

    def __init__(self, mark: object) -> None:
        self.mark = mark
        self._budget = _Budget(CACHE_BYTES)
        self._by_base_url: dict[str, _CacheOfBaseUrl] = {}

    def under(self, base_url: str) -> "_CacheOfBaseUrl":
        found = self._by_base_url.get(base_url)
        if found is None:
            found = _CacheOfBaseUrl(self._budget)
            if self._budget.take(_BASE_URL_OVERHEAD + len(base_url)):
                self._by_base_url[base_url] = found
        return found


class _Budget:
    """A number of bytes that threads share out among themselves."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._lock = Lock()

    def take(self, size: int) -> bool:
        """Take as much, if there is so much left."""
        with self._lock:
            fits = size <= self._left
            self._left -= size if fits else 0
            return fits


class _CacheOfBaseUrl:
    """The cached answers for one base URL, by stored document, and what is known about groups.

    An answer mostly begins with the very bytes of the stored document; only what follows them is kept.
    """

    def __init__(self, budget: _Budget) -> None:
        self.groups = GroupCache(budget.take)
        self._budget = budget
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
        if self._budget.take(len(rest) + _OVERHEAD):
            self._answers[document] = answer.version, shared, rest
        return answer


def _shared(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts have in common at their beginning."""
    # Compared as two large numbers, without a loop in Python: their highest bit that differs is in the first byte that
    # does.
    length = min(len(one), len(other))
    difference = int.from_bytes(one[:length]) ^ int.from_bytes(other[:length])
    return length - (difference.bit_length() + 7) // 8


class Renderer:
    """Makes the answers of one type, with what is wanted of it."""

    def __init__(self, relations: Relations, type: ResourceType, wanted: AttributeSelection) -> None:
        self._relations, self._wanted = relations, wanted
        self._derived = relations.wanted_attributes(type, wanted)

    def render(self, document: Document) -> Answer:
        """Return the answer of a stored resource."""
        whole = self._relations.complete(document, self._derived)
        return Answer(version_of(document), orjson.dumps(self._wanted.project(whole)))


class Answers:
    """The answers of one reader."""

    def __init__(
        self, reader: Reader, registry: Registry, resource_url: ResourceUrl, leniency: Leniency, cache: RenderCache
    ) -> None:
        self._reader, self._tolerance = reader, leniency
        # Answers have addresses in them, so each base URL has its own; the address of no group in particular tells it.
        self._cache = cache.under(resource_url(registry.types[GROUP], ""), reader.mark)
        self.relations = Relations(reader, registry, resource_url, self._cache.groups)

    def renderer(self, type: ResourceType, projection: Projection) -> Renderer:
        """Return what makes answers of a type, which are not kept."""
        return Renderer(self.relations, type, projection.bind(type, self._tolerance))

    def of(self, type: ResourceType, document: Sealed, projection: Projection) -> Answer:
        """Return the answer of a resource, which may be one that is kept."""
        if projection != DEFAULT_PROJECTION:
            return self._made(self.renderer(type, projection), document)
        return self._cache.get(document) or self._put(self.renderer(type, projection), document)

    def texts(self, type: ResourceType, documents: Iterable[Sealed], projection: Projection) -> list[bytes]:
        """Return the answers of several resources, as `of` does, without their versions."""
        renderer = self.renderer(type, projection)
        if projection != DEFAULT_PROJECTION:
            return [self._made(renderer, one).text for one in documents]
        return [self._cache.text(one) or self._put(renderer, one).text for one in documents]

    def _made(self, renderer: Renderer, document: Sealed) -> Answer:
        return renderer.render(self._reader.unseal(document))

    def _put(self, renderer: Renderer, document: Sealed) -> Answer:
        return self._cache.put(document, self._made(renderer, document))
