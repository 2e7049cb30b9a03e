"""PUT (RFC 7644 section 3.5.1)."""

import pytest

from tests.support.urns import ENT, GROUP, USER


@pytest.fixture
def user(scim):
    return scim.create_user(
        userName="ola@contoso.example", title="Cook", name={"givenName": "Ola"}, **{ENT: {"division": "Sea"}}
    )


def test_put_replaces_and_clears_what_is_left_out(scim, user):
    answer = scim.put(f"/Users/{user['id']}", {"schemas": [USER], "userName": "new@contoso.example"})
    assert answer.status == 200
    assert set(answer.body) - {"active"} == {"schemas", "id", "userName", "meta"}
    assert answer.body["userName"] == "new@contoso.example"
    assert answer.headers["ETag"] == answer.body["meta"]["version"] != user["meta"]["version"]
    assert scim.read(f"/Users/{user['id']}") == answer.body


def test_put_of_what_was_read_keeps_all_of_it(scim, user):
    scim.create_group(members=[{"value": user["id"]}])
    read = scim.read(f"/Users/{user['id']}")
    written = scim.put(f"/Users/{user['id']}", read).body
    for one in (read, written):
        one.pop("meta")
    assert written == read


def test_put_ignores_read_only_attributes(scim, user):
    body = {**user, "id": "x", "meta": {"created": "1999-01-01T00:00:00Z"}, "groups": [{"value": "admins"}]}
    answer = scim.put(f"/Users/{user['id']}", body)
    assert answer.status == 200
    assert answer.body["id"] == user["id"]
    assert answer.body["meta"]["created"] == user["meta"]["created"]
    assert "groups" not in answer.body


@pytest.mark.parametrize("nothing", [None, "", []])
def test_put_clears_with_null_and_empty_values(scim, user, nothing):
    name = "emails" if nothing == [] else "title"
    answer = scim.put(f"/Users/{user['id']}", {**user, name: nothing})
    assert answer.status == 200
    assert name not in answer.body


@pytest.mark.parametrize("body", [{"schemas": [USER]}, {"schemas": [USER], "userName": ""}, {"userName": None}])
def test_put_needs_what_is_required(scim, user, body):
    answer = scim.put(f"/Users/{user['id']}", body)
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")
    assert scim.read(f"/Users/{user['id']}") == user


def test_put_of_a_taken_name_is_409(scim, user):
    scim.create_user(userName="pal@contoso.example")
    answer = scim.put(f"/Users/{user['id']}", {**user, "userName": "PAL@contoso.example"})
    assert (answer.status, answer.body["scimType"]) == (409, "uniqueness")
    assert scim.read(f"/Users/{user['id']}") == user


def test_put_creates_nothing(scim):
    assert scim.put("/Users/new", {"schemas": [USER], "userName": "new"}).status == 404
    assert scim.get("/Users").body["totalResults"] == 0


def test_put_of_a_group_replaces_its_members(scim):
    users = [scim.create_user()["id"] for _ in range(3)]
    group = scim.create_group(displayName="Crew", members=[{"value": id} for id in users[:2]])
    body = {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": id} for id in users[1:]]}
    answer = scim.put(f"/Groups/{group['id']}", body)
    assert answer.status == 200
    assert [member["value"] for member in answer.body["members"]] == users[1:]
    del body["members"]
    assert scim.put(f"/Groups/{group['id']}", body).body["members"] == []
