"""The provisioning cycle: the directory ends up equal to the tenant, whatever happened in between."""

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entra import people
from entra.changes import day
from entra.cycle import CycleStoppedError
from entra.mapping import MappingSet, entra_defaults, idmelon_defaults, row, with_roles
from entra.oauth import ClientCredentials
from entra.scoping import Clause, Scope
from entra.state import load
from entra.tenant import from_json
from tests.emulator import broken
from tests.emulator.endpoint import ENTERPRISE, Endpoint
from tests.emulator.helpers import Job, assert_equal_directory

BOTH = pytest.mark.parametrize("flag", [False, True], ids="LF")


def company(**changes):
    users = [
        {"objectId": f"u{n}", "userPrincipalName": f"u{n}@x.example", "displayName": f"U {n}", **changes}
        for n in range(4)
    ]
    users[1]["manager"] = "u0"
    groups = [{"objectId": "g0", "displayName": "G 0", "members": ["u1", "u2"]}]
    return from_json({"users": users, "groups": groups})


@BOTH
@pytest.mark.parametrize("batch", [1, 7])
def test_after_an_initial_cycle_the_directory_equals_the_tenant(flag, batch):
    tenant, job = people.demo(60, 5), Job(flag=flag, member_batch=batch)
    journal = job.sync(tenant)
    assert not journal.errors
    assert_equal_directory(job, tenant)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), flag=st.booleans(), clear=st.booleans(), scale=st.integers(1, 2))
def test_after_each_day_of_changes_the_directory_equals_the_tenant_again(seed, flag, clear, scale):
    tenant, job = people.demo(30, 4, seed=seed), Job(flag=flag, clear_values=clear)
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
def test_nothing_but_the_probes_is_sent_when_nothing_changed(flag):
    tenant, job = people.demo(10, 2), Job(flag=flag)
    job.sync(tenant)
    job.sync(tenant)
    assert [method for method, _ in job.app.requests] == ["GET", "GET"]
    assert "userName+eq+" in job.app.requests[0][1]
    assert "excludedAttributes=members" in job.app.requests[1][1]


def test_a_change_is_one_get_and_one_patch_of_the_difference():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.objects["u3"].source["jobTitle"] = "Boss"
    job.sync(tenant)
    assert [method for method, _ in job.app.requests] == ["GET", "GET", "GET", "PATCH"]
    assert job.entries[-1].changes == [("title", None, "Boss")]


def test_users_who_are_there_already_are_adopted_and_only_differences_patched():
    tenant, first, second = people.demo(20, 2), Job(), Job()
    first.sync(tenant)
    second.app = first.app
    second.client = first.client
    second.sync(tenant)
    assert second.verbs() == []
    assert_equal_directory(second, tenant)


def test_two_matches_are_an_error_of_that_object_alone():
    job, tenant = Job(broken.DuplicatesAccepted()), company()
    for _ in range(2):
        job.client.send("POST", "/Users", body={"userName": "u1@x.example"})
    journal = job.sync(tenant)
    assert {code for code, _ in journal.errors} == {"SystemForCrossDomainIdentityManagementMultipleEntriesInResponse"}
    assert set(job.state.escrow) == {"u1"}
    assert {"u0", "u2", "u3", "g0"} == set(job.state.links)


def test_a_userprincipalname_with_a_quote_is_not_searched_for():
    tenant, job = company(), Job()
    tenant.objects["u3"].source["userPrincipalName"] = 'a"b@x.example'
    journal = job.sync(tenant)
    assert [code for code, _ in journal.errors] == ["UnsupportedCharacters"]


# Deprovisioning, by the table of section D


def test_unassigned_is_disabled_and_unmanaged_afterwards():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.assignments.discard("u3")
    job.sync(tenant)
    assert job.user(tenant, "u3")["active"] is False
    del tenant.objects["u3"]
    job.sync(tenant)
    assert job.verbs() == []
    assert len(job.app.store["User"]) == 4


def test_reassigned_is_restored():
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


def test_with_sync_all_unassigning_sends_nothing():
    tenant, job = company(), Job()
    job.sync(tenant, scope="all")
    tenant.assignments.clear()
    job.sync(tenant, scope="all")
    assert job.verbs() == []


@pytest.mark.parametrize("scope", ["assigned", "all"])
@pytest.mark.parametrize("change", [{"accountEnabled": False}, {"softDeleted": True}])
def test_disabled_and_soft_deleted_are_disabled_and_come_back(scope, change):
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
def test_purged_is_deleted(flag):
    tenant, job = company(), Job(flag=flag)
    job.sync(tenant)
    del tenant.objects["u3"]
    job.sync(tenant)
    assert job.verbs() == ["DELETE"]


def test_who_is_unassigned_is_left_alone_whatever_becomes_of_them():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.assignments.discard("u3")
    job.sync(tenant)
    tenant.objects["u3"].source["softDeleted"] = True
    job.sync(tenant)
    assert [method for method, _ in job.app.requests] == ["GET", "GET"]


def test_what_is_gone_at_the_endpoint_already_counts_as_deleted():
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
def test_a_group_that_goes_is_deleted(change):
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


