"""Account discovery."""

from entra.discover import discover
from entra.mapping import idmelon_defaults
from tests.support import emulator_faults as faults
from tests.support.emulator_job import Job, company


def test_accounts_are_sorted_into_local_unassigned_and_assigned():
    tenant, job = company(), Job()
    job.sync(tenant)
    job.client.send("POST", "/Users", body={"userName": "local@x.example"})
    tenant.assignments = {"u0", "u1"}
    found = discover(job.client, idmelon_defaults(), tenant, count=2)
    assert [a["userName"] for a in found.local] == ["local@x.example"]
    assert len(found.unassigned) == 2
    assert {a["objectId"] for a in found.assigned} == {"u0", "u1"}
    assert found.remarks == []


def test_without_a_tenant_every_account_is_local():
    job = Job()
    job.sync(company())
    assert len(discover(job.client, idmelon_defaults(), None, count=3).local) == 4


def test_paging_faults_are_reported():
    class Repeats(faults.StartIndexNotEchoed):
        def collection(self, method, kind, query, body):
            return super().collection(method, kind, {**query, "startIndex": "1"}, body)

    job = Job(Repeats())
    job.sync(company())
    found = discover(job.client, idmelon_defaults(), None, count=2)
    assert [r.partition(" ")[0] for r in found.remarks] == ["startIndex", "page"]
    assert len(found.local) == 2
