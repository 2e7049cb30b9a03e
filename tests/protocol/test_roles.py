"""`[[roles]]`: roles of users that follow from membership in groups."""

import pytest

import config
from storage.tinydb_store import TinyDBStore
from tests.support.urns import USER

SALES = "6f5a1c52-0000-4000-8000-000000000001"
ROLES = [
    {"group": "Sales", "role": "editor"},
    {"group": "Staff", "role": "reader"},
    {"external_id": SALES, "role": "seller"},
    {"group": "Marketing", "role": "Editor"},
]


@pytest.fixture
def mapped(make_scim):
    return make_scim(roles=ROLES)


@pytest.fixture
def ann(mapped):
    return mapped.create_user(userName="ann")["id"]


def roles(scim, id, query=""):
    return scim.read(f"/Users/{id}{query}").get("roles", [])


def given(*names):
    return [{"value": name, "type": "group"} for name in names]


def join(scim, group, *members, op="add"):
    values = [{"value": member} for member in members]
    assert scim.patch_op(f"/Groups/{group}", {"op": op, "path": "members", "value": values}).status == 204


def test_members_have_the_roles_of_their_group_as_long_as_they_are_members(mapped, ann):
    assert roles(mapped, ann) == []
    group = mapped.create_group(displayName="sales", externalId=SALES, members=[{"value": ann}])["id"]
    assert roles(mapped, ann) == given("editor", "seller")
    (listed,) = mapped.read("/Users")["Resources"]
    assert listed["roles"] == given("editor", "seller")
    mapped.patch_op(f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{ann}"]'})
    assert roles(mapped, ann) == []
    join(mapped, group, ann)
    mapped.delete(f"/Groups/{group}")
    assert roles(mapped, ann) == []


def test_roles_follow_the_name_and_the_external_id_of_a_group(mapped, ann):
    group = mapped.create_group(displayName="Sales", externalId=SALES, members=[{"value": ann}])["id"]
    mapped.patch_op(f"/Groups/{group}", {"op": "replace", "path": "displayName", "value": "Staff"})
    assert roles(mapped, ann) == given("reader", "seller")
    mapped.patch_op(f"/Groups/{group}", {"op": "replace", "path": "externalId", "value": "another"})
    assert roles(mapped, ann) == given("reader")


def test_a_group_named_like_an_external_id_gives_nothing(mapped, ann):
    mapped.create_group(displayName=SALES, externalId="Staff", members=[{"value": ann}])
    assert roles(mapped, ann) == []


def test_nested_groups_count_and_cycles_end(mapped, ann):
    inner = mapped.create_group(displayName="Inner", members=[{"value": ann}])["id"]
    middle = mapped.create_group(displayName="Sales", members=[{"value": inner}])["id"]
    outer = mapped.create_group(displayName="Staff", members=[{"value": middle}])["id"]
    join(mapped, inner, outer)
    assert roles(mapped, ann) == given("editor", "reader")
    assert mapped.found("/Users", 'roles.value eq "reader"') == [ann]


def test_a_role_of_several_groups_is_listed_once(mapped, ann):
    for name in ("Sales", "Marketing"):
        mapped.create_group(displayName=name, members=[{"value": ann}])
    assert roles(mapped, ann) == given("editor")


def test_provisioned_roles_stay_beside_those_of_groups(mapped):
    provisioned = {"value": "editor", "type": "WindowsAzureActiveDirectoryRole", "primary": True}
    user = mapped.create_user(roles=[provisioned])["id"]
    group = mapped.create_group(displayName="Sales", members=[{"value": user}])["id"]
    assert roles(mapped, user) == [provisioned, *given("editor")]
    change = {"op": "replace", "path": 'roles[primary eq "True"].value', "value": "auditor"}
    assert mapped.patch_op(f"/Users/{user}", change).status == 200
    assert roles(mapped, user) == [{**provisioned, "value": "auditor"}, *given("editor")]
    assert mapped.patch_op(f"/Users/{user}", {"op": "remove", "path": "roles"}).status == 200
    assert roles(mapped, user) == given("editor")
    mapped.delete(f"/Groups/{group}")
    assert roles(mapped, user) == []


@pytest.mark.parametrize("method", ["put", "patch"])
def test_writing_back_what_was_read_stores_no_role_of_a_group(mapped, ann, method):
    mapped.patch_op(f"/Users/{ann}", {"op": "add", "path": "roles", "value": [{"value": "auditor"}]})
    group = mapped.create_group(displayName="Sales", members=[{"value": ann}])["id"]
    read = mapped.read(f"/Users/{ann}")
    assert read["roles"] == [{"value": "auditor"}, *given("editor")]
    if method == "put":
        assert mapped.put(f"/Users/{ann}", read).body == read
    else:
        mapped.patch_op(f"/Users/{ann}", {"op": "replace", "path": "roles", "value": read["roles"]})
        assert mapped.read(f"/Users/{ann}") == read
    mapped.delete(f"/Groups/{group}")
    assert roles(mapped, ann) == [{"value": "auditor"}]


def test_no_request_grants_a_role_of_a_group(mapped):
    sent = [{"value": "editor", "type": "Group"}, {"value": "owner", "type": "group"}]
    user = mapped.create_user(roles=sent)
    assert "roles" not in user
    mapped.patch_op(f"/Users/{user['id']}", {"op": "add", "path": "roles", "value": sent})
    assert roles(mapped, user["id"]) == []


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ('roles.value eq "EDITOR"', "ab"),
        ('roles eq "editor"', "ab"),
        ('roles[value eq "editor" and type eq "group"]', "a"),
        ('roles.value sw "edi"', "ab"),
        ('roles.type eq "group"', "ac"),
        ('roles.value eq "reader" and userName eq "c"', "c"),
        ('not (roles.value eq "editor")', "cd"),
        ("roles pr", "abc"),
        ('roles.value eq "owner"', ""),
    ],
)
@pytest.mark.parametrize("indexed", [[], ["roles.value"]])
def test_filters_find_roles_of_groups_and_provisioned_ones(make_scim, filter, found, indexed):
    scim = make_scim(roles=ROLES, directory={"indexed_attributes": indexed, "unique_group_names": False})
    stored = {"b": [{"value": "Editor"}]}
    a, _, c, _ = (scim.create_user(userName=name, roles=stored.get(name, []))["id"] for name in "abcd")
    scim.create_group(displayName="Sales", members=[{"value": a}])
    scim.create_group(displayName="Staff", members=[{"value": c}])
    answer = scim.query("/Users", filter=filter, attributes="userName").body["Resources"]
    assert "".join(user["userName"] for user in answer) == found