def test_members_of_an_assigned_group_are_in_scope_but_not_those_of_a_nested_one():
    tenant = company()
    tenant.objects["g0"].source["members"] = ["u1", "g1"]
    nested = copy.deepcopy(tenant.objects["g0"])
    nested.source.update(objectId="g1", displayName="G 1", members=["u2"])
    tenant.objects["g1"] = nested
    tenant.assignments = {"g0"}
    job = Job()
    job.sync(tenant)
    assert set(job.state.links) == {"u1", "g0"}


def test_a_scoping_filter_disables_who_does_not_pass():
    tenant, job = company(department="Sales"), Job()
    job.sync(tenant)
    users = job.mappings.users
    scope = Scope(((Clause("department", "EQUALS", ("sales",)),),))
    job.mappings = MappingSet(type(users)("User", users.rows, scope), job.mappings.groups)
    tenant.objects["u2"].source["department"] = "Legal"
    job.sync(tenant)
    assert job.user(tenant, "u2")["active"] is False
    assert job.user(tenant, "u1")["active"] is True


def test_skip_out_of_scope_deletions_sends_no_verb():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.assignments.clear()
    job.sync(tenant, skip_out_of_scope=True)
    assert job.verbs() == []


def test_without_a_mapping_of_active_there_is_nothing_to_disable_with():
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


def test_who_is_disabled_already_does_not_count_as_a_removal():
    tenant, job = company(), Job()
    job.sync(tenant)
    tenant.objects["u3"].source["accountEnabled"] = False
    job.sync(tenant)
    tenant.assignments.discard("u3")
    job.sync(tenant, deletion_threshold=0)
    assert job.state.staged == []


@pytest.mark.parametrize("verb", ["add", "update", "delete"])
def test_a_verb_that_is_switched_off_is_not_sent(verb):
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


# Errors


def test_a_target_deleted_behind_the_back_is_an_invalid_anchor_until_a_restart():
    tenant, job = company(), Job()
    job.sync(tenant)
    del job.app.store["User"][job.state.links["u1"].target]
    tenant.objects["u1"].source["jobTitle"] = "Boss"
    assert [code for code, _ in job.sync(tenant).errors] == ["InvalidAnchor"]
    job.state.restart()
    assert not job.sync(tenant).errors
    manager = job.user(tenant, "u1")[ENTERPRISE]["manager"]["value"]
    assert manager == job.user(tenant, "u0")["id"]
    assert {m["value"] for m in job.group(tenant, "g0")["members"]} >= {job.user(tenant, "u1")["id"]}


class RefusesU1(Endpoint):
    refusing = True

    def check_unique(self, kind, resource):
        super().check_unique(kind, resource)
        if self.refusing and resource.get("externalId") == "u1":
            raise broken.ScimError(400, "no u1 here")


def test_a_refused_object_waits_longer_and_longer_and_is_then_provisioned_with_its_references():
    tenant, job = company(), Job(RefusesU1())
    waits = []
    for _ in range(4):
        job.sync(tenant, interval=100)
        waits.append(job.state.escrow["u1"].next - job.now)
        assert not job.sync(tenant, interval=100).errors  # not due yet
        job.now += waits[-1]
    assert waits == [100, 200, 400, 800]
    job.app.refusing = False
    assert not job.sync(tenant).errors
    assert job.state.escrow == {}
    assert job.user(tenant, "u1")[ENTERPRISE]["manager"]["value"] == job.user(tenant, "u0")["id"]
    assert {m["value"] for m in job.group(tenant, "g0")["members"]} >= {job.user(tenant, "u1")["id"]}


class RefusesMembers(Endpoint):
    refusing = True

    def patch(self, kind, resource, body):
        if kind == "Group" and self.refusing:
            raise broken.ScimError(400, "no members today")
        return super().patch(kind, resource, body)


def test_references_that_were_refused_wait_and_are_then_sent_again():
    tenant, job = company(), Job(RefusesMembers())
    assert job.sync(tenant, interval=100).errors
    assert job.state.escrow["g0"].reference
    assert not job.sync(tenant, interval=100).errors  # not due yet
    job.now += 100
    job.app.refusing = False
    assert not job.sync(tenant).errors
    assert job.state.escrow == {}
    assert len(job.group(tenant, "g0")["members"]) == 2


def test_the_state_is_saved_on_the_way(monkeypatch, tmp_path):
    monkeypatch.setattr("entra.cycle.SAVE_EVERY", 0)
    job = Job()
    job.state.path = tmp_path / "links.json"

    class Dies(Exception):
        pass

    def listener(entry):
        if entry.kind == "Group":
            raise Dies

    cycle = job.cycle(company())
    cycle.journal.listener = listener
    monkeypatch.setattr("entra.cycle.Cycle._settle", lambda _: None)
    with pytest.raises(Dies):
        cycle.run()
    again = load(job.state.path, job.state.url)
    assert set(again.links) >= {"u0", "u1", "u2", "u3"}
    assert again.cycles == 0


