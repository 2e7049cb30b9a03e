"""What Entra does not tolerate in an answer."""

import pytest

from tests.support.urns import ENT, GROUP, USER

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


def walk(value):
    yield value
    if isinstance(value, dict):
        for each in value.values():
            yield from walk(each)
    if isinstance(value, list):
        for each in value:
            yield from walk(each)


@pytest.fixture
def full(scim):
    """A user and a group with something of everything."""
    chief = scim.create_user(userName="chief@contoso.example")
    user = scim.create_user(
        userName="Full@contoso.example",
        externalId="Ab-1",
        active="True",
        title=None,
        roles=[],
        name={"givenName": "Fay"},
        emails=[{"type": "work", "value": "Fay@Contoso.Example", "primary": "True"}],
        phoneNumbers=[{"type": "work", "value": " +47 (555) 01-99 "}],
        **{ENT: {"manager": chief["id"], "department": None}},
    )
    group = scim.create_group(displayName="All", members=[{"value": user["id"]}])
    return scim.read(f"/Users/{user['id']}"), scim.read(f"/Groups/{group['id']}")


@pytest.mark.parametrize(
    "probe",
    [
        "/Users?filter=userName+eq+%2207f3%22",
        "/Groups?excludedAttributes=members&filter=displayName+eq+%2207f3%22",
    ],
)
def test_empty_search_is_200_and_scim(scim, probe):
    answer = scim.get(probe)
    assert (answer.status, answer.body["totalResults"]) == (200, 0)
    assert answer.headers["Content-Type"].startswith("application/scim+json")


def test_filter_answers_a_list_response_even_for_one_match(scim, full):
    user, _ = full
    for path, filter in (
        ("/Users", f'id eq "{user["id"]}"'),
        ("/Users", 'userName eq "full@contoso.example"'),
        ("/Groups", 'displayName eq "all"'),
    ):
        body = scim.query(path, filter=filter).body
        assert body["schemas"] == [LIST]
        assert body["totalResults"] == len(body["Resources"]) == 1


def test_missing_or_changed_id(scim, full):
    user, _ = full
    path = f"/Users/{user['id']}"
    answers = [
        scim.patch_op(path, {"op": "Replace", "path": "userName", "value": "new@contoso.example"}).body,
        scim.put(path, {"schemas": [USER], "id": "other", "userName": "put@contoso.example"}).body,
        scim.read(path),
        scim.read(f"{path}?attributes=userName"),
        scim.read(f"{path}?excludedAttributes=id"),
        scim.query("/Users", filter='userName eq "put@contoso.example"').body["Resources"][0],
    ]
    assert {answer["id"] for answer in answers} == {user["id"]}


def test_id_cannot_be_patched(scim, full):
    user, _ = full
    answer = scim.patch_op(f"/Users/{user['id']}", {"op": "Replace", "path": "id", "value": "other"})
    assert (answer.status, answer.body["scimType"]) == (400, "mutability")


@pytest.mark.parametrize("filter", ['shoeSize eq "44"', 'urn:example:2.0:User:shoeSize eq "44"', 'name.shoe eq "44"'])
def test_unknown_filter_never_returns_all(scim, full, filter):
    answer = scim.query("/Users", filter=filter)
    assert answer.status == 400 or answer.body["totalResults"] == 0


@pytest.mark.parametrize("filter", ['userName like "x"', "userName", 'userName eq "x" extra', "(((", "userName eq"])
def test_broken_filter_is_400(scim, full, filter):
    answer = scim.query("/Users", filter=filter)
    assert (answer.status, answer.body["scimType"]) == (400, "invalidFilter")


def test_members_despite_exclusion(scim, full):
    _, group = full
    path = f"/Groups/{group['id']}?excludedAttributes=members"
    assert "members" not in scim.read(path)
    answers = [
        scim.put(path, {"schemas": [GROUP], "displayName": "All", "members": group["members"]}),
        scim.post("/Groups?excludedAttributes=members", {"displayName": "B", "members": group["members"]}),
    ]
    assert [answer.status for answer in answers] == [200, 201]
    assert all("members" not in answer.body for answer in answers)


def test_manager_is_an_object_and_scalars_are_scalars(scim, full):
    user, group = full
    path = f"/Users/{user['id']}"
    shown = [
        user,
        scim.patch_op(path).body,
        *scim.query("/Users", filter='userName sw "full"').body["Resources"],
    ]
    for each in shown:
        assert each[ENT]["manager"]["value"] == scim.found("/Users", 'userName eq "chief@contoso.example"')[0]
        assert isinstance(each["emails"][0]["value"], str)
    assert isinstance(group["members"][0]["value"], str)


