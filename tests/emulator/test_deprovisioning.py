"""Deprovisioning: the request for each event and scope, and the removals that are held back."""

import copy
from dataclasses import replace

import pytest

from entra.cycle import CycleStoppedError
from entra.mapping import MappingSet, idmelon_defaults
from entra.scoping import Clause, ScopingFilter
from tests.support.emulator_job import Job, company

BOTH = pytest.mark.parametrize("flag", [False, True], ids="LF")


def test_an_unassigned_user_is_disabled_and_no_longer_managed():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.assignments.discard("u3")
    job.sync(tenant)
    assert job.user(tenant, "u3")["active"] is False
    del tenant.objects["u3"]
    job.sync(tenant)
    assert job.verbs() == []
    assert len(job.app.store["User"]) == 4


def test_a_reassigned_user_is_restored():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.assignments.discard("u3")
    job.sync(tenant)
    tenant.assignments.add("u3")
    job.sync(tenant)
    assert job.user(tenant, "u3")["active"] is True
    assert [e.action for e in job.entries if e.source == "u3"] == ["restore"]
    del tenant.objects["u3"]
    job.sync(tenant)
    assert job.verbs() == ["DELETE"]


def test_with_scope_all_unassigning_sends_nothing():
    tenant, job = company(), Job()
    job.sync(tenant, scope="all")
    tenant.assignments.clear()
    job.sync(tenant, scope="all")
    assert job.verbs() == []


@pytest.mark.parametrize("scope", ["assigned", "all"])
@pytest.mark.parametrize("change", [{"accountEnabled": False}, {"softDeleted": True}])
def test_disabled_and_soft_deleted_users_are_disabled_and_restored(scope, change):
    tenant, job = company(), Job()
    job.sync(tenant, scope=scope)
    tenant.objects["u2"].source.update(change)
    job.sync(tenant, scope=scope)
    assert job.verbs() == ["PATCH"]
    assert job.user(tenant, "u2")["active"] is False
    tenant.objects["u2"].source.update({key: not value for key, value in change.items()})
    job.sync(tenant, scope=scope)
    assert job.user(tenant, "u2")["active"] is True
    assert {m["value"] for m in job.group(tenant, "g0")["members"]} >= {job.user(tenant, "u2")["id"]}


@BOTH
def test_a_purged_user_is_deleted(flag):
    tenant, job = company(), Job(flag=flag)
    job.sync(tenant)
    del tenant.objects["u3"]
    job.sync(tenant)
    assert job.verbs() == ["DELETE"]


def test_an_unassigned_user_stays_unmanaged_after_later_changes():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.assignments.discard("u3")
    job.sync(tenant)
    tenant.objects["u3"].source["softDeleted"] = True
    job.sync(tenant)
    assert [method for method, _ in job.app.requests] == ["GET", "GET"]


def test_a_resource_that_is_already_gone_counts_as_deleted():
    tenant, job = company(), Job()
    job.sync(tenant)
    job.app.store["User"].clear()
    del tenant.objects["u3"]
    assert not job.sync(tenant).errors


def test_disabled_users_are_never_created():
    tenant, job = company(accountEnabled=False), Job()
    job.sync(tenant)
    assert job.app.store["User"] == {}


@pytest.mark.parametrize("change", ["unassign", "delete", "soft-delete"])
def test_an_unassigned_or_deleted_group_is_deleted(change):
    tenant, job = company(), Job()
    job.sync(tenant)
    if change == "unassign":
        tenant.assignments.discard("g0")
    elif change == "delete":
        del tenant.objects["g0"]
    else:
        tenant.objects["g0"].source["softDeleted"] = True
    job.sync(tenant)
    assert job.verbs() == ["DELETE"]
    assert job.app.store["Group"] == {}


def test_members_of_an_assigned_group_are_in_scope_but_members_of_a_nested_group_are_not():
    tenant = company()
    tenant.objects["g0"].source["members"] = ["u1", "g1"]
    nested = copy.deepcopy(tenant.objects["g0"])
    nested.source.update(objectId="g1", displayName="G 1", members=["u2"])
    tenant.objects["g1"] = nested
    tenant.assignments = {"g0"}
    job = Job()
    job.sync(tenant)
    assert set(job.state.links) == {"u1", "g0"}


def test_a_user_who_fails_the_scoping_filter_is_disabled():
    tenant, job = company(department="Sales"), Job()
    job.sync(tenant)
    users = job.mappings.users
    scope = ScopingFilter(((Clause("department", "EQUALS", ("sales",)),),))
    job.mappings = MappingSet(type(users)("User", users.rows, scope), job.mappings.groups)
    tenant.objects["u2"].source["department"] = "Legal"
    job.sync(tenant)
    assert job.user(tenant, "u2")["active"] is False
    assert job.user(tenant, "u1")["active"] is True


def test_skip_out_of_scope_deletions_sends_nothing():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.assignments.clear()
    job.sync(tenant, skip_out_of_scope=True)
    assert job.verbs() == []


def test_a_user_is_not_disabled_if_active_is_not_mapped():
    mappings = idmelon_defaults()
    rows = tuple(row for row in mappings.users.rows if row.target.text != "active")
    job, tenant = Job(mappings=MappingSet(type(mappings.users)("User", rows), mappings.groups)), company()
    job.sync(tenant)
    tenant.objects["u2"].source["accountEnabled"] = False
    job.sync(tenant)
    assert job.verbs() == []


def test_more_removals_than_the_threshold_are_held_back_until_they_are_allowed():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.assignments.clear()
    tenant.objects["u0"].source["jobTitle"] = "Boss"
    with pytest.raises(CycleStoppedError, match="AccidentalDeletionThreshold"):
        job.sync(tenant, deletion_threshold=3)
    assert job.verbs() == []
    assert len(job.state.staged) == 5
    assert job.state.quarantine is not None
    job.sync(tenant, deletion_threshold=3, allow_deletes=True)
    assert sorted(job.verbs()) == ["DELETE", *["PATCH"] * 4]
    assert job.state.quarantine is None


def test_a_disabled_user_does_not_count_as_a_removal():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.objects["u3"].source["accountEnabled"] = False
    job.sync(tenant)
    tenant.assignments.discard("u3")
    job.sync(tenant, deletion_threshold=0)
    assert job.state.staged == []


@pytest.mark.parametrize("verb", ["add", "update", "delete"])
def test_a_disabled_action_is_not_sent(verb):
    mappings = idmelon_defaults()
    users, groups = (replace(m, actions=m.actions - {verb}) for m in (mappings.users, mappings.groups))
    tenant, job = company(), Job()
    if verb != "add":
        job.sync(tenant)
    job.mappings = MappingSet(users, groups)
    tenant.objects["u1"].source["jobTitle"] = "Boss"
    del tenant.objects["u3"], tenant.objects["g0"]
    job.sync(tenant)
    assert set(job.verbs()) == {"add": set(), "update": {"DELETE"}, "delete": {"PATCH"}}[verb]