@BOTH
def test_injected_faults_only_delay_the_end_state(flag):
    tenant = people.demo(25, 3)
    job = Job(flag=flag, wire={"faults": {"429": 0.05, "500": 0.05, "timeout": 0.1}})
    for _ in range(40):
        try:
            failed = job.sync(tenant, retry_now=True).errors
        except CycleStoppedError:
            continue
        if not failed and not job.state.escrow:
            break
    assert_equal_directory(job, tenant)


@pytest.mark.parametrize("app", [broken.EmptySearchIs404, broken.EmptySearchIsHtml, broken.BareArray, broken.NoGroups])
def test_an_endpoint_that_fails_the_probe_goes_into_quarantine_at_once(app):
    job = Job(app())
    with pytest.raises(CycleStoppedError, match="EncounteredQuarantineException"):
        job.sync(company())
    assert job.state.quarantine.reason == "EncounteredQuarantineException"
    assert job.verbs() == []


def test_a_wrong_token_is_a_quarantine_and_a_good_one_lifts_it():
    job, good = Job(), Job()
    job.client._token = "wrong"
    with pytest.raises(CycleStoppedError, match="InvalidCredentials"):
        job.sync(company())
    job.client = good.client
    job.app = good.app
    job.sync(company())
    assert job.state.quarantine is None


def test_client_credentials_that_are_refused_are_a_quarantine():
    job = Job()
    job.client.credentials = ClientCredentials("http://endpoint.example/scim/nothing", "id", "secret")
    with pytest.raises(CycleStoppedError, match=r"InvalidCredentials.*without an access_token"):
        job.sync(company())


def test_too_many_failures_are_a_quarantine():
    users = [{"objectId": f"u{n}", "userPrincipalName": f'"{n}', "displayName": "x"} for n in range(5001)]
    job = Job()
    with pytest.raises(CycleStoppedError, match="EncounteredEscrowProportionThreshold"):
        job.sync(from_json({"users": users}))


@pytest.mark.parametrize(
    ("app", "code"),
    [
        (broken.StringManager, "SystemForCrossDomainIdentityManagementDeserializationError"),
        (broken.NoId, "SystemForCrossDomainIdentityManagementServiceIncompatible"),
        (broken.NoPatch, "SystemForCrossDomainIdentityManagementServiceIncompatible"),
        (broken.BareObject, "SystemForCrossDomainIdentityManagementServiceIncompatible"),
    ],
)
def test_an_answer_that_entra_cannot_take_is_that_error(app, code):
    tenant, job = company(), Job(app())
    job.sync(tenant)
    tenant.objects["u1"].source["jobTitle"] = "Boss"
    job.state.restart()
    journal = job.sync(tenant)
    job.state.restart(full=True)
    journal.errors.update(job.sync(tenant).errors)
    assert code in {code for code, _ in journal.errors}


def test_a_phone_number_that_comes_back_otherwise_is_patched_again_after_every_restart():
    tenant, job = company(telephoneNumber="+1 (555) 0100"), Job(broken.PhoneNormalised())
    job.sync(tenant)
    job.state.restart()
    job.sync(tenant)
    assert job.verbs().count("PATCH") == 4


# Mappings


def test_defaults_and_create_only_rows_count_at_creation_alone():
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


@BOTH
@pytest.mark.parametrize("style", ["single", "complex", "assertive"])
def test_app_roles_arrive_and_change(flag, style):
    roles = [{"id": "1", "value": "Admin", "displayName": "Administrator"}]
    tenant = company(appRoleAssignments=roles)
    job = Job(flag=flag, mappings=with_roles(idmelon_defaults(), style))
    job.sync(tenant)
    assert [r["value"] for r in job.user(tenant, "u1")["roles"]] == ["Admin"]
    tenant.objects["u1"].source["appRoleAssignments"] = [{"id": "2", "value": "User", "displayName": "User"}]
    assert not job.sync(tenant).errors
    values = sorted(r["value"] for r in job.user(tenant, "u1")["roles"])
    # The complex form only ever adds; the others replace.
    assert values == (["Admin", "User"] if style == "complex" else ["User"])
    job.state.restart()
    job.sync(tenant)
    assert job.verbs() == []


def test_entras_own_defaults_take_the_mail_nickname_as_external_id():
    tenant, job = company(mailNickname="nick"), Job(mappings=entra_defaults())
    job.sync(tenant)
    assert job.user(tenant, "u1")["externalId"] == "nick"


@pytest.mark.parametrize("clear", [False, True])
@BOTH
def test_values_that_became_empty_are_unset_only_when_asked_for(flag, clear):
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


def test_the_log_has_the_shape_of_the_portals():
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


def test_passwords_get_into_no_log():
    mappings, tenant, job = idmelon_defaults(), company(secret="s3cret-one"), Job()
    rows = (*mappings.users.rows, row("User", "[secret]", "password"))
    job.mappings = MappingSet(replace(mappings.users, rows=rows), mappings.groups)
    job.sync(tenant)
    text = json.dumps([entry.to_json() for entry in job.entries])
    tenant.objects["u1"].source["secret"] = "s3cret-two"
    job.sync(tenant)
    text += json.dumps([entry.to_json() for entry in job.entries])
    assert "(hidden)" in text
    assert "s3cret" not in text
