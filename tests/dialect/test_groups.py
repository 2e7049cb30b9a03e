"""How Entra keeps groups."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.urns import GROUP

OLD_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


def members(scim, group):
    found = scim.read(f"/Groups/{group['id']}")
    return [member["value"] for member in found.get("members", [])]


@pytest.fixture
def users(scim):
    return [scim.create_user()["id"] for _ in range(4)]


@pytest.fixture
def group(scim, users):
    return scim.create_group(displayName="Crew", externalId="crew-1", members=[{"value": id} for id in users[:3]])


@pytest.fixture
def patch(scim, group):
    """Send operations, which must be answered with 204 and no body."""

    def send(*operations):
        answer = scim.patch_op(f"/Groups/{group['id']}", *operations)
        assert (answer.status, answer.text) == (204, "")
        return members(scim, group)

    return send


@pytest.mark.parametrize("extra", [{"schemas": [GROUP, OLD_GROUP]}, {"schemas": [GROUP], "members": []}])
def test_create(scim, extra):
    body = {"externalId": "77aa", "displayName": "Deck", "meta": {"resourceType": "Group"}, **extra}
    created = scim.post("/Groups", body)
    assert created.status == 201
    group = created.body
    assert group["id"]
    assert created.headers["Location"] == group["meta"]["location"]
    assert (group["schemas"], group["externalId"], group["displayName"]) == ([GROUP], "77aa", "Deck")
    assert group["members"] == []
    assert scim.read(f"/Groups/{group['id']}") == group


def test_name_that_is_taken_is_409_without_regard_to_case(scim, group):
    answer = scim.post("/Groups", {"schemas": [GROUP], "displayName": "CREW"})
    assert (answer.status, answer.body["scimType"]) == (409, "uniqueness")


def test_names_need_not_be_unique_where_the_option_says_so(make_scim):
    scim = make_scim(directory={"unique_group_names": False})
    first, second = scim.create_group(displayName="Crew"), scim.create_group(displayName="crew")
    assert scim.found("/Groups", 'displayName eq "Crew"') == [first["id"], second["id"]]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "U3"}]},
        {"op": "add", "path": "members", "value": [{"value": "U3"}]},
        {"op": "add", "path": "members", "value": {"value": "U3"}},
        {"op": "add", "value": {"members": [{"value": "U3"}]}},
        {"op": "Add", "path": "members", "value": [{"value": "U3"}, {"value": "U0"}]},
    ],
)
def test_add_member(patch, users, operation):
    operation = with_ids(operation, users)
    for _ in range(2):
        assert patch(operation) == users


def with_ids(value, users):
    if isinstance(value, dict):
        return {key: with_ids(each, users) for key, each in value.items()}
    if isinstance(value, list):
        return [with_ids(each, users) for each in value]
    for n, id in enumerate(users):
        value = value.replace(f"U{n}", id) if isinstance(value, str) else value
    return value


def test_adding_a_member_again_changes_no_version(scim, group, patch, users):
    patch({"op": "Add", "path": "members", "value": [{"$ref": None, "value": users[0]}]})
    assert scim.read(f"/Groups/{group['id']}") == group


def test_unknown_members_are_kept_without_ref_beside_the_others(scim, group, patch, users):
    patch({"op": "Add", "path": "members", "value": [{"value": "not-here-yet"}, {"value": users[3]}]})
    found = scim.read(f"/Groups/{group['id']}")["members"]
    assert {member["value"]: "$ref" in member for member in found} == {
        **dict.fromkeys(users, True),
        "not-here-yet": False,
    }


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        ({"op": "Remove", "path": "members", "value": [{"value": "U1"}]}, [0, 2]),
        ({"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "U1"}]}, [0, 2]),
        ({"op": "Remove", "path": "members", "value": [{"value": "U1"}, {"value": "U0"}]}, [2]),
        ({"op": "remove", "path": 'members[value eq "U1"]'}, [0, 2]),
        ({"op": "Remove", "path": 'members[value eq "U3"]'}, [0, 1, 2]),
        ({"op": "Remove", "path": "members", "value": [{"value": "U3"}]}, [0, 1, 2]),
        ({"op": "Remove", "path": "members", "value": [{"value": "nobody"}, {"value": "U0"}]}, [1, 2]),
        ({"op": "Remove", "path": "members", "value": []}, [0, 1, 2]),
        ({"op": "Remove", "path": "members"}, []),
        ({"op": "Add", "path": "members", "value": None}, [0, 1, 2]),
        ({"op": "Add", "path": "members", "value": ""}, [0, 1, 2]),
        ({"op": "add", "value": {"members": None}}, [0, 1, 2]),
        ({"op": "replace", "value": {"members": None}}, []),
        ({"op": "remove", "path": f"{GROUP}:members", "value": [{"value": "U2"}]}, [0, 1]),
    ],
)
def test_remove_members(patch, users, operation, left):
    for _ in range(2):
        assert patch(with_ids(operation, users)) == [users[n] for n in left]


def test_members_whose_ids_are_long_are_removed_by_listing_them(patch, users):
    long = [{"value": f"{n}" + "é" * 100} for n in range(150)]
    patch({"op": "Add", "path": "members", "value": long})
    assert patch({"op": "Remove", "path": "members", "value": long}) == users[:3]


def test_add_and_remove_in_one_request(patch, users):
    left = patch(
        {"op": "Remove", "path": "members", "value": [{"value": users[0]}]},
        {"op": "Add", "path": "members", "value": [{"value": users[3]}]},
        {"op": "remove", "path": f'members[value eq "{users[1]}"]'},
    )
    assert left == [users[2], users[3]]


def test_many_members_in_one_request(scim, patch, users):
    more = [f"member-{n}" for n in range(500)]
    left = patch({"op": "Add", "path": "members", "value": [{"value": id} for id in more]})
    assert sorted(left) == sorted([*users[:3], *more])


def test_five_at_a_time_on_one_group(live):
    group = live.create_group(displayName="Stokers")
    users = [live.create_user(userName=f"stoker{n}@contoso.example")["id"] for n in range(40)]

    def add(id):
        operation = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": id}]}
        return live.patch_op(f"/Groups/{group['id']}", operation).status

    with ThreadPoolExecutor(5) as pool:
        assert set(pool.map(add, users + users[:5])) == {204}
    assert sorted(members(live, group)) == sorted(users)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "Replace", "path": "displayName", "value": "Watch"}, {"displayName": "Watch"}),
        ({"op": "replace", "value": {"displayName": "Watch"}}, {"displayName": "Watch"}),
        ({"op": "Add", "path": "externalId", "value": "crew-2"}, {"externalId": "crew-2"}),
        ({"op": "Add", "path": "description", "value": "On deck"}, {"description": "On deck"}),
        ({"op": "replace", "value": {"description": "On deck"}}, {"description": "On deck"}),
    ],
)
def test_rename_and_describe_wipe_nothing(scim, group, patch, users, operation, expected):
    assert patch(operation) == users[:3]
    left = {"displayName": "Crew", "externalId": "crew-1"} | expected
    found = scim.read(f"/Groups/{group['id']}")
    assert {name: found.get(name) for name in left} == left


def test_description_in_post(scim):
    assert scim.create_group(description="Below deck")["description"] == "Below deck"


def test_renaming_to_its_own_name_in_another_case(scim, group, patch):
    patch({"op": "Replace", "path": "displayName", "value": "CREW"})
    assert scim.read(f"/Groups/{group['id']}")["displayName"] == "CREW"


def test_renaming_to_a_taken_name_is_409(scim, group):
    other = scim.create_group(displayName="Other")
    answer = scim.patch_op(f"/Groups/{other['id']}", {"op": "Replace", "path": "displayName", "value": "crew"})
    assert (answer.status, answer.body["scimType"]) == (409, "uniqueness")


def test_delete_then_match_and_create_again(scim, group, users):
    assert scim.delete(f"/Groups/{group['id']}").status == 204
    assert scim.get(f"/Groups/{group['id']}").status == 404
    assert scim.found("/Groups", 'displayName eq "Crew"') == []
    assert "groups" not in scim.read(f"/Users/{users[0]}")
    again = scim.create_group(displayName="Crew")
    assert again["id"] != group["id"]
    assert again["members"] == []
