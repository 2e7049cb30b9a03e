"""What Entra sends to create users, and their roles."""

import json

import pytest

from tests.support.urns import ENT, IDMELON, USER

APP_ROLE = "WindowsAzureActiveDirectoryRole"


def test_minimal_create(scim):
    sent = {
        "schemas": [USER, ENT],
        "externalId": "5c1e77d0",
        "userName": "ayo@contoso.example",
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": "ayo@contoso.example"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Ayo Bello", "familyName": "Bello", "givenName": "Ayo"},
        "roles": [],
    }
    created = scim.post("/Users", sent)
    assert created.status == 201
    user = created.body
    assert user["id"]
    assert created.headers["Location"] == user["meta"]["location"]
    assert user["meta"]["resourceType"] == "User"
    assert user["meta"]["created"] == user["meta"]["lastModified"]
    for name in ("externalId", "userName", "active", "emails", "name"):
        assert user[name] == sent[name]
    assert "roles" not in user
    assert scim.read(f"/Users/{user['id']}") == user


def test_meta_and_id_of_the_client_are_ignored(scim):
    meta = {"resourceType": "Group", "created": "1999-01-01T00:00:00Z", "location": "x", "version": "y"}
    user = scim.create_user(id="mine", meta=meta, groups=[{"value": "admins"}])
    assert user["id"] != "mine"
    assert user["meta"]["resourceType"] == "User"
    assert not user["meta"]["created"].startswith("1999")
    assert user["meta"]["location"].endswith(user["id"])
    assert "groups" not in user


def test_nulls_are_ignored(scim):
    user = scim.create_user(
        userName="bao@contoso.example",
        displayName="Bao",
        addresses=None,
        phoneNumbers=None,
        preferredLanguage=None,
        title=None,
        department=None,
        manager=None,
        name={"givenName": "Bao", "familyName": None},
        **{ENT: {"department": None, "manager": None}},
    )
    assert set(user) - {"active"} == {"schemas", "id", "userName", "displayName", "name", "meta"}
    assert user["name"] == {"givenName": "Bao"}


def test_empty_external_id_is_absent(scim):
    for _ in range(2):
        assert "externalId" not in scim.create_user(externalId="")
    assert scim.found("/Users", "externalId pr") == []


@pytest.mark.parametrize(
    "schemas",
    [
        [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
        [USER],
        [ENT],
        [],
        [USER, ENT, IDMELON, "urn:example:unknown"],
    ],
)
def test_schemas_are_answered_as_populated(scim, schemas):
    body = {"schemas": schemas, "userName": "cy@contoso.example", IDMELON: {"extraAttribute1": "x"}}
    created = scim.post("/Users", body)
    assert created.status == 201
    assert created.body["schemas"] == [USER, IDMELON]
    assert created.body[IDMELON] == {"extraAttribute1": "x"}


def test_body_without_schemas_is_taken_by_its_endpoint(scim):
    assert scim.post("/Users", {"userName": "dina@contoso.example"}).body["schemas"] == [USER]


def test_attribute_names_in_any_case_are_answered_as_the_schema_spells_them(scim):
    chief = scim.create_user()
    body = {
        "Schemas": [USER],
        "UserName": "eli@contoso.example",
        "EMAILS": [{"Type": "work", "VALUE": "eli@contoso.example"}],
        ENT.upper(): {"Manager": {"Value": chief["id"]}, "employeenumber": "7"},
    }
    user = scim.post("/Users", body).body
    assert user["userName"] == "eli@contoso.example"
    assert user["emails"] == [{"type": "work", "value": "eli@contoso.example"}]
    assert user[ENT]["employeeNumber"] == "7"
    assert user[ENT]["manager"]["value"] == chief["id"]


def test_manager_as_a_string(scim):
    chief = scim.create_user(displayName="Chief")
    user = scim.create_user(**{ENT: {"manager": chief["id"]}})
    assert user[ENT]["manager"]["value"] == chief["id"]
    assert user[ENT]["manager"]["displayName"] == "Chief"
    assert user[ENT]["manager"]["$ref"] == chief["meta"]["location"]


@pytest.mark.parametrize(
    ("sent", "kept"), [("True", True), ("False", False), ("false", False), ("true", True), (False, False)]
)
def test_boolean_strings(scim, sent, kept):
    user = scim.create_user(active=sent, emails=[{"value": "f@contoso.example", "primary": sent}])
    assert user["active"] is kept
    assert user["emails"][0]["primary"] is kept


@pytest.mark.parametrize("sent", ["yes", "1", 1, 0, [True], {"value": True}])
def test_what_is_no_boolean_is_refused(scim, sent):
    answer = scim.post("/Users", {"schemas": [USER], "userName": "gil@contoso.example", "active": sent})
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")


def test_elements_with_one_type_are_both_kept_and_both_patched(scim):
    phones = [{"type": "work", "value": "1"}, {"type": "work", "value": "2"}, {"type": "fax", "value": "3"}]
    user = scim.create_user(phoneNumbers=phones)
    assert user["phoneNumbers"] == phones
    path = f"/Users/{user['id']}"
    operation = {"op": "Replace", "path": 'phoneNumbers[type eq "work"].display', "value": "Desk"}
    changed = scim.patch_op(path, operation).body["phoneNumbers"]
    assert [phone.get("display") for phone in changed] == ["Desk", "Desk", None]


def test_conflict(scim):
    user = scim.create_user(userName="hana@contoso.example", active=False)
    answer = scim.post("/Users", {"schemas": [USER], "userName": "HANA@contoso.example"})
    assert answer.status == 409
    assert answer.body.pop("detail")
    assert {name: answer.body[name] for name in ("schemas", "status", "scimType")} == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "409",
        "scimType": "uniqueness",
    }
    assert scim.found("/Users", 'userName eq "HANA@contoso.example"') == [user["id"]]


