"""POST /.search at the root and per type (RFC 7644 section 3.4.3)."""

import pytest

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


@pytest.fixture(scope="module")
def house(make_scim):
    """Three users and two groups, their ids in order of creation."""
    scim = make_scim()
    users = [scim.create_user(userName=f"smith-{n}", displayName=f"Smith {n}")["id"] for n in range(3)]
    groups = [scim.create_group(displayName=f"Smiths {n}")["id"] for n in range(2)]
    return scim, users, groups


def search(scim, path, **parameters):
    return scim.post(f"{path}/.search", {"schemas": [SEARCH], **parameters})


def ids(answer):
    assert answer.status == 200, answer.body
    assert answer.body["schemas"] == [LIST]
    return [found["id"] for found in answer.body["Resources"]]


def test_search_of_a_type(house):
    scim, users, groups = house
    assert ids(search(scim, "/Users")) == users
    assert ids(search(scim, "/Groups")) == groups
    assert ids(search(scim, "/Users", filter='displayName ew "1"')) == users[1:2]


def test_search_of_the_root_covers_every_type(house):
    scim, users, groups = house
    assert sorted(ids(search(scim, ""))) == sorted(users + groups)
    found = search(scim, "", filter='displayName sw "smith"', attributes=["displayName", "userName"])
    assert found.body["totalResults"] == 5
    assert sum("userName" in one for one in found.body["Resources"]) == 3
    assert all(set(one) <= {"schemas", "id", "displayName", "userName"} for one in found.body["Resources"])


@pytest.mark.parametrize(("kind", "count"), [("User", 3), ("Group", 2), ("Device", 0)])
def test_search_of_the_root_by_resource_type(house, kind, count):
    scim, *_ = house
    assert search(scim, "", filter=f'meta.resourceType eq "{kind}"').body["totalResults"] == count


def test_search_of_the_root_by_either_resource_type(house):
    scim, *_ = house
    filter = "(meta.resourceType eq User) or (meta.resourceType eq Group)"
    assert search(scim, "", filter=filter).body["totalResults"] == 5


def test_pages_of_a_search(house):
    scim, users, _ = house
    assert ids(search(scim, "/Users", startIndex=2, count=1)) == users[1:2]
    assert ids(search(scim, "/Users", count=0)) == []
    assert ids(search(scim, "/Users", startIndex=-3, count=-3)) == []
    whole = ids(search(scim, ""))
    pages = [ids(search(scim, "", startIndex=n, count=2)) for n in (1, 3, 5)]
    assert [one for page in pages for one in page] == whole


def test_sorted_search_of_the_root(house):
    scim, users, groups = house
    found = ids(search(scim, "", sortBy="displayName", sortOrder="descending"))
    assert found == [*reversed(groups), *reversed(users)]


def test_search_names_parameters_in_any_case(house):
    scim, users, _ = house
    answer = scim.post("/Users/.search", {"Schemas": [SEARCH], "Filter": 'userName eq "smith-2"'})
    assert ids(answer) == users[2:]


@pytest.mark.parametrize(
    "parameters",
    [
        {"filter": 5},
        {"filter": ["userName pr"]},
        {"count": "many"},
        {"startIndex": {"a": 1}},
        {"count": 1.5},
        {"attributes": {"a": 1}},
        {"attributes": [5]},
        {"sortBy": ["userName"]},
        {"sortOrder": 5},
        {"cursor": 5},
    ],
)
def test_search_with_wrong_types_is_refused(house, parameters):
    scim, *_ = house
    assert search(scim, "/Users", **parameters).status == 400


def test_search_with_a_broken_filter_is_refused(house):
    scim, *_ = house
    for path in ("", "/Users"):
        answer = search(scim, path, filter="userName is")
        assert (answer.status, answer.body["scimType"]) == (400, "invalidFilter")


def test_search_is_posted_and_has_types(house):
    scim, *_ = house
    assert scim.get("/.search").status == 405
    assert search(scim, "/Nowhere").status == 404
