"""The emulator against this project's own service, in both dialects and with each sign-in."""

import httpx
import pytest

from app import create_app
from config.tokens import new_token
from entra.changes import day
from entra.client import Endpoint as Client
from entra.client import HttpOptions
from entra.demo import generate
from entra.mapping import idmelon_defaults, with_roles
from entra.oauth import Credentials
from entra.validate.cases import Status
from entra.validate.runner import Run
from entra.workload_identity import WorkloadIdentity
from tests.support.emulator_cli import run
from tests.support.emulator_job import Job, assert_equal_directory
from tests.support.oauth_service import make_client
from tests.support.running_service import running
from tests.support.serving import free_port
from tests.support.stores import new_store

URL = "http://tinyscim.example/api/scim/v2"
TOKEN_URL = "http://tinyscim.example/oauth2/token"
ADDED = {"schemas", "meta", "groups"}


def federated(identity):
    """Return the [[clients]] table of a client that signs in with a workload identity."""
    values = {name: getattr(identity, name) for name in ("issuer", "jwks_url", "subject")}
    federation = {**values, "audiences": [identity.audience]}
    return {"id": "entra", "name": "Entra", "scope": "read-write", "federation": federation}


class Server:
    """The service with a store in memory; `store` is its content as read over HTTP."""

    def __init__(self, sign_in, identity):
        self.token, table = new_token("tests")
        self.credentials, clients = None, []
        if sign_in == "secret":
            secret, client = make_client("entra")
            self.credentials, clients = Credentials(TOKEN_URL, "entra", secret, "both"), [client]
        elif sign_in == "federation":
            self.credentials, clients = Credentials(TOKEN_URL, "entra", identity=identity), [federated(identity)]
        self.wsgi = create_app({"tokens": [table], "clients": clients}, store=new_store())
        self.requests = []

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"].startswith("/api/"):
            self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return self.wsgi(environ, start_response)

    def client(self):
        transport = httpx.WSGITransport(app=self, raise_app_exceptions=False)
        client = Client(URL, "" if self.credentials else self.token, HttpOptions(rate=0), transport, self.credentials)
        client.refresh_token()
        return client

    @property
    def store(self):
        return {kind: self.read_all(path) for kind, path in (("User", "/Users"), ("Group", "/Groups"))}

    def read_all(self, path):
        answer = self.client().send("GET", path, [("count", "1000")])
        resources = answer.response.get("Resources", [])
        assert len(resources) == answer.response["totalResults"]
        return {r["id"]: {k: v for k, v in r.items() if k not in ADDED} for r in resources}


@pytest.fixture(scope="module")
def identity():
    found = WorkloadIdentity.create(free_port())
    with found.serving():
        yield found


@pytest.fixture
def server(request, identity):
    return Server(getattr(request, "param", "token"), identity)


def job_of(server, **settings):
    job = Job(server, **settings)
    job.client = server.client()
    return job


@pytest.mark.parametrize(
    ("server", "flag"),
    [("token", False), ("token", True), ("secret", True), ("federation", False)],
    indirect=["server"],
)
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


@pytest.mark.parametrize(
    ("server", "style"),
    [("token", "single"), ("token", "complex"), ("token", "assertive"), ("secret", "single"), ("federation", "single")],
    indirect=["server"],
)
@pytest.mark.parametrize("flag", [False, True], ids="LF")
def test_nothing_is_patched_again_after_a_restart(server, flag, style):
    tenant = generate(20, 2)
    job = job_of(server, flag=flag, mappings=with_roles(idmelon_defaults(), style))
    job.sync(tenant)
    job.state.restart(full=True)
    assert not job.sync(tenant).errors
    assert job.verbs() == []


@pytest.mark.parametrize("server", ["token", "secret", "federation"], indirect=True)
def test_every_case_of_the_validation_passes(server):
    run = Run(server.client())
    assert [(r.name, r.message) for r in run.results() if r.status in (Status.FAILED, Status.WARNED)] == []
    assert run.left_behind == []
    assert server.store == {"User": {}, "Group": {}}


@pytest.mark.long
@pytest.mark.parametrize("place", ["body", "header", "both", "federation"])
def test_commands_sign_in_to_a_running_service(tmp_path, place):
    tenant, file = tmp_path / "tenant.json", tmp_path / "identity.json"
    tenant.write_text(run("demo", "--users", 20, "--groups", 2).output)
    secret, client = make_client("entra")
    options = ["--client-id", "entra", "--credentials", place, "--client-secret", secret]
    if place == "federation":
        assert run("identity", file, "--port", free_port()).exit_code == 0
        client, options = federated(WorkloadIdentity.load(file)), ["--client-id", "entra", "--federation", file]
    with running(tmp_path, clients=[client]) as service:
        options += ["--token-endpoint", f"{service.url}/oauth2/token", "--rate", 0]
        for command in (("sync", tenant, "--url", service.scim), ("validate", service.scim)):
            result = run(*command, *options, token="")
            assert result.exit_code == 0, result.output
            assert "warned" not in result.output