def test_native_types(scim, full):
    user, _ = full
    listing = scim.get("/Users").body
    assert user["active"] is True
    assert user["emails"][0]["primary"] is True
    for name in ("totalResults", "startIndex", "itemsPerPage"):
        assert type(listing[name]) is int


def test_no_nulls_and_no_empty_values_anywhere(scim, full):
    paths = ["/Users", "/Groups", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig"]
    for path in paths:
        body = scim.read(path)
        assert None not in list(walk(body))
        resources = body.get("Resources", []) if path in {"/Users", "/Groups"} else []
        assert not [value for value in walk(resources) if value in ("", {})]
        assert not [value for resource in resources for value in walk(resource) if value == []]
    assert scim.read("/Schemas")["schemas"] == [LIST]


def test_structural_keys_are_spelt_as_the_rfc_does(scim, full):
    user, group = full
    assert set(scim.get("/Users").body) == {
        "schemas",
        "totalResults",
        "startIndex",
        "itemsPerPage",
        "Resources",
    }
    assert {"schemas", "id", "externalId", "userName", "meta"} <= set(user)
    assert {"schemas", "id", "displayName", "members", "meta"} <= set(group)
    assert set(user["meta"]) == {"resourceType", "created", "lastModified", "location", "version"}


@pytest.mark.parametrize(
    "operation",
    [{"op": "Replace", "path": "active", "value": "False"}, {"op": "replace", "value": {"active": False}}],
)
def test_active_is_there_on_a_disabled_hit(scim, full, operation):
    user, _ = full
    assert scim.patch_op(f"/Users/{user['id']}", operation).body["active"] is False
    (hit,) = scim.query("/Users", filter='userName eq "full@contoso.example"').body["Resources"]
    assert hit["active"] is False


def test_values_are_echoed_as_sent(scim, full):
    user, _ = full
    assert user["userName"] == "Full@contoso.example"
    assert user["externalId"] == "Ab-1"
    assert user["emails"][0]["value"] == "Fay@Contoso.Example"
    assert user["phoneNumbers"] == [{"type": "work", "value": " +47 (555) 01-99 "}]
    values = {
        "displayName": "e\u0301 \u00e9 \u212b",
        "title": " padded ",
        "timezone": "utc+1",
        "locale": "NB_no",
    }
    changed = scim.patch_op(f"/Users/{user['id']}", {"op": "replace", "value": values}).body
    assert {name: changed[name] for name in values} == values


def test_patch_is_there_and_said_to_be(scim, full):
    user, group = full
    operation = {"op": "Replace", "path": "displayName", "value": "Other"}
    assert scim.read("/ServiceProviderConfig")["patch"] == {"supported": True}
    assert scim.patch_op(f"/Users/{user['id']}", operation).status == 200
    assert scim.patch_op(f"/Groups/{group['id']}", operation).status == 204


def test_patch_200_has_the_whole_resource_and_204_no_body(scim, full):
    user, group = full
    changed = scim.patch_op(f"/Users/{user['id']}", {"op": "Add", "path": "nickName", "value": "F"})
    assert changed.status == 200
    assert changed.body == scim.read(f"/Users/{user['id']}")
    described = scim.patch_op(f"/Groups/{group['id']}", {"op": "Add", "path": "description", "value": "F"})
    assert (described.status, described.text) == (204, "")


@pytest.mark.parametrize("start", [1, 2, 3, 99])
@pytest.mark.parametrize("path", ["/Users", "/Groups"])
def test_start_index_is_echoed(scim, full, path, start):
    assert scim.get(f"{path}?startIndex={start}&count=1").body["startIndex"] == start


def test_content_type(scim, full):
    user, _ = full
    for path in ("/Users", f"/Users/{user['id']}", "/Users/none", "/Schemas", "/ServiceProviderConfig"):
        media_type, *parameters = scim.get(path).headers["Content-Type"].split(";")
        assert media_type == "application/scim+json"
        assert [parameter.strip().lower() for parameter in parameters] in ([], ["charset=utf-8"])


def test_what_is_merely_tolerated_is_not_needed(scim):
    created = scim.post("/Users", {"schemas": [USER, ENT], "userName": "gia@contoso.example", ENT: {}})
    assert created.status == 201
    assert created.headers["Location"] == created.body["meta"]["location"]
    assert ENT not in created.body
    assert created.body["schemas"] == [USER]
