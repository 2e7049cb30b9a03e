"""Members of groups in the forms of clients other than Entra: read, or refused as a whole."""

import json

import pytest

from tests.support.urns import GROUP


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


@pytest.mark.parametrize("value", ["C", {"value": "C"}, [{"value": "C"}], ["C"], {"members": [{"value": "C"}]}])
@pytest.mark.parametrize("op", ["add", "replace"])
def test_a_member_is_added_by_the_path_that_names_it(scim, group, ids, op, value):
    for _ in range(2):
        path = quoted('members[value eq "C"]', ids)
        assert scim.patch_op(group, {"op": op, "path": path, "value": with_ids(value, ids)}).status == 204
        assert members(scim, group) == ids


@pytest.mark.parametrize(("op", "rest"), [("remove", {}), ("remove", {"value": ["A"]}), ("replace", {"value": None})])
def test_the_ids_of_members_cannot_be_taken_away(scim, group, ids, op, rest):
    answer = scim.patch_op(group, {"op": op, "path": "members.value", **with_ids(rest, ids)})
    assert (answer.status, answer.body["scimType"]) == (400, "mutability")
    assert members(scim, group) == ids[:2]


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
