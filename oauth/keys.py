"""The public keys of issuers (JWKS, RFC 7517): fetched over the network, cached in a file that all workers share."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock, Semaphore
from typing import TYPE_CHECKING, Any

from fileio.atomic import make_folder, open_to_read, replace_atomically
from fileio.locks import locked

if TYPE_CHECKING:
    import httpx

# Asymmetric ones alone: with HS256, the public key would be the secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "Ed448")
MAX_LIFETIME = 86_400  # seconds for which an assertion may work
SKEW = 60  # seconds that the issuer's clock may differ

PAUSE = 60.0  # seconds between two fetches from one URL
STALE = 86_400.0  # seconds after which keys are fetched again when they are needed, as one may have been withdrawn
TIMEOUT = 5.0  # seconds from looking up the host's name to the last byte
MAX_BYTES = 500_000
_FETCHING = "another request is fetching them"
_POLL_INTERVAL = 0.05  # seconds
_MIN_RSA_CHARACTERS = 342  # of a modulus of 2,048 bits in base64

Jwk = Mapping[str, Any]

log = logging.getLogger("tinyscim.oauth")


class FetchError(Exception):
    """The keys could not be fetched; the message says why."""


class UnknownKey(Exception):
    """No key has this id; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Cached:
    """The keys from a URL, by id, with the time of the last fetch and of the last attempt; `problem` is its error."""

    keys: dict[str, Jwk] = field(default_factory=dict)
    fetched: float = 0.0
    attempted: float = 0.0
    problem: str = ""


class KeyCache:
    """The keys of issuers; without a path, of this process alone.

    Keys are fetched if an unknown one is needed, at most once a minute, and once a day. If that fails, the cached ones
    go on serving. While another request fetches them, at most `waiters` requests of this process wait for it.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.time, waiters: int = 0) -> None:
        self._path, self._clock = path, clock
        self._cached: dict[str, Cached] = {}
        self._lock, self._waiters = Lock(), Semaphore(waiters)

    def find(self, url: str, id: str) -> Jwk:
        """Return the key with an id. Raises UnknownKey, or FetchError if the keys are not up to date."""
        cached = self._read().get(url, Cached())
        if id not in cached.keys or not 0 <= self._clock() - cached.fetched <= STALE:
            cached = self.refresh(url)
        if id not in cached.keys and cached.problem == _FETCHING:
            cached = self._awaited(url, cached)
        if id in cached.keys:
            return cached.keys[id]
        reason = f"its key is not among the {len(cached.keys)} keys of {url}"
        if cached.problem:
            raise FetchError(f"{reason}, which could not be fetched: {cached.problem}")
        raise UnknownKey(reason)

    def refresh(self, url: str) -> Cached:
        """Fetch the keys, unless that was tried within a minute, and return what is known of them.

        No lock is held meanwhile: requests that need the keys at that time get those that are known.
        """
        with self._locked():
            cached, now = self._read().get(url, Cached()), self._clock()
            if 0 <= now - cached.attempted < PAUSE:
                return cached
            self._write(url, replace(cached, attempted=now, problem=_FETCHING))
        try:
            keys = fetch(url)
            now = self._clock()
            cached = Cached(keys, now, now)
        except FetchError as error:
            cached = replace(cached, attempted=self._clock(), problem=str(error))
            log.warning("the keys of %s could not be fetched: %s", url, error)
        with self._locked():
            self._write(url, cached)
        return cached

    def _awaited(self, url: str, cached: Cached) -> Cached:
        """Wait until another request, maybe of another worker, has fetched the keys, and return them.

        Return what is known at once if too many requests wait, and after `TIMEOUT` if that request has not ended.
        """
        if not self._waiters.acquire(blocking=False):
            return cached
        try:
            end = time.monotonic() + TIMEOUT
            while cached.problem == _FETCHING and time.monotonic() < end:
                time.sleep(_POLL_INTERVAL)
                cached = self._read().get(url, cached)
            return cached
        finally:
            self._waiters.release()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the file; if that fails, other workers fetch the keys by themselves."""
        with self._lock, ExitStack() as stack:
            try:
                if self._path:
                    make_folder(self._path.parent)
                    stack.enter_context(locked(self._path.with_name(self._path.name + ".lock")))
            except OSError as error:
                log.error("%s: %s; each worker fetches the keys", self._path, error.strerror)
            yield

    def _read(self) -> dict[str, Cached]:
        """Return the cached keys by URL; a missing or damaged file has none."""
        with suppress(OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            if self._path:
                with open_to_read(self._path) as file:
                    self._cached = {url: _cached(**fields) for url, fields in json.load(file).items()}
        return self._cached

    def _write(self, url: str, cached: Cached) -> None:
        self._cached = {**self._read(), url: cached}
        if self._path:
            text = json.dumps({url: asdict(one) for url, one in self._cached.items()})
            try:
                replace_atomically(self._path, [text.encode()])
            except OSError as error:
                log.error("%s: %s; each worker fetches the keys", self._path, error.strerror)


def _cached(keys: Mapping[str, Jwk], fetched: float, attempted: float, problem: str) -> Cached:
    """Return what a file has of a URL. Raises an exception if it is damaged."""
    return Cached({id: dict(key) for id, key in keys.items()}, float(fetched), float(attempted), str(problem))


def fetch(url: str) -> dict[str, Jwk]:
    """Fetch the keys of a URL, by id; redirects are not followed. Raises FetchError."""
    import asyncio  # with the first assertion only: they take a fifth of the start-up time of a command

    import httpx

    try:
        answer = _body(httpx.AsyncClient(timeout=TIMEOUT), url)
        # Unlike asyncio.run, close() does not wait for the look-up of a host's name, which cannot be cancelled.
        with closing(asyncio.new_event_loop()) as loop:
            return _by_id(json.loads(loop.run_until_complete(asyncio.wait_for(answer, TIMEOUT))))
    except TimeoutError:
        raise FetchError(f"there was no complete answer within {TIMEOUT:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError(f"could not connect: {error}") from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise FetchError("the answer is not a set of keys (RFC 7517 section 5)") from None


async def _body(client: "httpx.AsyncClient", url: str) -> bytes:
    # Compressed answers are not asked for: their real size would be known too late.
    headers, body = {"Accept": "application/json", "Accept-Encoding": "identity"}, b""
    async with client, client.stream("GET", url, headers=headers) as response:
        if response.status_code != 200:
            raise FetchError(f"the answer's status is {response.status_code}, not 200")
        async for piece in response.aiter_raw(8_192):
            body += piece
            if len(body) > MAX_BYTES:
                raise FetchError(f"the answer has more than {MAX_BYTES} bytes")
    return body


def _by_id(body: Any) -> dict[str, Jwk]:
    """Return the keys that can verify an assertion; others are ignored (RFC 7517 section 5)."""
    return {key["kid"]: _public(key) for key in body["keys"] if _is_usable(key)}


def _is_usable(key: Any) -> bool:
    """Return whether a key has an id, is for signatures, and is long enough."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    try:
        is_long_enough = key["kty"] != "RSA" or len(key["n"]) >= _MIN_RSA_CHARACTERS
        is_for_signatures = key["kty"] in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"
        if not (isinstance(key["kid"], str) and is_for_signatures and is_long_enough):
            return False
        JWKRegistry.import_key(dict(_public(key)))
        return True
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return False


def _public(key: Jwk) -> Jwk:
    return {name: key[name] for name in ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y") if name in key}
