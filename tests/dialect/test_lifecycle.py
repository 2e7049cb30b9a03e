"""How objects come, go and come back."""

import pytest

from tests.support.urns import ENT

OFF = [{"op": "Replace", "path": "active", "value": "False"}, {"op": "replace", "value": {"active": False}}]
ON = [{"op": "Replace", "path": "active", "value": "True"}, {"op": "replace", "value": {"active": True}}]


@pytest.mark.parametrize(("off", "on"), list(zip(OFF, ON, strict=True)))
def test_disabled_users_keep_their_memberships(scim, off, on):
    user = scim.create_user(userName="mo@contoso.example", active=True)
    group = scim.create_group(members=[{"value": user["id"]}])
    path = f"/Users/{user['id']}"
    for operation, active in ((off, False), (on, True)):
        assert scim.patch_op(path, operation).status == 200
        assert scim.read(path)["active"] is active
        assert scim.found("/Users", 'userName eq "mo@contoso.example"') == [user["id"]]
        assert [one["value"] for one in scim.read(f"/Groups/{group['id']}")["members"]] == [user["id"]]
        assert [one["value"] for one in scim.read(path)["groups"]] == [group["id"]]


@pytest.mark.parametrize("kind", ["Users", "Groups"])
def test_hard_delete_once_and_twice(scim, kind):
    created = scim.create_user() if kind == "Users" else scim.create_group()
    path = f"/{kind}/{created['id']}"
    gone = scim.delete(path)
    assert (gone.status, gone.text) == (204, "")
    assert scim.delete(path).status == 404
    assert scim.get(path).status == 404
    assert scim.get(f"/{kind}").body["totalResults"] == 0


def test_deleted_user_leaves_groups_and_is_nobodys_manager(scim):
    chief, other = scim.create_user(), scim.create_user()
    user = scim.create_user(**{ENT: {"manager": {"value": chief["id"]}}})
    group = scim.create_group(members=[{"value": chief["id"]}, {"value": other["id"]}])
    scim.delete(f"/Users/{chief['id']}")
    assert [one["value"] for one in scim.read(f"/Groups/{group['id']}")["members"]] == [other["id"]]
    manager = scim.read(f"/Users/{user['id']}").get(ENT, {}).get("manager", {})
    assert "$ref" not in manager
    assert "displayName" not in manager


def test_name_of_a_deleted_user_is_free(scim):
    first = scim.create_user(userName="nan@contoso.example")
    scim.delete(f"/Users/{first['id']}")
    assert scim.create_user(userName="nan@contoso.example")["id"] != first["id"]


def test_target_that_is_gone_is_404_for_a_cached_link(scim):
    user, group = scim.create_user(), scim.create_group()
    scim.delete(f"/Users/{user['id']}")
    scim.delete(f"/Groups/{group['id']}")
    for path in (f"/Users/{user['id']}", f"/Groups/{group['id']}"):
        assert scim.get(path).status == 404
        assert scim.patch_op(path, {"op": "Replace", "path": "externalId", "value": "x"}).status == 404
        assert scim.patch_op(path).status == 404


@pytest.mark.parametrize("kind", ["Users", "Groups"])
def test_account_discovery_pages_to_exhaustion(scim, kind):
    create = scim.create_user if kind == "Users" else scim.create_group
    created = [create()["id"] for _ in range(13)]
    seen = []
    for start, size in ((1, 5), (6, 5), (11, 3), (16, 0)):
        page = scim.get(f"/{kind}?startIndex={start}&count=5").body
        assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (13, start, size)
        assert len(page["Resources"]) == size
        seen += [resource["id"] for resource in page["Resources"]]
    assert seen == created


def test_discovery_of_a_single_account(scim):
    users = [scim.create_user() for _ in range(2)]
    page = scim.get("/Users?startIndex=1&count=1").body
    assert page["Resources"] == users[:1]
    assert (page["totalResults"], page["itemsPerPage"]) == (2, 1)
