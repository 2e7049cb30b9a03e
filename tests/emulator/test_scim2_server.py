"""The emulator against scim2-server, an endpoint of another project."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from entra.client import Endpoint as Client
from entra.client import HttpOptions
from entra.demo import generate
from entra.mapping import MappingSet, entra_defaults
from entra.validate.cases import Status
from entra.validate.reports import to_html
from entra.validate.runner import CASES, Run
from tests.support.emulator_endpoint import TOKEN
from tests.support.emulator_job import Job, assert_equal_groups

COMMAND = shutil.which("scim2-server", path=str(Path(sys.executable).parent))
pytestmark = pytest.mark.skipif(COMMAND is None, reason="scim2-server is not installed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def endpoint():
    port = free_port()
    command = [COMMAND, "--port", str(port), "--bearer-token", TOKEN]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 20
        while not is_listening(port):
            assert time.monotonic() < until, "scim2-server does not start"
            time.sleep(0.05)
        client = Client(f"http://127.0.0.1:{port}", TOKEN, HttpOptions(rate=0))
        yield client
        client.close()
        process.terminate()


def test_a_cycle_without_managers_succeeds(endpoint):
    tenant, job = generate(30, 3), Job(flag=True, mappings=without_manager(entra_defaults()))
    job.client = endpoint
    assert not job.sync(tenant).errors
    job.app.store = {"User": read_all(endpoint, "/Users"), "Group": read_all(endpoint, "/Groups")}
    ids = {source: link.target for source, link in job.state.links.items()}
    for group in job.app.store["Group"].values():
        group["description"] = tenant.find(group["displayName"]).source["description"]  # not mapped here
    assert_equal_groups(job, tenant, ids, frozenset())
    assert len(job.app.store["User"]) == sum(person.enabled for person in tenant.of("User"))


def test_the_reference_check_of_the_manager_fails(endpoint):
    job = Job(flag=True, mappings=entra_defaults())
    job.client = endpoint
    errors = job.sync(generate(12, 0, domain="manager.example")).errors
    assert {cause for _, cause in errors} == {"GET returned 400: Field not found: manager"}


def test_a_validation_finishes_and_cleans_up(endpoint):
    before = read_all(endpoint, "/Users"), read_all(endpoint, "/Groups")
    run = Run(endpoint)
    found = {r.name: r for r in run.results()}
    assert {r.case.name for r in found.values()} == {case.name for case in CASES}
    assert "unexpected shape" not in " ".join(r.message for r in found.values())
    assert found["probe-users[L]"].status is Status.PASSED
    assert found["manager-reference[L]"].status is Status.FAILED
    assert (read_all(endpoint, "/Users"), read_all(endpoint, "/Groups")) == before
    assert "What to change" in to_html(run)


def read_all(endpoint, path):
    resources = endpoint.send("GET", path, [("count", "1000")]).response.get("Resources", [])
    return {resource["id"]: resource for resource in resources}


def without_manager(mappings):
    rows = tuple(row for row in mappings.users.rows if row.target.name != "manager")
    users = type(mappings.users)("User", rows)
    return MappingSet(users, mappings.groups)
