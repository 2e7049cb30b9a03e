"""The emulator against this project's own service, in both dialects."""

import httpx
import pytest

from app import create_app
from config.tokens import new_token
from entra.changes import day
from entra.client import Endpoint as Client
from entra.client import HttpOptions
from entra.demo import generate
from entra.mapping import idmelon_defaults, with_roles
from entra.validate.cases import Status
from entra.validate.runner import Run
from storage.memory import MemoryStore
from tests.support.emulator_job import Job, assert_equal_directory

URL = "http://tinyscim.example/api/scim/v2"
ADDED = {"schemas", "meta", "groups"}


class Server:
    """The service with a store in memory; `store` is its content as read over HTTP."""

    def __init__(self):
        self.token, table = new_token("tests")
        self.wsgi = create_app({"tokens": [table]}, store=MemoryStore())
        self.requests = []

    def __call__(self, environ, start_response):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return self.wsgi(environ, start_response)

    def client(self):
        transport = httpx.WSGITransport(app=self, raise_app_exceptions=False)
        return Client(URL, self.token, HttpOptions(rate=0), transport)

    @property
    def store(self):
        return {kind: self.read_all(path) for kind, path in (("User", "/Users"), ("Group", "/Groups"))}

    def read_all(self, path):
        answer = self.client().send("GET", path, [("count", "1000")])
        resources = answer.response.get("Resources", [])
        assert len(resources) == answer.response["totalResults"]
        return {r["id"]: {k: v for k, v in r.items() if k not in ADDED} for r in resources}


@pytest.fixture
def server():
    return Server()


def job_of(server, **settings):
    job = Job(server, **settings)
    job.client = server.client()
    return job


@pytest.mark.parametrize("flag", [False, True], ids="LF")
def test_the_directory_equals_the_tenant_after_each_day(server, flag):
    tenant, job = generate(60, 6), job_of(server, flag=flag, clear_values=True)
    assert not job.sync(tenant).errors
    assert_equal_directory(job, tenant)
    for number in range(4):
        late = {o.id for o in tenant.of("User") if o.deleted or o.id not in job.state.links}
        tenant, _ = day(tenant, number, scale=2)
        assert not job.sync(tenant).errors
        late |= {o.id for o in tenant.of("User") if o.id not in job.state.links}
        assert_equal_directory(job, tenant, late)
    job.state.restart()
    assert not job.sync(tenant).errors
    assert_equal_directory(job, tenant)


@pytest.mark.parametrize("style", ["single", "complex", "assertive"])
@pytest.mark.parametrize("flag", [False, True], ids="LF")
def test_nothing_is_patched_again_after_a_restart(server, flag, style):
    tenant = generate(20, 2)
    job = job_of(server, flag=flag, mappings=with_roles(idmelon_defaults(), style))
    job.sync(tenant)
    job.state.restart(full=True)
    assert not job.sync(tenant).errors
    assert job.verbs() == []


def test_every_case_of_the_validation_passes(server):
    run = Run(server.client())
    assert [(r.name, r.message) for r in run.results() if r.status in (Status.FAILED, Status.WARNED)] == []
    assert run.left_behind == []
    assert server.store == {"User": {}, "Group": {}}
