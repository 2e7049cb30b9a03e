"""A service whose log can be read: `logged` has the client, the log, and the lines of its file."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import create_app
from config.tokens import new_token
from provisioning_log import ProvisioningLog, log_of
from provisioning_log.entries import Entry
from provisioning_log.search import Criteria
from storage.memory import MemoryStore
from tests.support.scim_client import Scim, in_process


@dataclass
class Logged:
    scim: Scim
    app: Flask
    path: Path
    store: Any

    @property
    def log(self) -> ProvisioningLog:
        found = log_of(self.app)
        assert found
        return found

    def entries(self, **criteria: str) -> list[Entry]:
        return list(self.log.entries(Criteria(**criteria)))

    def last(self) -> Entry:
        return self.entries()[-1]

    def lines(self) -> list[dict[str, Any]]:
        self.log.flush()
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def run(self, *arguments: str) -> Any:
        return self.app.test_cli_runner().invoke(args=["log", *arguments])


@pytest.fixture
def make_logged(tmp_path: Path) -> Callable[..., Logged]:
    def make(*, read_only: bool = False, log: Any = None, **tables: Any) -> Logged:
        path, store = tmp_path / "provisioning.jsonl", MemoryStore()
        token, table = new_token("entra", read_only=read_only)
        app = create_app({"tokens": [table], "log": {"path": str(path), **(log or {})}, **tables}, store=store)
        return Logged(Scim(in_process(app), token), app, path, store)

    return make


@pytest.fixture
def logged(make_logged: Callable[..., Logged]) -> Logged:
    return make_logged()
