"""Members, groups, nested groups and managers, before and after a deletion."""

import pytest

from tests.support.urns import ENT

REF = {"name": "$ref", "type": "reference", "referenceTypes": ["User"], "mutability": "readOnly"}


@pytest.fixture
def wes(scim):
    return scim.create_user(userName="wes@contoso.example", displayName="Wes")


def test_members_have_address_type_and_name(scim, wes):
    group = scim.create_group(displayName="Crew", members=[{"value": wes["id"], "display": "lie", "$ref": "lie"}])
    expected = {"value": wes["id"], "$ref": wes["meta"]["location"], "type": "User", "display": "Wes"}
    assert group["members"] == [expected]
    assert scim.read(f"/Groups/{group['id']}") == group
    assert scim.get("/Groups").body["Resources"] == [group]


def test_users_have_their_groups(scim, wes):
    group = scim.create_group(displayName="Crew", members=[{"value": wes["id"]}])
    (found,) = scim.read(f"/Users/{wes['id']}")["groups"]
    found.pop("type", None)
    assert found == {"value": group["id"], "$ref": group["meta"]["location"], "display": "Crew"}
    (listed,) = scim.get("/Users").body["Resources"]
    assert listed["groups"][0]["value"] == group["id"]
    scim.patch_op(f"/Groups/{group['id']}", {"op": "remove", "path": "members"})
    assert "groups" not in scim.read(f"/Users/{wes['id']}")


def test_names_in_references_follow_their_resources(scim, wes):
    group = scim.create_group(displayName="Crew", members=[{"value": wes["id"]}])
    clerk = scim.create_user(**{ENT: {"manager": {"value": wes["id"]}}})
    scim.patch_op(f"/Users/{wes['id']}", {"op": "replace", "path": "displayName", "value": "Wesley"})
    scim.patch_op(f"/Groups/{group['id']}", {"op": "replace", "path": "displayName", "value": "Hands"})
    assert scim.read(f"/Groups/{group['id']}")["members"][0]["display"] == "Wesley"
    assert scim.read(f"/Users/{wes['id']}")["groups"][0]["display"] == "Hands"
    assert scim.read(f"/Users/{clerk['id']}")[ENT]["manager"]["displayName"] == "Wesley"


def test_nested_groups(scim, wes):
    inner = scim.create_group(displayName="Inner", members=[{"value": wes["id"]}])
    outer = scim.create_group(displayName="Outer", members=[{"value": inner["id"], "type": "Group"}])
    assert outer["members"] == [
        {"value": inner["id"], "$ref": inner["meta"]["location"], "type": "Group", "display": "Inner"}
    ]
    assert inner["id"] in [group["value"] for group in scim.read(f"/Users/{wes['id']}")["groups"]]


def test_groups_may_contain_each_other(scim, wes):
    one = scim.create_group(members=[{"value": wes["id"]}])
    two = scim.create_group(members=[{"value": one["id"]}])
    operation = {"op": "add", "path": "members", "value": [{"value": two["id"]}]}
    assert scim.patch_op(f"/Groups/{one['id']}", operation).status == 204
    assert len(scim.read(f"/Groups/{one['id']}")["members"]) == 2
    assert one["id"] in [group["value"] for group in scim.read(f"/Users/{wes['id']}")["groups"]]


def test_a_member_is_stored_once(scim, wes):
    group = scim.create_group(members=[{"value": wes["id"]}, {"value": wes["id"], "display": "again"}])
    assert len(group["members"]) == 1


def test_groups_of_a_user_are_read_only(scim, wes):
    group = scim.create_group()
    answer = scim.put(f"/Users/{wes['id']}", {**wes, "groups": [{"value": group["id"]}]})
    assert answer.status == 200
    assert "groups" not in answer.body
    assert scim.read(f"/Groups/{group['id']}")["members"] == []


def test_manager_has_address_and_name(scim, wes):
    clerk = scim.create_user(**{ENT: {"manager": {"value": wes["id"], "displayName": "lie", "$ref": "../lie"}}})
    expected = {"value": wes["id"], "$ref": wes["meta"]["location"], "displayName": "Wes"}
    assert clerk[ENT]["manager"] == expected
    assert scim.found("/Users", f'{ENT}:manager.displayName eq "wes"') == [clerk["id"]]


def test_manager_display_name_is_read_only(scim, wes):
    clerk = scim.create_user(**{ENT: {"manager": {"value": wes["id"]}}})
    operation = {"op": "replace", "path": f"{ENT}:manager.displayName", "value": "Other"}
    answer = scim.patch_op(f"/Users/{clerk['id']}", operation)
    assert (answer.status, answer.body["scimType"]) == (400, "mutability")


def test_deleting_a_user_removes_it_from_groups_and_as_manager(scim, wes):
    groups = [scim.create_group(members=[{"value": wes["id"]}, {"value": "unknown"}]) for _ in range(2)]
    clerk = scim.create_user(**{ENT: {"manager": {"value": wes["id"]}, "division": "Sea"}})
    assert scim.delete(f"/Users/{wes['id']}").status == 204
    for group in groups:
        members = scim.read(f"/Groups/{group['id']}")["members"]
        assert [member["value"] for member in members] == ["unknown"]
    left = scim.read(f"/Users/{clerk['id']}")[ENT]
    assert left["division"] == "Sea"
    assert "$ref" not in left.get("manager", {})
    assert scim.found("/Groups", f'members eq "{wes["id"]}"') == []


