"""A workload identity as Entra has one: a key pair, the assertions signed with it, and the keys' address."""

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from entra import strict_json

HOST = "127.0.0.1"
POLL = 0.05  # seconds
LIFETIME = 65 * 60  # seconds, as Entra's assertions have


class IdentityError(ValueError):
    """The identity's file cannot be used, or its keys cannot be served; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """The ids of the tenant, the workload and its application, and the key; `port` serves the public part."""

    tenant: str
    subject: str
    application: str
    port: int
    key: RSAKey = field(repr=False)

    @classmethod
    def create(cls, port: int) -> Self:
        """Create an identity with a new key pair."""
        tenant, subject, application = (str(uuid.uuid4()) for _ in range(3))
        key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        return cls(tenant, subject, application, port, key)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read an identity's file. Raises IdentityError."""
        try:
            raw = strict_json.loads(path.read_text(encoding="utf-8"))
            identity = cls(**{**raw, "key": RSAKey.import_key(raw["key"])})
            identity.assertion()
        except OSError as error:
            raise IdentityError(f"{path}: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError, JoseError):
            raise IdentityError(
                f"{path} is not a workload identity. Create one with: python -m entra identity FILE"
            ) from None
        return identity

    def save(self, path: Path) -> None:
        """Create a file that only its owner may read. Raises OSError."""
        fields = {name: getattr(self, name) for name in ("tenant", "subject", "application", "port")}
        with open(path, "x", encoding="utf-8", opener=_open_private) as file:
            json.dump({**fields, "key": self.key.as_dict(private=True)}, file, indent=1)

    @property
    def issuer(self) -> str:
        """The issuer of the assertions."""
        return f"https://login.microsoftonline.com/{self.tenant}/v2.0"

    @property
    def jwks_url(self) -> str:
        """The address at which the public key is served."""
        return f"http://{HOST}:{self.port}/{self.tenant}/discovery/v2.0/keys"

    @property
    def audience(self) -> str:
        """The audience of the assertions; the portal shows it with "/.default" at its end."""
        return f"api://{self.application}"

    @property
    def jwks(self) -> bytes:
        """The JSON Web Key Set with the public key."""
        return json.dumps(KeySet([self.key]).as_dict(private=False)).encode()

    def assertion(self, key: RSAKey | None = None, **changes: Any) -> str:
        """Return a signed assertion with the claims of Entra's; another key or changed claims make a wrong one."""
        now = int(time.time())
        claims = {
            "aud": self.audience,
            "iss": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "appid": self.application,
            "oid": self.subject,
            "sub": self.subject,
            "tid": self.tenant,
            "ver": "2.0",
        }
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, {**claims, **changes}, key or self.key)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve the public key while the context lasts. Raises IdentityError if its port is taken."""
        try:
            server = ThreadingHTTPServer((HOST, self.port), self._handler())
        except OSError as error:
            if not self._is_served():  # by another process with the same identity
                raise IdentityError(f"cannot serve the keys at {self.jwks_url}: {error.strerror}") from None
            yield
            return
        with server:
            threading.Thread(target=server.serve_forever, args=(POLL,), daemon=True).start()
            yield
            server.shutdown()

    def _is_served(self) -> bool:
        try:
            return httpx.get(self.jwks_url, timeout=5).content == self.jwks
        except httpx.HTTPError:
            return False

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        body = self.jwks

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        return Handler


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
