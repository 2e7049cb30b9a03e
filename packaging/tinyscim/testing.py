"""A SCIM service in a process of its own, for tests of programs that use one."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
PAGE = 100  # resources that are deleted at a time


class Server:
    """A running service: its SCIM base URL, a token, and a client that uses both."""

    def __init__(self, config: Path | None = None, folder: Path | None = None) -> None:
        """Start the service with the tables of a TOML file; keep the data in a folder, or in memory."""
        arguments = [str(config or ""), str(folder or "")]
        # Appending, because the service writes wherever reading has left the shared position.
        self._log = tempfile.TemporaryFile("a+", encoding="utf-8")  # noqa: SIM115  # until close()
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "tinyscim.testing_server", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError(f"The service did not start:\n{self.log}")
        started: dict[str, str] = json.loads(line)
        self.url, self.token = started["url"], started["token"]
        headers = {"Authorization": f"Bearer {self.token}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    @property
    def log(self) -> str:
        """What the service has logged: a line for each request."""
        self._log.seek(0)
        return self._log.read()

    def reset(self) -> None:
        """Delete all resources."""
        for endpoint in self._endpoints():
            while paths := list(self._paths(endpoint)):
                operations = [{"method": "DELETE", "path": path} for path in paths]
                answer = self._json("POST", "/Bulk", json={"schemas": [BULK], "Operations": operations})
                failed = [one for one in answer["Operations"] if one["status"] not in ("204", "404")]
                if failed:
                    raise RuntimeError(f"The service could not delete a resource: {failed[0]}")

    def close(self) -> None:
        """Stop the service."""
        self.client.close()
        self._process.communicate()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def _endpoints(self) -> list[str]:
        return [one["endpoint"] for one in self._json("GET", "/ResourceTypes")["Resources"]]

    def _paths(self, endpoint: str) -> Iterator[str]:
        found = self._json("GET", endpoint, params={"attributes": "id", "count": PAGE})
        return (f"{endpoint}/{one['id']}" for one in found.get("Resources", []))

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return self.client.request(method, path, **options).raise_for_status().json()
