"""Renders resources as JSON text and caches the text until the store changes."""

from collections.abc import Iterable, Iterator
from itertools import chain
from threading import Lock
from typing import NamedTuple

import orjson

from scim.directory.context import GroupCache, ResourceUrl
from scim.directory.memberships import parts
from scim.directory.relations import Relations
from scim.protocol.leniency import Leniency
from scim.protocol.preconditions import version_of
from scim.protocol.projection import DEFAULT_PROJECTION, Projection
from scim.schema.resource_types import GROUP, Registry, ResourceType
from storage.base import Document, Reader, StoredDocument

CACHE_BYTES = 128_000_000
_OVERHEAD = 500  # bytes that an entry takes beside its text

CacheKey = tuple[str, str, object]
"""A base URL, a kind, and `StoredDocument.raw`."""


class RenderedResource(NamedTuple):
    """A resource's version, and the resource as JSON text."""

    version: str
    text: bytes

    @property
    def document(self) -> Document:
        """The resource that the text represents."""
        document: Document = orjson.loads(self.text)
        return document


class CachedVersion:
    """The rendered resources of one version of the store. Once `CACHE_BYTES` are used, no more are added."""

    def __init__(self, version: object) -> None:
        self.version, self.groups = version, GroupCache()
        self._rendered: dict[CacheKey, RenderedResource] = {}
        self._free, self._lock = CACHE_BYTES, Lock()

    def get(self, key: CacheKey) -> RenderedResource | None:
        """Return the rendered resource, or None."""
        return self._rendered.get(key)

    def put(self, key: CacheKey, rendered: RenderedResource) -> None:
        """Add a rendered resource if there is room."""
        size = len(rendered.text) + len(key[0]) + _OVERHEAD
        with self._lock:
            if size <= self._free and key not in self._rendered:
                self._free -= size
                self._rendered[key] = rendered


class RenderCache:
    """Keeps the rendered resources of the latest version that was read, so every write drops them all."""

    def __init__(self) -> None:
        self._latest = CachedVersion(None)

    def at(self, version: object) -> CachedVersion:
        """Return the cache of this version of the store."""
        latest = self._latest
        if latest.version is not version:
            latest = self._latest = CachedVersion(version)
        return latest


class ResourceRenderer:
    """Renders what one reader sees."""

    def __init__(
        self, reader: Reader, registry: Registry, resource_url: ResourceUrl, leniency: Leniency, cache: RenderCache
    ) -> None:
        self._leniency, self._cache = leniency, cache.at(reader.version)
        self._base_url = resource_url(registry.types[GROUP], "")  # unlike any other base URL's
        self.relations = Relations(reader, registry, resource_url, self._cache.groups)

    def render(self, type: ResourceType, document: Document, projection: Projection) -> RenderedResource:
        """Render a resource without the cache."""
        selection = projection.bind(type, self._leniency)
        derived = self.relations.wanted_attributes(type, selection)
        self.relations.prefetch([document], derived)
        body = selection.project(self.relations.complete(document, derived))
        body |= {one.name: [] for one in derived if one.shown_if_empty and one.name not in body}
        # A copy, since orjson's own buffer has 8 KB or more to spare.
        text = bytes(memoryview(orjson.dumps(body)))
        return RenderedResource(version_of(document), text)

    def render_stored(self, type: ResourceType, stored: StoredDocument, projection: Projection) -> RenderedResource:
        """Render a stored resource, or return it from the cache."""
        if projection != DEFAULT_PROJECTION:
            return self.render(type, stored.data, projection)
        return self._cached(type, stored)

    def texts(self, type: ResourceType, found: Iterable[StoredDocument], projection: Projection) -> list[bytes]:
        """Render several stored resources of a type."""
        return list(chain.from_iterable(self._texts(type, part, projection) for part in parts(found)))

    def _texts(self, type: ResourceType, found: list[StoredDocument], projection: Projection) -> Iterator[bytes]:
        is_default = projection == DEFAULT_PROJECTION
        if self.relations.reader.is_remote:
            new = (stored for stored in found if not (is_default and self._cache.get(self._key(type, stored))))
            derived = self.relations.wanted_attributes(type, projection.bind(type, self._leniency))
            self.relations.prefetch([stored.data for stored in new], derived)
        for stored in found:
            yield (self._cached(type, stored) if is_default else self.render(type, stored.data, projection)).text

    def _key(self, type: ResourceType, stored: StoredDocument) -> CacheKey:
        return self._base_url, type.name, stored.raw

    def _cached(self, type: ResourceType, stored: StoredDocument) -> RenderedResource:
        key = self._key(type, stored)
        rendered = self._cache.get(key)
        if rendered is None:
            rendered = self.render(type, stored.data, DEFAULT_PROJECTION)
            self._cache.put(key, rendered)
        return rendered
