"""Provision on demand."""

import pytest

from entra import ondemand
from entra.cycle import CycleStoppedError
from tests.support import emulator_faults as faults
from tests.support.emulator_job import Job, company


def provision(job, tenant, name, members=None):
    cycle = job.cycle(tenant)
    ondemand.provision(cycle, tenant.find(name), members)
    return cycle.log


def test_a_user_is_provisioned_in_the_legacy_dialect_even_with_the_flag():
    tenant, job = company(), Job(flag=True)
    provision(job, tenant, "u0@x.example")
    assert job.app.store["User"]
    tenant.objects["u0"].source["jobTitle"] = "Boss"
    provision(job, tenant, "u0@x.example")
    patches = [e.request for entry in job.entries for e in entry.exchanges if e.method == "PATCH"]
    assert patches[0]["Operations"] == [{"op": "Add", "path": "title", "value": "Boss"}]


def test_a_group_takes_five_of_its_members():
    tenant, job = company(), Job()
    extra = [f"u{n}" for n in range(4)]
    tenant.objects["g0"].source["members"] = extra
    for name in extra:
        provision(job, tenant, f"{name}@x.example")
    provision(job, tenant, "G 0", [tenant.objects["u3"]])
    assert len(job.group(tenant, "g0")["members"]) == 1
    provision(job, tenant, "G 0")
    assert len(job.group(tenant, "g0")["members"]) == 4


def test_a_member_that_is_not_provisioned_is_refused():
    tenant, job = company(), Job()
    with pytest.raises(ondemand.MemberError, match=r"u1@x\.example is not provisioned yet"):
        provision(job, tenant, "G 0", [tenant.objects["u1"]])
    provision(job, tenant, "u1@x.example")
    provision(job, tenant, "G 0", [tenant.objects["u1"]])
    assert len(job.group(tenant, "g0")["members"]) == 1


def test_an_object_that_is_not_a_member_is_refused():
    group, other = company().objects["g0"], company().objects["u3"]
    with pytest.raises(ondemand.MemberError, match=r"u3@x\.example is not a member of G 0"):
        ondemand.check_members(group, [other])


def test_an_object_out_of_scope_is_skipped_with_the_reason():
    tenant, job = company(), Job()
    tenant.assignments.clear()
    provision(job, tenant, "u0@x.example")
    assert job.verbs() == []
    assert job.entries[0].steps[1]["description"] == "not assigned to the application"


def test_a_failed_connection_test_stops_provision_on_demand():
    with pytest.raises(CycleStoppedError):
        provision(Job(faults.EmptySearchIs404()), company(), "u0@x.example")
