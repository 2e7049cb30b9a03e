"""Values of clients other than Entra are kept whole or refused, in POST, PUT, PATCH and Bulk."""

import json

import pytest

from tests.support.urns import ENT, USER

ENT_1_1 = "urn:scim:schemas:extension:enterprise:1.0"
SHIP = "urn:contoso:ship"
SCHEMA = {
    "id": SHIP,
    "name": "Ship",
    "extends": "User",
    "attributes": [{"name": "tags", "multiValued": True}, {"name": "level", "type": "integer", "multiValued": True}],
}


@pytest.fixture
def scim(make_scim):
    return make_scim(schemas=[SCHEMA])


@pytest.mark.parametrize(("value", "name"), [(5, "emails"), ("x", "addresses"), (True, "roles")])
def test_a_value_that_is_no_list_is_called_so(scim, value, name):
    user = scim.create_user()
    operation = {"op": "add", "path": name, "value": value}
    for answer in (
        scim.post("/Users", {"userName": "x", name: value}),
        scim.patch_op(f"/Users/{user['id']}", operation),
    ):
        assert (answer.status, answer.body["detail"]) == (400, f"{name} must be a list.")


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", {"givenName": "Ada"}), ("active", "False"), ("title", "Mate"), ("emails", ["a@x.example"])],
)
@pytest.mark.parametrize("op", ["add", "replace"])
def test_a_value_may_name_its_attribute_again(scim, op, name, value):
    path = f"/Users/{scim.create_user()['id']}"
    changed = scim.patch_op(path, {"op": op, "path": name, "value": {name.upper(): value}}).body
    assert changed[name] == {"active": False, "emails": [{"value": "a@x.example"}]}.get(name, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ('emails[value eq "a@x.example"].value', "b@x.example"),
        ('emails[type eq "work"]', {"type": "home", "value": "a@x.example"}),
        ('emails[type eq "work"].type', "home"),
        ('emails[type eq "work" and primary eq true]', {"value": "a@x.example", "primary": False}),
        (f'{ENT}:manager[value eq "a"]', {"value": "b"}),
        (f'{ENT}:manager[displayName eq "Ada"].value', "b"),
    ],
)
@pytest.mark.parametrize("op", ["add", "replace"])
def test_an_element_that_its_path_would_not_select_is_no_target(scim, op, path, value):
    at = f"/Users/{scim.create_user()['id']}"
    answer = scim.patch_op(at, {"op": op, "path": path, "value": value})
    assert (answer.status, answer.body["scimType"]) == (400, "noTarget")


ROLE = {"id": "1f3a", "value": "25", "displayName": "Auditor", "type": "App", "primary": "True"}


@pytest.mark.parametrize("form", [lambda one: [{"value": one}], lambda one: [one], lambda one: one])
def test_json_in_a_role_keeps_every_part(scim, form):
    sent, kept = form(json.dumps(ROLE)), {"value": "25", "display": "Auditor", "type": "App", "primary": True}
    user = scim.create_user(roles=sent)
    assert user["roles"] == [kept]
    path = f"/Users/{user['id']}"
    assert scim.put(path, {"userName": user["userName"], "roles": sent}).body["roles"] == [kept]
    assert scim.patch_op(path, {"op": "add", "path": "roles", "value": sent}).body["roles"] == [kept]
    assert "roles" not in scim.patch_op(path, {"op": "remove", "path": "roles", "value": sent}).body


@pytest.mark.parametrize("name", ["emails", "entitlements", "phoneNumbers"])
def test_json_in_another_value_is_text(scim, name):
    text = json.dumps({"value": "a", "display": "b"})
    user = scim.create_user(**{name: [{"value": text}]})
    assert user[name] == [{"value": text}]
    operation = {"op": "replace", "path": name, "value": [{"value": text, "type": "work"}]}
    assert scim.patch_op(f"/Users/{user['id']}", operation).body[name] == [{"value": text, "type": "work"}]


def test_roles_as_bare_values(scim):
    assert scim.create_user(roles=["Admin", "Reader"])["roles"] == [{"value": "Admin"}, {"value": "Reader"}]


@pytest.mark.parametrize(
    "wrapped", [lambda x: [{"value": x}], lambda x: {"value": x}, lambda x: [{"Value": x, "$ref": None}]]
)
@pytest.mark.parametrize(("name", "one", "other"), [("tags", "a", "b"), ("level", 1, 2)])
def test_simple_values_may_be_wrapped(scim, wrapped, name, one, other):
    user = scim.create_user(**{SHIP: {name: wrapped(one)}})
    path, at = f"/Users/{user['id']}", f"{SHIP}:{name}"

    def value(answer):
        return answer.body.get(SHIP, {}).get(name)

    assert user[SHIP][name] == [one]
    assert value(scim.patch_op(path, {"op": "add", "path": at, "value": wrapped(other)})) == [one, other]
    assert value(scim.patch_op(path, {"op": "remove", "path": at, "value": wrapped(one)})) == [other]
    assert value(scim.patch_op(path, {"op": "replace", "path": at, "value": wrapped(one)})) == [one]
    assert value(scim.patch_op(path, {"op": "add", "value": {at: wrapped(other)}})) == [one, other]
    assert value(scim.put(path, {"userName": user["userName"], SHIP: {name: wrapped(other)}})) == [other]


