"""The provisioning cycle: the directory becomes equal to the tenant."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entra import demo
from entra.changes import day
from entra.mapping import MappingSet, entra_defaults, idmelon_defaults, make_row, with_roles
from entra.targets import ENTERPRISE
from tests.support import emulator_faults as faults
from tests.support.emulator_job import Job, assert_equal_directory, company

BOTH = pytest.mark.parametrize("flag", [False, True], ids="LF")


@BOTH
@pytest.mark.parametrize("batch", [1, 7])
def test_after_an_initial_cycle_the_directory_equals_the_tenant(flag, batch):
    tenant, job = demo.generate(60, 5), Job(flag=flag, member_batch=batch)
    journal = job.sync(tenant)
    assert not journal.errors
    assert_equal_directory(job, tenant)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), flag=st.booleans(), clear=st.booleans(), scale=st.integers(1, 2))
def test_after_each_day_of_changes_the_directory_equals_the_tenant_again(seed, flag, clear, scale):
    tenant, job = demo.generate(30, 4, seed=seed), Job(flag=flag, clear_values=clear)
    job.sync(tenant)
    for number in range(3):
        late = {o.id for o in tenant.of("User") if o.id not in job.state.links}
        late |= {o.id for o in tenant.of("User") if o.deleted}
        tenant, _ = day(tenant, seed + number, scale)
        assert not job.sync(tenant).errors
        late |= {o.id for o in tenant.of("User") if o.id not in job.state.links}
        assert_equal_directory(job, tenant, late)
    job.state.restart()
    assert not job.sync(tenant).errors
    assert_equal_directory(job, tenant)


@BOTH
def test_only_the_connection_test_is_sent_when_nothing_changed(flag):
    tenant, job = demo.generate(10, 2), Job(flag=flag)
    job.sync(tenant)
    job.sync(tenant)
    assert [method for method, _ in job.app.requests] == ["GET", "GET"]
    assert "userName+eq+" in job.app.requests[0][1]
    assert "excludedAttributes=members" in job.app.requests[1][1]


def test_a_change_sends_one_get_and_one_patch():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.objects["u3"].source["jobTitle"] = "Boss"
    job.sync(tenant)
    assert [method for method, _ in job.app.requests] == ["GET", "GET", "GET", "PATCH"]
    assert job.entries[-1].changes == [("title", None, "Boss")]


def test_existing_users_are_linked_and_only_differences_are_patched():
    tenant, first, second = demo.generate(20, 2), Job(), Job()
    first.sync(tenant)
    second.app = first.app
    second.client = first.client
    second.sync(tenant)
    assert second.verbs() == []
    assert_equal_directory(second, tenant)


def test_two_matches_fail_only_that_object():
    job, tenant = Job(faults.DuplicatesAccepted()), company()
    for _ in range(2):
        job.client.send("POST", "/Users", body={"userName": "u1@x.example"})
    journal = job.sync(tenant)
    assert {code for code, _ in journal.errors} == {"SystemForCrossDomainIdentityManagementMultipleEntriesInResponse"}
    assert set(job.state.escrow) == {"u1"}
    assert {"u0", "u2", "u3", "g0"} == set(job.state.links)


def test_a_user_principal_name_with_a_quote_is_not_searched():
    tenant, job = company(), Job()
    tenant.objects["u3"].source["userPrincipalName"] = 'a"b@x.example'
    journal = job.sync(tenant)
    assert [code for code, _ in journal.errors] == ["UnsupportedCharacters"]


def test_defaults_and_create_only_rows_apply_only_at_creation():
    mappings = idmelon_defaults()
    rows = list(mappings.users.rows)
    title = next(i for i, row in enumerate(rows) if row.target.text == "title")
    rows[title] = type(rows[title])(rows[title].target, rows[title].source, 0, True, "Employee")
    job = Job(mappings=MappingSet(type(mappings.users)("User", tuple(rows)), mappings.groups))
    tenant = company()
    job.sync(tenant)
    assert job.user(tenant, "u1")["title"] == "Employee"
    tenant.objects["u1"].source["jobTitle"] = "Boss"
    job.sync(tenant)
    assert job.user(tenant, "u1")["title"] == "Employee"


def test_a_changed_mapping_or_scope_makes_the_next_cycle_an_initial_one():
    tenant, job = company(mailNickname="nick"), Job()
    job.sync(tenant)
    job.mappings = entra_defaults()
    assert not job.sync(tenant).errors
    assert job.user(tenant, "u1")["externalId"] == "nick"
    tenant.assignments.discard("u3")
    job.sync(tenant, scope="all")
    assert job.user(tenant, "u3")["active"] is True
    job.sync(tenant)
    assert job.user(tenant, "u3")["active"] is False


@BOTH
@pytest.mark.parametrize("style", ["single", "complex", "assertive"])
def test_app_roles_are_created_and_updated(flag, style):
    roles = [{"id": "1", "value": "Admin", "displayName": "Administrator"}]
    tenant = company(appRoleAssignments=roles)
    job = Job(flag=flag, mappings=with_roles(idmelon_defaults(), style))
    job.sync(tenant)
    assert [r["value"] for r in job.user(tenant, "u1")["roles"]] == ["Admin"]
    tenant.objects["u1"].source["appRoleAssignments"] = [{"id": "2", "value": "User", "displayName": "User"}]
    assert not job.sync(tenant).errors
    values = sorted(r["value"] for r in job.user(tenant, "u1")["roles"])
    # The complex form only adds; the others replace.
    assert values == (["Admin", "User"] if style == "complex" else ["User"])
    job.state.restart()
    job.sync(tenant)
    assert job.verbs() == []


def test_entras_default_external_id_is_the_mail_nickname():
    tenant, job = company(mailNickname="nick"), Job(mappings=entra_defaults())
    job.sync(tenant)
    assert job.user(tenant, "u1")["externalId"] == "nick"


@pytest.mark.parametrize("clear", [False, True])
@BOTH
def test_empty_values_are_cleared_only_on_request(flag, clear):
    tenant, job = company(jobTitle="Boss"), Job(flag=flag, clear_values=clear)
    job.sync(tenant)
    tenant.objects["u1"].source.update(jobTitle=None, manager=None)
    job.sync(tenant)
    user = job.user(tenant, "u1")
    assert ("title" in user, "manager" in user.get(ENTERPRISE, {})) == (not clear, not clear)


@pytest.mark.parametrize("style", ["string", "array", "object"])
def test_each_manager_style_sets_the_manager(style):
    tenant, job = company(), Job(manager=style)
    job.sync(tenant)
    assert job.user(tenant, "u1")[ENTERPRISE]["manager"]["value"] == job.user(tenant, "u0")["id"]


def test_the_log_has_the_form_of_the_portals_log():
    tenant, job = company(), Job()
    job.sync(tenant)
    entry = next(e for e in job.entries if e.source == "u1").to_json()
    assert [s["name"] for s in entry["provisioningSteps"]] == [
        "EntryImport",
        "EntryScope",
        "EntryMatch",
        "EntryExport",
    ]
    assert entry["provisioningAction"] == "create"
    assert {"displayName": "userName", "oldValue": None, "newValue": "u1@x.example"} in entry["modifiedProperties"]
    assert [r["method"] for r in entry["requests"]] == ["GET", "POST"]


def test_passwords_are_hidden_in_the_log():
    mappings, tenant, job = idmelon_defaults(), company(secret="s3cret-one"), Job()
    rows = (*mappings.users.rows, make_row("User", "[secret]", "password"))
    job.mappings = MappingSet(replace(mappings.users, rows=rows), mappings.groups)
    job.sync(tenant)
    text = json.dumps([entry.to_json() for entry in job.entries])
    tenant.objects["u1"].source["secret"] = "s3cret-two"
    job.sync(tenant)
    text += json.dumps([entry.to_json() for entry in job.entries])
    assert "(hidden)" in text
    assert "s3cret" not in text
