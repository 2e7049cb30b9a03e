"""What all requests share: configuration, registry, indexes, store."""

import atexit
import hmac
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from urllib.parse import quote

from config.reload import ReloadingConfig
from scim.directory.events import Event, Observer
from scim.directory.feed import Feed
from scim.directory.import_check import check_importable
from scim.directory.indexes import Indexes
from scim.directory.lists import Lists
from scim.directory.rendering import RenderCache
from scim.directory.resources import Resources
from scim.directory.shared_secret import file_secret, stored_secret
from scim.protocol.leniency import STRICT, Leniency
from scim.protocol.preconditions import Preconditions
from scim.schema.resource_types import Registry, ResourceType
from storage.base import Document, State, Store, Unavailable

_PLAIN = re.compile(r"[A-Za-z0-9._~-]*").fullmatch  # such as ids made here, which need no quoting
OPENING = 10.0  # seconds for which a request waits while another one opens the store
_SEGMENT = "!$&'()*+,;=:@"  # allowed unquoted in a path segment (RFC 3986 section 3.3)

log = logging.getLogger("tinyscim")


@dataclass
class Service:
    """What one application serves. The store is opened when first needed, after any fork.

    `secret_path` is the file of the secret that all workers share; without one it is in the store. `observers` receive
    each event. `prepare` is called with the store open, before its first use. `problem` returns why the service cannot
    be used now, or an empty text.
    """

    live_config: ReloadingConfig
    registry: Registry
    indexes: Indexes
    store: Store
    secret_path: Path | None = None
    observers: list[Observer] = field(default_factory=list)
    dialect: Leniency = STRICT
    prepare: Callable[[], None] = lambda: None
    problem: Callable[[], str] = lambda: ""

    def __post_init__(self) -> None:
        self.startup_config = (
            self.live_config.current
        )  # for options that need a restart; `live_config` follows the file
        self._secret = b""
        self._cache, self._lists = RenderCache(), Lists()
        self._resources = lru_cache(maxsize=64)(self._resources_under)
        self._lock = Lock()
        self._is_open = False
        url = partial(_resource_url, self.startup_config.server.url())
        self.feed = Feed(self.store, self.registry, url, is_on=self.startup_config.events.enabled)

    def open(self) -> None:
        """Open the store, once. Raises StoreCorrupted, and Unavailable also later if there is a problem."""
        if not self._is_open:
            if not self._lock.acquire(timeout=OPENING):
                raise Unavailable("the store is still being opened")
            try:
                if not self._is_open:
                    self._open()
            finally:
                self._lock.release()
        if text := self.problem():
            raise Unavailable(text)

    def _open(self) -> None:
        self.store.open(self.indexes.all)
        path = self.secret_path
        self._secret = file_secret(path) if path else stored_secret(self.store.state("secret"))
        self.prepare()
        atexit.register(self.store.close)
        self._is_open = True

    def state(self, name: str) -> State:
        """Return the state of a name, which all workers share. Raises StoreCorrupted, Unavailable."""
        self.open()
        return self.store.state(name)

    def check_document(self, kind: str, document: Document) -> None:
        """Raise ValueError, with the reason, if a document could not have been stored here."""
        check_importable(self.registry, kind, document)

    def cursor_secret(self, client: str) -> bytes:
        """Return the key that signs the cursors of a client, so that no other client can use or forge them."""
        return self._derived(f"cursors of {client}")

    def access_token_key(self) -> bytes:
        """Return the key that signs access tokens."""
        return self._derived("access tokens")

    def _derived(self, purpose: str) -> bytes:
        """Return a key for one purpose, derived from the secret that all workers share."""
        self.open()
        return hmac.digest(self._secret, purpose.encode(), "sha256")

    def resources(self, base_url: str) -> Resources:
        """Return the resources with URLs under a base URL. Raises StoreCorrupted, Unavailable."""
        self.open()
        return self._resources(base_url)

    def _resources_under(self, base_url: str) -> Resources:
        url, cached = partial(_resource_url, base_url), (self._cache, self._lists)
        return Resources(self.feed, self.store, self.registry, self.indexes, url, self.dialect, *cached)

    def emit_event(self, event: Event) -> None:
        """Call the observers; an error in one of them is logged and does not affect the request."""
        for observer in self.observers:
            try:
                observer(event)
            except Exception:
                log.exception("request=%s could not be observed", event.request_id)

    def remove(self, type: ResourceType, id: str, version: str, cause: str) -> None:
        """Delete this version of a resource and emit the event. Raises NotFound, PreconditionFailed."""
        started = time.perf_counter()
        outcome = self.resources("").delete(type, id, Preconditions(if_match=version))
        path = f"{self.startup_config.server.base_path}{type.endpoint}/{id}"
        took = (time.perf_counter() - started) * 1000
        self.emit_event(Event("DELETE", path, 204, milliseconds=took, outcome=outcome, cause=cause))


def _resource_url(base_url: str, type: ResourceType, id: str) -> str:
    return f"{base_url}{type.endpoint}/{id if _PLAIN(id) else quote(id, _SEGMENT)}"
