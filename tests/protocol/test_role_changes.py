"""The users whose roles a change of groups changes, compared with what every user has before and after it."""

import pytest

from scim.directory.role_changes import GroupChanges, RoleHistory

GROUPS = {"Sales": "editor", "Staff": "reader", "Vendors": "seller"}
ROLES = [{"group": group, "role": role} for group, role in GROUPS.items()]


@pytest.fixture
def company(make_scim):
    """Ann is in Sales, which is in Staff, and in Team with Bea. Team and Office are in each other. Carl is in Other."""
    scim = make_scim(roles=ROLES)
    ids = {name: scim.create_user(userName=name)["id"] for name in ("ann", "bea", "carl")}
    scim.patch_op(f"/Users/{ids['bea']}", {"op": "add", "path": "roles", "value": [{"value": "auditor"}]})
    for group, *members in (
        ("Team", "ann", "bea"),
        ("Office", "Team"),
        ("Other", "carl"),
        ("Sales", "ann"),
        ("Staff", "Sales"),
    ):
        values = [{"value": ids[member]} for member in members]
        ids[group] = scim.create_group(displayName=group, members=values)["id"]
    add(scim, ids, "Team", "Office")
    return scim, ids


def add(scim, ids, group, member):
    operation = {"op": "add", "path": "members", "value": [{"value": ids[member]}]}
    assert scim.patch_op(f"/Groups/{ids[group]}", operation).status == 204


def remove(scim, ids, group, member):
    scim.patch_op(f"/Groups/{ids[group]}", {"op": "remove", "path": f'members[value eq "{ids[member]}"]'})


def rename(scim, ids, group, name):
    scim.patch_op(f"/Groups/{ids[group]}", {"op": "replace", "path": "displayName", "value": name})


def delete(scim, ids, group):
    assert scim.delete(f"/Groups/{ids[group]}").status == 204


def roles_of_all(scim):
    return {user["id"]: user.get("roles", []) for user in scim.read("/Users")["Resources"]}


def stored(scim, group):
    with scim.app.extensions["tinyscim"].store.reading() as reader:
        return reader.get("Group", group).data


@pytest.mark.parametrize(
    ("change", "joined", "left", "changed", "affected"),
    [
        ((add, "Staff", "Team"), [("Staff", "Team")], [], [], {"bea"}),
        ((add, "Sales", "Office"), [("Sales", "Office")], [], [], {"bea"}),
        ((add, "Staff", "carl"), [("Staff", "carl")], [], [], {"carl"}),
        ((add, "Other", "bea"), [("Other", "bea")], [], [], set()),
        ((remove, "Staff", "Sales"), [], [("Staff", "Sales")], [], {"ann"}),
        ((remove, "Sales", "ann"), [], [("Sales", "ann")], [], {"ann"}),
        ((rename, "Office", "sales 2"), [], [], ["Office"], set()),
        ((rename, "Sales", "Vendors"), [], [], ["Sales"], {"ann"}),
        ((rename, "Other", "Vendors"), [], [], ["Other"], {"carl"}),
        ((rename, "Sales", "SALES"), [], [], ["Sales"], set()),
        ((delete, "Sales"), [], [("Sales", "ann"), ("Staff", "Sales")], ["Sales"], {"ann"}),
        ((delete, "Staff"), [], [("Staff", "Sales")], ["Staff"], {"ann"}),
        ((delete, "Other"), [], [("Other", "carl")], ["Other"], set()),
    ],
)
def test_the_users_whose_roles_change_are_found_with_both_values(company, change, joined, left, changed, affected):
    scim, ids = company
    old, before = roles_of_all(scim), {ids[group]: stored(scim, ids[group]) for group in changed}
    act, *names = change
    act(scim, ids, *names)
    new = roles_of_all(scim)
    service = scim.app.extensions["tinyscim"]
    moved = ([(ids[group], ids[member]) for group, member in pairs] for pairs in (joined, left))
    with service.store.reading() as reader:
        found = list(RoleHistory(reader, service.registry, GroupChanges(*moved, before)).changed())
    assert {ids[name] for name in affected} == {id for id in old if old[id] != new[id]}
    assert {now["id"]: (then.get("roles", []), now.get("roles", [])) for then, now in found} == {
        ids[name]: (old[ids[name]], new[ids[name]]) for name in affected
    }