@pytest.mark.parametrize("value", [[{"value": "a", "type": "x"}], [{"name": "a"}], {"value": ["a"]}])
def test_simple_values_are_not_read_by_halves(scim, value):
    path = f"/Users/{scim.create_user()['id']}"
    answers = [scim.post("/Users", {"userName": "x", SHIP: {"tags": value}})]
    answers += [scim.patch_op(path, {"op": op, "path": f"{SHIP}:tags", "value": value}) for op in ("add", "replace")]
    answers.append(scim.patch_op(path, {"op": "replace", "path": "title", "value": value}))
    assert [one.status for one in answers] == [400] * 4


@pytest.mark.parametrize("op", ["add", "replace"])
@pytest.mark.parametrize("urn", [USER, USER.upper(), "urn:scim:schemas:core:1.0"])
def test_the_core_schema_as_a_path_is_none(scim, op, urn):
    path = f"/Users/{scim.create_user()['id']}"
    operation = {"op": op, "path": urn, "value": {"title": "Mate", 'emails[type eq "work"].value': "a@x.example"}}
    changed = scim.patch_op(path, operation).body
    assert (changed["title"], changed["emails"]) == ("Mate", [{"type": "work", "value": "a@x.example"}])
    assert scim.patch_op(path, {"op": "remove", "path": urn}).body["scimType"] == "noTarget"


@pytest.mark.parametrize("op", ["add", "replace"])
@pytest.mark.parametrize(
    "value",
    [
        {USER: {"emails[type eq 'work'].value": "boss"}, ENT: {'manager[value eq "boss"].value': "boss"}},
        {USER: {'emails[type eq "work"].value': "boss"}, ENT_1_1: {'manager[value eq "boss"]': {"value": "boss"}}},
    ],
)
def test_paths_as_keys_within_a_schema(scim, op, value):
    changed = scim.patch_op(f"/Users/{scim.create_user()['id']}", {"op": op, "value": value}).body
    assert changed["emails"] == [{"type": "work", "value": "boss"}]
    assert changed[ENT] == {"manager": {"value": "boss"}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": 'emails[type eq "work"].value'},
        {"op": "remove", "path": "emails[type eq 'work'].value", "value": None},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": None},
        {"op": "remove", "path": "emails.value", "value": ["a@x.example"]},
    ],
)
def test_an_address_that_loses_its_value_is_gone(scim, operation):
    emails = [{"type": "work", "value": "a@x.example", "primary": True}, {"type": "home", "value": "b@x.example"}]
    path = f"/Users/{scim.create_user(emails=emails)['id']}"
    assert scim.patch_op(path, operation).body["emails"] == emails[1:]


@pytest.mark.parametrize(
    "operation", [{"op": "remove", "path": "emails.value"}, {"op": "replace", "path": "emails.value", "value": None}]
)
def test_addresses_that_all_lose_their_values_are_gone(scim, operation):
    path = f"/Users/{scim.create_user(emails=[{'type': 'work', 'value': 'a@x.example'}])['id']}"
    assert "emails" not in scim.patch_op(path, operation).body


@pytest.mark.parametrize("name", ["", " ", "\t \u00a0"])
def test_a_name_that_is_blank_is_refused(scim, name):
    user, group = scim.create_user(), scim.create_group()
    answers = [scim.post("/Users", {"userName": name}), scim.post("/Groups", {"displayName": name})]
    for at, attribute in ((f"/Users/{user['id']}", "userName"), (f"/Groups/{group['id']}", "displayName")):
        answers += [scim.put(at, {attribute: name})]
        answers += [scim.patch_op(at, {"op": op, "path": attribute, "value": name}) for op in ("add", "replace")]
        answers += [scim.patch_op(at, {"op": "replace", "value": {attribute: name}})]
    assert {answer.status for answer in answers} == {400}
    assert scim.create_user(title=" ")["title"] == " "


def test_the_extension_of_scim_1_1_is_the_enterprise_extension(scim):
    chief = scim.create_user()["id"]
    sent = {"department": "Dock", "manager": {"managerId": chief}}
    user = scim.create_user(schemas=["urn:scim:schemas:core:1.0", ENT_1_1], **{ENT_1_1: sent})
    path = f"/Users/{user['id']}"
    assert (user[ENT]["department"], user[ENT]["manager"]["value"]) == ("Dock", chief)
    assert scim.put(path, {"userName": user["userName"], ENT_1_1: {"department": "Sea"}}).body[ENT] == {
        "department": "Sea"
    }
    operations = [
        {"op": "replace", "path": f"{ENT_1_1}:division", "value": "North"},
        {"op": "replace", "path": ENT_1_1, "value": {"costCenter": "7"}},
        {"op": "replace", "value": {ENT_1_1: {"organization": "Contoso"}}},
    ]
    changed = scim.patch_op(path, *operations).body
    assert changed[ENT] == {"department": "Sea", "division": "North", "costCenter": "7", "organization": "Contoso"}
    assert scim.read(f"{path}?attributes={ENT_1_1}:division")[ENT] == {"division": "North"}
