"""The service under gunicorn with its own configuration and a known password."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from werkzeug.security import generate_password_hash

from config.tokens import new_token
from tests.support.serving import free_port, gunicorn

PASSWORD = "correct horse battery"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Containers lack Chromium's sandbox and have little shared memory.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@dataclass(frozen=True)
class Running:
    """A running service, a valid token, the process that starts the workers, and the folder."""

    url: str
    token: str
    pid: int
    folder: Path

    @property
    def scim(self) -> str:
        return f"{self.url}/api/scim/v2"

    def send(
        self, method: str, path: str, body: object = None, token: str | None = None, **headers: str
    ) -> httpx.Response:
        headers["Authorization"] = f"Bearer {token or self.token}"
        return httpx.request(method, self.scim + path, json=body, headers=headers, timeout=30)

    def entra(self, method: str, path: str, body: object = None, token: str | None = None) -> httpx.Response:
        """Send a request as Entra does, without a User-Agent."""
        return self.send(method, path, body, token, **{"User-Agent": ""})

    def probe(self, token: str | None = None) -> int:
        """Send the request with which each of Entra's cycles begins, and return the status."""
        return self.entra("GET", f"/Users?filter=userName+eq+%22{uuid4()}%22", token=token).status_code


@contextmanager
def running(folder: Path, **tables: Any) -> Iterator[Running]:
    """Run the service, with two workers, from a folder."""
    bind = f"127.0.0.1:{free_port()}"
    token, table = new_token("entra")
    hashed = generate_password_hash(PASSWORD, method="scrypt:1024:8:1")
    panel = {"allow": [], "password_hash": hashed, "secret": "s" * 40}
    config = {"connection": {"enabled": True}, "panel": panel, "tokens": [table], **tables}
    config["server"] = {"bind": bind, **config.get("server", {})}
    with httpx.Client(base_url=f"http://{bind}") as client, gunicorn(folder, config, client) as process:
        yield Running(f"http://{bind}", token, process.pid, folder)
