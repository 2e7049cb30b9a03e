"""Fixtures of the service under test: in-process for most tests, and served by gunicorn for a few."""

import gc
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from app import create_app
from config.tokens import new_token
from tests.support import postgres
from tests.support.made_once import TemplatesInMemory, create_context
from tests.support.scim_client import BASE_PATH, Scim, in_process
from tests.support.serving import serving
from tests.support.stores import new_store, release

Flask.jinja_options = {"bytecode_cache": TemplatesInMemory()}
ssl.create_default_context = create_context


@pytest.fixture(scope="session")
def make_scim() -> Callable[..., Scim]:
    """Make a client of an app of its own: make_scim(server={...}, directory={...}, store=...)."""

    def make(*, read_only: bool = False, store: Any = None, **tables: Any) -> Scim:
        token, table = new_token("tests", read_only=read_only)
        app = create_app({"tokens": [table], **tables}, store=store or new_store())
        return Scim(in_process(app), token, tables.get("server", {}).get("base_path", BASE_PATH), app)

    return make


@pytest.fixture
def scim(make_scim: Callable[..., Scim]) -> Iterator[Scim]:
    scim = make_scim()
    yield scim
    release(scim.app.extensions["tinyscim"].store)


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


def pytest_collection_finish() -> None:
    """Spare each garbage collection the modules and the tests, and have fewer: they take a quarter of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Give the URL of a database of the module's own."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def postgres_url(database: str) -> Iterator[str]:
    """Give the URL of an empty database."""
    yield database
    postgres.empty(database)
