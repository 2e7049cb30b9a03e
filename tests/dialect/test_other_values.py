"""Values of clients other than Entra are kept whole or refused, in POST, PUT, PATCH and Bulk."""

import json

import pytest

from tests.support.urns import ENT, GROUP, USER

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


@pytest.fixture
def ids(scim):
    return [scim.create_user()["id"] for _ in range(3)]


@pytest.fixture
def group(scim, ids):
    """The path of a group whose members are the first two users."""
    return f"/Groups/{scim.create_group(members=[{'value': id} for id in ids[:2]])['id']}"


def members(scim, path):
    return [member["value"] for member in scim.read(path)["members"]]


def with_ids(value, ids):
    return json.loads(
        json.dumps(value).replace('"A"', f'"{ids[0]}"').replace('"B"', f'"{ids[1]}"').replace('"C"', f'"{ids[2]}"')
    )


def quoted(path, ids):
    return path.replace('"B"', f'"{ids[1]}"').replace('"C"', f'"{ids[2]}"')


ONE = [
    {"members": [{"value": "C"}]},
    {"Members": {"value": "C"}},
    {"members": ["C"]},
    "C",
    ["C"],
    {"value": "C"},
    [{"value": "C", "display": None, "$ref": None}],
    [{"$ref": "../Users/C"}],
]


@pytest.mark.parametrize("value", ONE, ids=repr)
def test_members_are_read_in_every_form(scim, group, ids, value):
    value = json.loads(json.dumps(with_ids(value, ids)).replace("/C", f"/{ids[2]}"))
    for op, left in (("add", ids), ("remove", ids[:2]), ("replace", ids[2:]), ("remove", [])):
        assert scim.patch_op(group, {"op": op, "path": "members", "value": value}).status == 204
        assert members(scim, group) == left
    for op, left in (("add", ids[2:]), ("replace", ids[2:])):
        assert scim.patch_op(group, {"op": op, "value": {"members": value}}).status == 204
        assert members(scim, group) == left
    body = {"schemas": [GROUP], "displayName": f"Made {value}", "members": value}
    made = scim.post("/Groups", body)
    assert made.status == 201
    assert [one["value"] for one in scim.put(group, {**body, "displayName": "Put"}).body["members"]] == ids[2:]


UNREADABLE = [
    [{"display": "Ada"}],
    [{"value": "A"}, {"display": "Ada"}],
    [{}],
    [""],
    [{"value": ""}],
    [{"value": None, "$ref": None}],
    [{"$ref": "/"}],
    [{"id": "A"}],
    {"users": [{"value": "A"}]},
    [5],
    5,
    True,
]


@pytest.mark.parametrize("value", UNREADABLE, ids=repr)
def test_members_that_cannot_be_read_are_refused(scim, group, ids, value):
    value, before = with_ids(value, ids), scim.read(group)
    body = {"schemas": [GROUP], "displayName": "Crew", "members": value}
    operations = [{"op": op, "path": "members", "value": value} for op in ("add", "replace", "remove")]
    operations += [{"op": op, "value": {"members": value}} for op in ("add", "replace")]
    bulk = [{"method": "PUT", "path": group, "data": body}]
    bulk += [{"method": "PATCH", "path": group, "data": {"Operations": [one]}} for one in operations]
    answers = [scim.post("/Groups", body), scim.put(group, body), *(scim.patch_op(group, one) for one in operations)]
    assert [(one.status, one.body["scimType"]) for one in answers] == [(400, "invalidValue")] * 7
    schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]
    results = scim.post("/Bulk", {"schemas": schemas, "Operations": bulk}).body["Operations"]
    assert [one["status"] for one in results] == ["400"] * 6
    assert scim.read(group) == before