def test_roles_can_be_selected_and_sorted_by(mapped, ann):
    bea = mapped.create_user(userName="bea", roles=[{"value": "aide"}])["id"]
    mapped.create_group(displayName="Staff", members=[{"value": ann}])
    assert "roles" not in mapped.read(f"/Users/{ann}?excludedAttributes=roles")
    assert roles(mapped, ann, "?attributes=roles") == given("reader")
    assert roles(mapped, ann, "?attributes=roles.value") == [{"value": "reader"}]
    answer = mapped.query("/Users", sortBy="roles.value").body["Resources"]
    assert [user["id"] for user in answer] == [bea, ann]


def test_filters_by_roles_have_a_bounded_cost(make_scim):
    scim = make_scim(roles=ROLES, limits={"max_query_steps": 1_000})
    user = scim.create_user()["id"]
    for _ in range(200):  # none of them gives a role, and all of them are read
        scim.create_group(members=[{"value": user}])
    answer = scim.query("/Users", filter='roles.display eq "x"')
    assert (answer.status, answer.body["scimType"]) == (400, "tooMany")


def test_nothing_of_them_is_stored(make_scim, tmp_path):
    store = TinyDBStore(tmp_path / "data.json")
    scim = make_scim(roles=ROLES, store=store)
    user = scim.create_user()["id"]
    scim.create_group(displayName="Sales", members=[{"value": user}])
    assert roles(scim, user) == given("editor")
    store.close()
    again = make_scim(store=TinyDBStore(tmp_path / "data.json"))
    assert roles(again, user) == []
    assert again.found("/Users", f'schemas eq "{USER}"') == [user]
    again.app.extensions["tinyscim"].store.close()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"role": "editor"}, "needs either group"),
        ({"role": "editor", "group": "Sales", "external_id": SALES}, "needs either group"),
        ({"group": "Sales"}, "role is missing"),
        ({"role": " ", "group": "Sales"}, "role must be the name of a role"),
        ({"role": "editor", "group": ""}, "group must be the displayName of a group"),
        ({"role": "editor", "name": "Sales"}, "there is no option name; there are role, group, external_id"),
    ],
)
def test_a_mapping_names_one_group_and_one_role(table, message):
    with pytest.raises(config.ConfigError, match=message):
        config.parse({"roles": [table]})
