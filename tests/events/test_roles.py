"""Events of the roles that follow from groups, compared with the roles that SCIM answers before and after."""

import pytest

from tests.support.events import Reader, rebuilt

GROUPS = {"Sales": "editor", "Staff": "reader", "Vendors": "seller"}
ROLES = [{"group": group, "role": role} for group, role in GROUPS.items()]


@pytest.fixture
def reader():
    return Reader(roles=ROLES)


@pytest.fixture
def ids(reader):
    """Ann is in Sales, which is in Staff, and in Team with Bea. Team and Office are in each other. Carl is in Other."""
    ids = {name: reader.entra.create_user(userName=name)["id"] for name in ("ann", "bea", "carl")}
    reader.entra.patch_op(f"/Users/{ids['bea']}", {"op": "add", "path": "roles", "value": [{"value": "auditor"}]})
    for group, *members in (
        ("Team", "ann", "bea"),
        ("Office", "Team"),
        ("Other", "carl"),
        ("Sales", "ann"),
        ("Staff", "Sales"),
    ):
        values = [{"value": ids[member]} for member in members]
        ids[group] = reader.entra.create_group(displayName=group, members=values)["id"]
    add(reader.entra, ids, "Team", "Office")
    reader.new()
    return ids


def add(scim, ids, group, member):
    operation = {"op": "add", "path": "members", "value": [{"value": ids[member]}]}
    assert scim.patch_op(f"/Groups/{ids[group]}", operation).status == 204


def remove(scim, ids, group, member):
    scim.patch_op(f"/Groups/{ids[group]}", {"op": "remove", "path": f'members[value eq "{ids[member]}"]'})


def rename(scim, ids, group, name):
    scim.patch_op(f"/Groups/{ids[group]}", {"op": "replace", "path": "displayName", "value": name})


def replace(scim, ids, group, name, *members):
    members = [{"value": ids[member]} for member in members]
    assert scim.put(f"/Groups/{ids[group]}", {"displayName": name, "members": members}).status == 200


def delete(scim, ids, name):
    path = "Groups" if name[0].isupper() else "Users"
    assert scim.delete(f"/{path}/{ids[name]}").status == 204


def users(reader):
    return {user["id"]: user for user in reader.entra.read("/Users")["Resources"]}


CHANGES = [
    ((add, "Staff", "Team"), {"bea"}),
    ((add, "Sales", "Office"), {"bea"}),
    ((add, "Staff", "carl"), {"carl"}),
    ((add, "Other", "bea"), set()),
    ((remove, "Staff", "Sales"), {"ann"}),
    ((remove, "Sales", "ann"), {"ann"}),
    ((rename, "Office", "sales 2"), set()),
    ((rename, "Other", "Vendors"), {"carl"}),
    ((rename, "Sales", "SALES"), set()),
    ((rename, "Sales", "Contractors"), {"ann"}),
    ((replace, "Sales", "Vendors", "bea", "ann"), {"ann", "bea"}),
    ((delete, "Sales"), {"ann"}),
    ((delete, "Staff"), {"ann"}),
    ((delete, "Other"), set()),
    ((delete, "ann"), set()),
]


@pytest.mark.parametrize(("change", "affected"), CHANGES)
def test_each_user_whose_roles_change_has_an_update_with_both_values(reader, ids, change, affected):
    old = users(reader)
    act, *names = change
    act(reader.entra, ids, *names)
    new, events = users(reader), reader.new()
    updates = {event["data"]["id"]: event for event in events if event["type"] == "user.updated"}
    assert updates.keys() == {ids[name] for name in affected}
    assert updates.keys() == {id for id in new if old[id].get("roles") != new[id].get("roles")}
    for id, event in updates.items():
        assert event["changes"] == {"roles": [old[id].get("roles"), new[id].get("roles")]}
        assert event["data"] == {name: value for name, value in new[id].items() if name != "groups"}


def test_users_that_change_by_themselves_have_their_roles_too(reader, ids):
    reader.entra.patch_op(f"/Users/{ids['ann']}", {"op": "replace", "path": "title", "value": "Clerk"})
    reader.entra.patch_op(f"/Users/{ids['ann']}", {"op": "add", "path": "roles", "value": [{"value": "auditor"}]})
    given = [{"value": "editor", "type": "group"}, {"value": "reader", "type": "group"}]
    titled, granted = reader.new()
    assert (titled["changes"], titled["data"]["roles"]) == ({"title": [None, "Clerk"]}, given)
    assert granted["changes"] == {"roles": [given, [{"value": "auditor"}, *given]]}
    reader.entra.delete(f"/Users/{ids['ann']}")
    *_, deleted = reader.new()
    assert deleted["data"]["roles"] == [{"value": "auditor"}, *given]


def test_roles_are_those_of_the_moment_of_the_event(reader):
    ann = reader.entra.create_user(userName="ann")["id"]
    reader.entra.create_group(displayName="Sales", members=[{"value": ann}])
    made, *_, updated = reader.new()
    assert "roles" not in made["data"]
    assert (updated["type"], updated["data"]["roles"]) == ("user.updated", [{"value": "editor", "type": "group"}])


def test_a_group_that_is_made_after_its_member_in_a_bulk_request_gives_its_roles(reader):
    member = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ann"}
    group = {"displayName": "Sales", "members": [{"value": "bulkId:ann"}]}
    operations = [
        {"method": "POST", "path": "/Groups", "bulkId": "sales", "data": group},
        {"method": "POST", "path": "/Users", "bulkId": "ann", "data": member},
    ]
    assert reader.entra.post("/Bulk", {"Operations": operations}).status == 200
    resources, _ = rebuilt(reader.new())
    (user,) = users(reader).values()
    assert resources[user["id"]]["roles"] == user["roles"] == [{"value": "editor", "type": "group"}]


def test_the_snapshot_has_the_roles(reader, ids):
    shown = {line["data"]["id"]: line["data"] for line in reader.snapshot() if line.get("type") == "user.created"}
    assert shown == {id: {n: v for n, v in user.items() if n != "groups"} for id, user in users(reader).items()}
    assert shown[ids["ann"]]["roles"]


def test_without_mappings_memberships_update_no_user():
    reader = Reader()
    ann = reader.entra.create_user(userName="ann", roles=[{"value": "editor", "type": "group"}])["id"]
    reader.entra.create_group(displayName="Sales", members=[{"value": ann}])
    made, *others = reader.new()
    assert made["data"]["roles"] == [{"value": "editor", "type": "group"}]
    assert [event["type"] for event in others] == ["group.created", "group.member_added"]