def app_role(value, primary=False):
    return {"primary": primary, "type": APP_ROLE, "value": value}


def old_role(value, name):
    return {"value": json.dumps({"id": "1f3a5c9e-0000", "value": value, "displayName": name})}


def test_single_app_role_in_post(scim):
    assert scim.create_user(roles=[app_role("Admin", True)])["roles"] == [app_role("Admin", True)]


def test_legacy_patch_carries_json_in_a_string(scim):
    path = f"/Users/{scim.create_user()['id']}"
    changed = scim.patch_op(path, {"op": "Add", "path": "roles", "value": [old_role("25", "Auditor")]})
    assert changed.body["roles"] == [{"value": "25", "display": "Auditor"}]


def test_legacy_patch_of_a_role_from_post_is_no_second_role(scim):
    path = f"/Users/{scim.create_user(roles=[app_role('25', True)])['id']}"
    changed = scim.patch_op(path, {"op": "Add", "path": "roles", "value": [old_role("25", "Auditor")]})
    (role,) = changed.body["roles"]
    assert role["value"] == "25"
    assert role["type"] == APP_ROLE


def test_flag_patch_has_the_form_of_post(scim):
    path = f"/Users/{scim.create_user()['id']}"
    operation = {"op": "add", "path": "roles", "value": [app_role("Admin", True)]}
    for _ in range(2):
        assert scim.patch_op(path, operation).body["roles"] == [app_role("Admin", True)]


@pytest.mark.parametrize("key", ["display", "displayName"])
def test_several_app_roles_in_post(scim, key):
    roles = [{**app_role("Admin"), key: "Admins"}, {**app_role("Reader"), key: "Readers"}]
    user = scim.create_user(roles=roles)
    assert [(role["value"], role["display"]) for role in user["roles"]] == [
        ("Admin", "Admins"),
        ("Reader", "Readers"),
    ]


def test_legacy_patch_adds_one_string_per_role_and_removes_none(scim):
    path = f"/Users/{scim.create_user(roles=[app_role('1')])['id']}"
    value = [old_role("2", "Second"), old_role("3", "Third")]
    changed = scim.patch_op(path, {"op": "Add", "path": "roles", "value": value})
    assert [role["value"] for role in changed.body["roles"]] == ["1", "2", "3"]


def test_assertive_roles_are_the_full_set(scim):
    path = f"/Users/{scim.create_user(roles=[app_role('A'), app_role('B')])['id']}"
    role = {**app_role("C"), "display": "Third"}
    changed = scim.patch_op(path, {"op": "replace", "path": "roles", "value": [role]})
    assert changed.body["roles"] == [role]


def test_primary_as_a_string(scim):
    assert scim.create_user(roles=[{"primary": "True", "value": "x"}])["roles"] == [{"primary": True, "value": "x"}]


@pytest.mark.parametrize("literal", ['"True"', '"true"', "true", "True"])
def test_primary_compared_with_a_string_creates_or_changes(scim, literal):
    path = f"/Users/{scim.create_user()['id']}"
    for value in ("first", "second"):
        operation = {"op": "add", "path": f"roles[primary eq {literal}].value", "value": value}
        assert scim.patch_op(path, operation).body["roles"] == [{"primary": True, "value": value}]
