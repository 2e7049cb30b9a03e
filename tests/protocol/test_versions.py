"""ETags, If-Match, If-None-Match and Prefer (RFC 7644 section 3.14, RFC 9110, RFC 7240)."""

import pytest

from tests.support.urns import USER

TITLE = {"op": "add", "path": "title", "value": "Cook"}


@pytest.fixture
def user(scim):
    return scim.create_user(userName="quy@contoso.example")


@pytest.fixture
def path(user):
    return f"/Users/{user['id']}"


def test_version_is_the_etag_everywhere(scim, user, path):
    version = user["meta"]["version"]
    assert version.removeprefix("W/").strip('"')
    assert scim.get(path).headers["ETag"] == version
    assert scim.get(f"{path}?attributes=userName").headers["ETag"] == version
    assert scim.get("/Users").body["Resources"][0]["meta"]["version"] == version
    created = scim.post("/Users", {"schemas": [USER], "userName": "r"})
    assert created.headers["ETag"] == created.body["meta"]["version"]
    changed = scim.patch_op(path, TITLE)
    assert changed.headers["ETag"] == changed.body["meta"]["version"] != version


def test_a_group_patch_without_body_returns_the_new_version(scim):
    group = scim.create_group()
    answer = scim.patch_op(f"/Groups/{group['id']}", {"op": "add", "path": "description", "value": "x"})
    assert answer.status == 204
    assert answer.headers["ETag"] == scim.read(f"/Groups/{group['id']}")["meta"]["version"]
    assert answer.headers["ETag"] != group["meta"]["version"]


def test_if_none_match_of_the_version_is_304_without_body(scim, user, path):
    version = user["meta"]["version"]
    for condition in (version, f'"other", {version}', "*"):
        answer = scim.get(path, {"If-None-Match": condition})
        assert (answer.status, answer.text) == (304, "")
        assert not {"Content-Type", "Content-Length"} & set(answer.headers.keys())
        assert answer.headers["ETag"] == version


def test_if_none_match_of_another_version_is_200(scim, user, path):
    assert scim.get(path, {"If-None-Match": 'W/"other"'}).status == 200
    scim.patch_op(path, TITLE)
    assert scim.get(path, {"If-None-Match": user["meta"]["version"]}).status == 200


def writes(scim, path, headers):
    yield scim.put(path, {"schemas": [USER], "userName": "quy@contoso.example", "title": "Cook"}, headers)
    yield scim.patch_op(path, TITLE, headers=headers)
    yield scim.delete(path, headers)


@pytest.mark.parametrize("condition", ['W/"other"', '"other"', '"a", W/"b"'])
def test_if_match_of_another_version_is_412(scim, user, path, condition):
    assert [answer.status for answer in writes(scim, path, {"If-Match": condition})] == [412] * 3
    assert scim.read(path) == user


def test_if_match_of_an_old_version_is_412(scim, user, path):
    scim.patch_op(path, {"op": "add", "path": "title", "value": "Mate"})
    headers = {"If-Match": user["meta"]["version"]}
    assert [answer.status for answer in writes(scim, path, headers)] == [412] * 3


def test_if_match_of_the_current_version_allows_the_write(scim, user, path):
    put = scim.put(path, {"schemas": [USER], "userName": "s"}, {"If-Match": user["meta"]["version"]})
    assert put.status == 200
    patched = scim.patch_op(path, TITLE, headers={"If-Match": f'"other", {put.headers["ETag"]}'})
    assert patched.status == 200
    assert scim.delete(path, {"If-Match": patched.headers["ETag"]}).status == 204


def test_if_match_of_any_version_allows_the_write(scim, path):
    assert [answer.status for answer in writes(scim, path, {"If-Match": "*"})] == [200, 200, 204]


def test_if_none_match_of_any_version_forbids_writes(scim, user, path):
    assert [answer.status for answer in writes(scim, path, {"If-None-Match": "*"})] == [412] * 3
    assert scim.read(path) == user


def test_if_match_protects_the_members_of_a_group(scim):
    group = scim.create_group()
    path, headers = f"/Groups/{group['id']}", {"If-Match": group["meta"]["version"]}
    first = {"op": "add", "path": "members", "value": [{"value": "one"}]}
    second = {"op": "add", "path": "members", "value": [{"value": "two"}]}
    assert scim.patch_op(path, first, headers=headers).status == 204
    assert scim.patch_op(path, second, headers=headers).status == 412
    assert [member["value"] for member in scim.read(path)["members"]] == ["one"]


def test_prefer_minimal_omits_the_body(scim, path):
    headers = {"Prefer": "return=minimal"}
    created = scim.post("/Users", {"schemas": [USER], "userName": "t"}, headers)
    assert (created.status, created.text) == (201, "")
    assert scim.get(created.headers["Location"].partition(scim.base_path)[2]).status == 200
    put = scim.put(path, {"schemas": [USER], "userName": "u"}, headers)
    patched = scim.patch_op(path, TITLE, headers=headers)
    for answer in (put, patched):
        assert (answer.status, answer.text) == (204, "")
    assert patched.headers["ETag"] == scim.read(path)["meta"]["version"]


def test_prefer_representation_returns_the_body(scim, path):
    headers = {"Prefer": "respond-async, return=representation"}
    assert scim.patch_op(path, TITLE, headers=headers).status == 200
    group = scim.create_group()
    answer = scim.patch_op(f"/Groups/{group['id']}", headers=headers)
    assert answer.status == 200
    assert answer.body == group


def test_prefer_does_not_change_errors(scim, user):
    answer = scim.post("/Users", {"userName": user["userName"]}, {"Prefer": "return=minimal"})
    assert answer.status == 409
    assert answer.body["scimType"] == "uniqueness"
