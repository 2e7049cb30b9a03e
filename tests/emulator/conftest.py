"""An endpoint over HTTP, and a tenant file."""

import json

import pytest

from entra.demo import generate
from entra.tenant import to_json
from tests.support.emulator_endpoint import Endpoint
from tests.support.emulator_job import served


@pytest.fixture(scope="module")
def endpoint():
    app = Endpoint()
    with served(app) as url:
        app.url = url
        yield app


@pytest.fixture
def fresh(endpoint):
    endpoint.store = {"User": {}, "Group": {}}
    return endpoint


@pytest.fixture
def tenant(tmp_path):
    path = tmp_path / "tenant.json"
    path.write_text(json.dumps(to_json(generate(12, 2))), encoding="utf-8")
    return path
