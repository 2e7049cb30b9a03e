"""Concurrent writes, against gunicorn."""

from concurrent.futures import ThreadPoolExecutor

from tests.support.urns import ENT, USER


def at_once(action, arguments):
    with ThreadPoolExecutor(8) as pool:
        return sorted(pool.map(action, arguments))


def test_only_one_of_many_users_gets_a_name(live):
    def create(n):
        name = "Race@contoso.example".swapcase() if n % 2 else "Race@contoso.example"
        return live.post("/Users", {"schemas": [USER], "userName": name}).status

    assert at_once(create, range(16)) == [201] + [409] * 15
    assert len(live.found("/Users", 'userName eq "race@contoso.example"')) == 1


def test_only_one_of_many_writes_replaces_a_version(live):
    user = live.create_user(userName="versions@contoso.example")
    headers = {"If-Match": user["meta"]["version"]}

    def patch(n):
        operation = {"op": "replace", "path": "title", "value": f"Title {n}"}
        return live.patch_op(f"/Users/{user['id']}", operation, headers=headers).status

    assert at_once(patch, range(16)) == [200] + [412] * 15


def test_concurrent_changes_to_different_attributes_are_all_kept(live):
    user = live.create_user(userName="merge@contoso.example")
    names = ["title", "nickName", "displayName", "userType", "name.givenName", "name.familyName"]
    names += [f"{ENT}:department", f"{ENT}:division"]

    def patch(name):
        return live.patch_op(f"/Users/{user['id']}", {"op": "Add", "path": name, "value": name}).status

    assert at_once(patch, names) == [200] * 8
    found = live.read(f"/Users/{user['id']}")
    assert [found[name] for name in names[:4]] == names[:4]
    assert found["name"] == {"givenName": "name.givenName", "familyName": "name.familyName"}
    assert found[ENT] == {"department": f"{ENT}:department", "division": f"{ENT}:division"}


def test_members_join_and_leave_concurrently(live):
    users = [live.create_user(userName=f"shift{n}@contoso.example")["id"] for n in range(16)]
    group = live.create_group(displayName="Shift", members=[{"value": id} for id in users[:8]])

    def change(n):
        operation = {"op": "Add", "path": "members", "value": [{"value": users[n]}]}
        if n < 8:
            operation = {"op": "Remove", "path": f'members[value eq "{users[n]}"]'}
        return live.patch_op(f"/Groups/{group['id']}", operation).status

    assert at_once(change, range(16)) == [204] * 16
    left = live.read(f"/Groups/{group['id']}")["members"]
    assert sorted(member["value"] for member in left) == sorted(users[8:])


def test_a_user_is_deleted_once_and_removed_from_its_group(live):
    user = live.create_user(userName="gone@contoso.example")
    group = live.create_group(displayName="Leavers", members=[{"value": user["id"]}])
    assert at_once(lambda _: live.delete(f"/Users/{user['id']}").status, range(8)) == [204] + [404] * 7
    assert live.read(f"/Groups/{group['id']}")["members"] == []