@pytest.mark.parametrize(("value", "name"), [(5, "emails"), ("x", "addresses"), (True, "roles")])
def test_a_value_that_is_no_list_is_called_so(scim, value, name):
    user = scim.create_user()
    operation = {"op": "add", "path": name, "value": value}
    for answer in (
        scim.post("/Users", {"userName": "x", name: value}),
        scim.patch_op(f"/Users/{user['id']}", operation),
    ):
        assert (answer.status, answer.body["detail"]) == (400, f"{name} must be a list.")


@pytest.mark.parametrize("value", ["C", {"value": "C"}, [{"value": "C"}], ["C"], {"members": [{"value": "C"}]}])
@pytest.mark.parametrize("op", ["add", "replace"])
def test_a_member_is_added_by_the_path_that_names_it(scim, group, ids, op, value):
    for _ in range(2):
        path = quoted('members[value eq "C"]', ids)
        assert scim.patch_op(group, {"op": op, "path": path, "value": with_ids(value, ids)}).status == 204
        assert members(scim, group) == ids


@pytest.mark.parametrize(
    ("path", "value", "status"),
    [
        ('members[value eq "C"]', {"value": "B"}, 400),
        ('members[value eq "C"].value', "nobody", 400),
        ('members[display eq "Ada"]', {"value": "C"}, 400),
        ('members[value eq "B" and display eq "Ada"]', {"type": "User"}, 400),
        ('members[type eq "User"]', {"display": "Ada"}, 204),
        ('members[type eq "Group"]', {"display": "Ada"}, 400),
        ('members[type eq "Group"]', {"value": "C"}, 400),
    ],
)
def test_a_member_that_a_path_would_not_select_is_not_added(scim, group, ids, path, value, status):
    operation = {"op": "add", "path": quoted(path, ids), "value": with_ids(value, ids)}
    answer = scim.patch_op(group, operation)
    assert answer.status == status
    assert members(scim, group) == ids[:2]


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
    ("path", "value"),
    [
        (None, {USER: {"emails[type eq 'work'].value": "C"}, ENT: {'manager[value eq "C"].value': "C"}}),
        (None, {USER: {'emails[type eq "work"].value': "C"}, ENT_1_1: {'manager[value eq "C"]': {"value": "C"}}}),
    ],
)
def test_paths_as_keys_within_a_schema(scim, ids, op, path, value):
    at = f"/Users/{scim.create_user()['id']}"
    text = json.dumps({"op": op, "value": value}).replace('\\"C\\"', f'\\"{ids[2]}\\"')
    changed = scim.patch_op(at, with_ids(json.loads(text), ids)).body
    assert changed["emails"] == [{"type": "work", "value": ids[2]}]
    assert changed[ENT]["manager"]["value"] == ids[2]


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


def test_the_extension_of_scim_1_1_is_the_enterprise_extension(scim, ids):
    sent = {"department": "Dock", "manager": {"managerId": ids[0]}}
    user = scim.create_user(schemas=["urn:scim:schemas:core:1.0", ENT_1_1], **{ENT_1_1: sent})
    path = f"/Users/{user['id']}"
    assert (user[ENT]["department"], user[ENT]["manager"]["value"]) == ("Dock", ids[0])
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


@pytest.mark.parametrize("query", ["", "?attributes=members", "?attributes=displayName,members.value"])
def test_an_empty_group_has_an_empty_list_of_members(scim, ids, query):
    body = {"schemas": [GROUP], "displayName": "Empty"}
    made = scim.post(f"/Groups{query}", body).body
    path = f"/Groups/{made['id']}"
    shown = [made, scim.read(path + query), scim.put(path + query, body).body]
    shown += scim.get(f"/Groups{query}").body["Resources"]
    assert [one["members"] for one in shown] == [[]] * len(shown)
    scim.patch_op(path, {"op": "add", "path": "members", "value": ids})
    scim.patch_op(path, {"op": "remove", "path": "members"})
    assert scim.read(path + query)["members"] == []
    assert scim.found("/Groups", "members pr") == []
    assert "members" not in scim.read(f"{path}?excludedAttributes=members")
    assert "members" not in scim.read(f"{path}?attributes=displayName")
