"""An issuer of client assertions, as Entra is for a workload identity, with its keys on a local server."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

TENANT = "0d7b6f4e-93b1-4a7b-9d5e-3c2a1b0f9e8d"
ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
SUBJECT = "6a1c2b3d-0000-4000-8000-000000000001"
APP = "b1946ac9-0000-4000-8000-000000000002"
AUDIENCES = [f"api://{APP}", f"api://{APP}/.default", APP]
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@cache
def make_key(kid: str = "key-1", kind: str = "RSA") -> Any:
    """Make a key pair, once for each id."""
    made = {
        "RSA": lambda: RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}),
        "EC": lambda: ECKey.generate_key("P-256", {"kid": kid}),
        "OKP": lambda: OKPKey.generate_key("Ed25519", {"kid": kid}),
        "oct": lambda: OctKey.generate_key(256, {"kid": kid}),
    }
    return made[kind]()


class Issuer:
    """Signs assertions; its server answers with `keys`, or with `status` and `body` if they are given.

    It sets `asked`, then waits for `may_answer` before it answers.
    """

    def __init__(self) -> None:
        self.keys: list[Any] = [make_key()]
        self.status, self.headers, self.body = 200, {}, None
        self.requests = 0
        self.asked, self.may_answer = Event(), Event()
        self.may_answer.set()
        self.url = ""

    def federation(self, **changes: Any) -> dict[str, Any]:
        """Return the [clients.federation] table of this issuer."""
        return {"issuer": ISSUER, "jwks_url": self.url, "subject": SUBJECT, "audiences": AUDIENCES, **changes}

    def client(self, **changes: Any) -> dict[str, Any]:
        """Return the [[clients]] table of a client that signs in with this issuer's assertions."""
        return {"id": "entra-id", "name": "Entra", "scope": "read-write", "federation": self.federation(**changes)}

    def assertion(self, key: Any = None, header: Any = None, **claims: Any) -> str:
        """Return an assertion like Entra's; a claim or header given as None is left out."""
        key, now = key or make_key(), int(time.time())
        usual = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCES[0], "tid": TENANT, "oid": SUBJECT, "appid": APP}
        usual |= {"iat": now, "nbf": now, "exp": now + 3900, "ver": "2.0", "uti": "x"}
        given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        headers = {"alg": "RS256", "kid": key.kid, **(header or {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        known = {"x": HeaderParameter("an extension", "int")}
        registry = JWSRegistry(known, algorithms=[headers["alg"]], strict_check_header=False)
        return jws.serialize_compact(headers, json.dumps(given), key, registry=registry)

    def form(self, assertion: str | None = None, **rest: str) -> dict[str, str]:
        """Return the form of a token request with an assertion."""
        text = self.assertion() if assertion is None else assertion
        return {"client_id": "entra-id", "client_assertion_type": ASSERTION, "client_assertion": text, **rest}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run an issuer's server while the context lasts."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests += 1
            issuer.asked.set()
            issuer.may_answer.wait(30)
            public = json.dumps({"keys": [key.as_dict(private=False) for key in issuer.keys]}).encode()
            body = public if issuer.body is None else issuer.body
            self.send_response(issuer.status)
            for name, value in {**issuer.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            with suppress(OSError):  # the client has given up
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        issuer.url = f"http://127.0.0.1:{server.server_port}/keys"
        yield issuer
        issuer.may_answer.set()
        server.shutdown()
