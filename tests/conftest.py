"""The service under test: in-process for most tests, and as gunicorn serves it for a few.

Tests speak HTTP through the small client below. A `scim` is empty when a test gets it.
"""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import tomlkit

from app import create_app
from config.reload import MAX_AGE, SETTLED
from config.tokens import new_token
from storage.memory import MemoryStore
from tests.urns import ERROR, GROUP, PATCH_OP, USER

ROOT = Path(__file__).parent.parent
BASE_PATH = "/api/scim/v2"
CONTENT_TYPE = "application/scim+json; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None


Send = Callable[[str, str, dict[str, str], bytes | None], Answer]


class Scim:
    """A client that sends what Entra sends, and holds every refusal to the form of an RFC 7644 error."""

    def __init__(self, send: Send, token: str, base_path: str = BASE_PATH, app: Any = None) -> None:
        self.send, self.token, self.base_path, self.app = send, token, base_path, app
        self.url = ""
        self._numbers = itertools.count(1)

    def request(self, method: str, path: str, body: Any = None, headers: Any = None, data: Any = None) -> Answer:
        """Send JSON (`body`) or bytes (`data`); a header given as None is left out."""
        if body is not None:
            data = json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}"}
        if data is not None:
            sent["Content-Type"] = CONTENT_TYPE
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if value is not None}
        answer = self.send(method, self.base_path + path, sent, data)
        if answer.status >= 400 and method != "HEAD":
            assert answer.headers["Content-Type"].split(";")[0] == "application/scim+json", answer
            assert answer.body["schemas"] == [ERROR]
            assert answer.body["status"] == str(answer.status)
        return answer

    def get(self, path: str, headers: Any = None) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any, headers: Any = None) -> Answer:
        return self.request("POST", path, body, headers)

    def put(self, path: str, body: Any, headers: Any = None) -> Answer:
        return self.request("PUT", path, body, headers)

    def patch(self, path: str, body: Any, headers: Any = None) -> Answer:
        return self.request("PATCH", path, body, headers)

    def delete(self, path: str, headers: Any = None) -> Answer:
        return self.request("DELETE", path, headers=headers)

    def patch_op(self, path: str, *operations: Any, headers: Any = None) -> Answer:
        return self.patch(path, {"schemas": [PATCH_OP], "Operations": list(operations)}, headers)

    def query(self, path: str, **parameters: Any) -> Answer:
        return self.get(f"{path}?{urlencode(parameters)}")

    def found(self, path: str, filter: str) -> list[str]:
        """The ids that a filter finds."""
        answer = self.query(path, filter=filter)
        assert answer.status == 200, answer.body
        return [resource["id"] for resource in answer.body["Resources"]]

    def read(self, path: str) -> Any:
        """The resource at a path, which must be there."""
        answer = self.get(path)
        assert answer.status == 200, answer.body
        return answer.body

    def create_user(self, **attributes: Any) -> Any:
        default = {"schemas": [USER], "userName": f"user{next(self._numbers)}@contoso.example"}
        return self._create("/Users", {**default, **attributes})

    def create_group(self, **attributes: Any) -> Any:
        default = {"schemas": [GROUP], "displayName": f"Group {next(self._numbers)}"}
        return self._create("/Groups", {**default, **attributes})

    def _create(self, path: str, body: Any) -> Any:
        answer = self.post(path, body)
        assert answer.status == 201, answer.body
        return answer.body


def in_process(app: Any) -> Send:
    client = app.test_client()

    def send(method: str, url: str, headers: dict[str, str], data: bytes | None) -> Answer:
        answer = client.open(url, method=method, headers=headers, data=data)
        return Answer(answer.status_code, answer.headers, answer.get_data(as_text=True))

    return send


def over_network(client: httpx.Client) -> Send:
    def send(method: str, url: str, headers: dict[str, str], data: bytes | None) -> Answer:
        answer = client.request(method, url, headers=headers, content=data)
        return Answer(answer.status_code, answer.headers, answer.text)

    return send


@pytest.fixture(scope="session")
def make_scim() -> Callable[..., Scim]:
    """Make a client of an app of its own: make_scim(server={...}, directory={...}, store=...)."""

    def make(*, read_only: bool = False, store: Any = None, **tables: Any) -> Scim:
        token, table = new_token("tests", read_only=read_only)
        app = create_app({"tokens": [table], **tables}, store=store or MemoryStore())
        return Scim(in_process(app), token, tables.get("server", {}).get("base_path", BASE_PATH), app)

    return make


@pytest.fixture
def scim(make_scim: Callable[..., Scim]) -> Scim:
    return make_scim()


@pytest.fixture(scope="session")
def live(serve: Any, tmp_path_factory: pytest.TempPathFactory):
    """A client of the real service, for the whole session; what tests leave in it stays."""
    token, table = new_token("live")
    with serve(tmp_path_factory.mktemp("live"), table) as (send, url):
        scim = Scim(send, token)
        scim.url = url
        yield scim


@pytest.fixture(scope="session")
def serve() -> Callable[..., Any]:
    """Serve with gunicorn while the context lasts: serve(folder, token, public_url=...) gives a Send and the URL."""
    return serving


def rewrite(path: Path, text: str) -> None:
    """Put a new file in the place of another, as most editors do, and wait until it counts as whole."""
    new = path.with_name("rewritten")
    new.write_text(text)
    new.replace(path)
    time.sleep(SETTLED + MAX_AGE)


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder: Path, *tokens: Any, **server: Any):
    bind = f"127.0.0.1:{free_port()}"
    config = {
        "server": {"bind": bind, **server},
        "store": {"path": "data.json"},
        "connection": {"enabled": True},
        "tokens": list(tokens),
    }
    (folder / "config.toml").write_text(tomlkit.dumps(config))
    (folder / "config.toml").chmod(0o600)
    with (
        (folder / "log").open("a") as log,
        subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "app:create_app()"],
            cwd=ROOT,
            env={**os.environ, "SCIM_CONFIG": str(folder / "config.toml")},
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
        httpx.Client(base_url=f"http://{bind}", timeout=30) as client,
    ):
        try:
            wait_until_healthy(client, process, folder / "log")
            yield over_network(client), f"http://{bind}"
        finally:
            process.terminate()


def wait_until_healthy(client: httpx.Client, process: subprocess.Popen, log: Path) -> None:
    for _ in range(200):
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())