def test_deleting_a_group_removes_it_from_its_group(scim, wes):
    inner = scim.create_group(members=[{"value": wes["id"]}])
    outer = scim.create_group(members=[{"value": inner["id"]}])
    scim.delete(f"/Groups/{inner['id']}")
    assert scim.read(f"/Groups/{outer['id']}")["members"] == []
    assert "groups" not in scim.read(f"/Users/{wes['id']}")


def test_filters_find_references(scim, wes):
    group = scim.create_group(members=[{"value": wes["id"]}])
    scim.create_group()
    for filter in (
        f'members eq "{wes["id"]}"',
        f'members.value eq "{wes["id"]}"',
        f'members[value eq "{wes["id"]}"]',
        'members.display eq "WES"',
        'members[type eq "User"]',
        "members pr",
    ):
        assert scim.found("/Groups", filter) == [group["id"]]


@pytest.mark.parametrize(
    ("filter", "left"),
    [
        ('value eq "{wes}" or value eq "unknown"', ["{group}"]),
        ('value eq "{wes}" or type eq "Group"', ["unknown"]),
        ('value eq "{wes}" and type eq "User"', ["{group}", "unknown"]),
        ('value eq "{wes}" and type eq "Group"', ["{wes}", "{group}", "unknown"]),
        ('type eq "User"', ["{group}", "unknown"]),
        ('not (value eq "{wes}")', ["{wes}"]),
        ('value ne "unknown"', ["unknown"]),
        ('display eq "WES"', ["{group}", "unknown"]),
        ("value pr", []),
    ],
)
def test_any_filter_removes_members(scim, wes, filter, left):
    ids = {"wes": wes["id"], "group": scim.create_group(displayName="Inner")["id"]}
    group = scim.create_group(members=[{"value": ids["wes"]}, {"value": ids["group"]}, {"value": "unknown"}])
    operation = {"op": "remove", "path": f"members[{filter.format(**ids)}]"}
    assert scim.patch_op(f"/Groups/{group['id']}", operation).status == 204
    members = scim.read(f"/Groups/{group['id']}").get("members", [])
    assert [member["value"] for member in members] == [id.format(**ids) for id in left]


def test_a_filter_on_the_derived_name_removes_the_manager(scim, wes):
    clerk = scim.create_user(**{ENT: {"manager": {"value": wes["id"]}, "division": "Sea"}})
    operation = {"op": "remove", "path": f'{ENT}:manager[displayName eq "WES"]'}
    assert scim.patch_op(f"/Users/{clerk['id']}", operation).body[ENT] == {"division": "Sea"}


@pytest.mark.parametrize("boss", [{}, {"boss": {"value": "u", "$ref": "lie"}}, {"boss": {"value": "u"}}])
def test_false_and_zero_beside_a_reference_are_stored(make_scim, boss):
    urn = "urn:x:y:User"
    attributes = [
        {"name": "flag", "type": "boolean"},
        {"name": "level", "type": "integer"},
        {"name": "boss", "type": "complex", "subAttributes": [{"name": "value"}, REF]},
    ]
    scim = make_scim(schemas=[{"id": urn, "name": "Y", "extends": "User", "attributes": attributes}])
    sent = {"flag": False, "level": 0, **boss}
    kept = {"flag": False, "level": 0, **({"boss": {"value": "u"}} if boss else {})}
    user = scim.create_user(**{urn: sent})
    assert user[urn] == kept
    assert scim.put(f"/Users/{user['id']}", {"userName": user["userName"], urn: sent}).body[urn] == kept
    cleared = [{"op": "remove", "path": f"{urn}:{name}"} for name in ("flag", "level", "boss")]
    assert scim.patch_op(f"/Users/{user['id']}", *cleared).status in (200, 204)
    assert urn not in scim.read(f"/Users/{user['id']}")
    operation = {"op": "add", "path": f"{urn}:flag", "value": False}
    assert scim.patch_op(f"/Users/{user['id']}", operation).status in (200, 204)
    assert scim.read(f"/Users/{user['id']}")[urn] == {"flag": False}


def test_ids_are_case_sensitive_and_reference_values_are_not(make_scim):
    urn = "urn:x:y:User"
    boss = {"name": "boss", "type": "complex", "subAttributes": [{"name": "value"}, REF]}
    scim = make_scim(schemas=[{"id": urn, "name": "Y", "extends": "User", "attributes": [boss]}])
    user = scim.create_user(**{urn: {"boss": {"value": "Ann"}}})["id"]
    assert scim.found("/Users", f'{urn}:boss.value eq "Ann"') == [user]
    assert scim.found("/Users", f'{urn}:boss.value eq "ANN"') == []
    assert scim.found("/Users", f'{urn}:boss eq "ann"') == []
