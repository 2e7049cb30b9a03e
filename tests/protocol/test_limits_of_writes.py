"""A write that would take too many steps is refused before the lock, and what clients really send is not."""

import pytest

from storage.memory import MemoryStore
from tests.support.patches import add, any_of, emails, listed, remove

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


class Watched(MemoryStore):
    """A store that counts how often its write lock is taken."""

    writes = 0

    def writing(self):
        self.writes += 1
        return super().writing()


@pytest.fixture
def store():
    return Watched()


@pytest.fixture
def bounded(make_scim, store):
    return make_scim(store=store, limits={"max_patch_steps": 2_000})


TOO_MUCH = {
    "a filter": [remove('emails[display co "x"].type')] * 60,
    "many terms": [remove(any_of(['display eq "x"'] * 60))],
    "a part of every element": [{"op": "replace", "path": "emails.display", "value": "x"}] * 60,
    "one term that names no value": [remove('emails[value eq "a" or display eq "x"]')] * 60,
}


@pytest.mark.parametrize("shape", TOO_MUCH)
def test_too_many_steps_are_refused_before_the_lock(bounded, store, shape):
    user = bounded.create_user(emails=emails(50))
    before = store.writes
    answer = bounded.patch_op(f"/Users/{user['id']}", *TOO_MUCH[shape])
    assert (answer.status, answer.body["scimType"]) == (400, "tooMany")
    assert "fewer operations" in answer.body["detail"]
    assert store.writes == before
    assert bounded.read(f"/Users/{user['id']}") == user


def test_steps_on_members_are_refused_before_the_lock(bounded, store):
    group = bounded.create_group(members=[{"value": f"{n}"} for n in range(100)])
    before = store.writes
    path = f"/Groups/{group['id']}"
    assert bounded.patch_op(path, *[remove('members[display co "x"]')] * 5).body["scimType"] == "tooMany"
    assert store.writes == before
    assert bounded.patch_op(path, *[remove('members[display co "x"]')] * 3).status == 204


def test_elements_that_operations_add_are_counted_as_they_come(bounded):
    user = bounded.create_user()
    operations = [add(*emails(50)), *[remove('emails[display co "x"].type')] * 60]
    assert bounded.patch_op(f"/Users/{user['id']}", *operations).body["scimType"] == "tooMany"
    assert bounded.read(f"/Users/{user['id']}") == user


def test_long_texts_are_counted(bounded):
    user = bounded.create_user(emails=[{"value": f"{n}", "display": "é" * 9_000} for n in range(10)])
    answer = bounded.patch_op(f"/Users/{user['id']}", remove('emails[display co "x"]'))
    assert answer.body["scimType"] == "tooMany"


def test_the_operations_of_a_bulk_request_share_the_steps(bounded):
    user = bounded.create_user(emails=emails(50))
    data = {"Operations": [remove('emails[display co "x"].type')] * 15}
    operations = [{"method": "PATCH", "path": f"/Users/{user['id']}", "data": data}] * 5
    answer = bounded.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    assert [one["status"] for one in answer.body["Operations"]] == ["200", "200", "400", "400", "400"]


@pytest.mark.parametrize("size", [20_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_what_entra_and_others_send_about_large_groups_is_within_the_limits(make_scim, size):
    scim = make_scim(server={"max_body_bytes": 5_000_000})
    group = scim.create_group(members=[{"value": f"m{n}"} for n in range(size)])
    path = f"/Groups/{group['id']}"
    numbers = range(1_000)
    assert scim.patch_op(path, add(*({"value": f"new{n}"} for n in numbers), path="members")).status == 204
    assert scim.patch_op(path, *(add({"value": f"one{n}"}, path="members") for n in numbers)).status == 204
    assert scim.patch_op(path, *(remove(f'members[value eq "one{n}"]') for n in numbers)).status == 204
    gone = {"op": "Remove", "path": "members", "value": listed(f"new{n}" for n in numbers)}
    assert scim.patch_op(path, gone).status == 204
    assert scim.found("/Groups", f'members.value eq "m{size - 1}"') == [group["id"]]
    assert scim.found("/Groups", 'members.value eq "new0" or members.value eq "one999"') == []


@pytest.mark.parametrize("name", ["path", "Path"])
def test_long_paths_are_refused_before_one_is_read(scim, name):
    user = scim.create_user()
    filter = " or ".join(f'type eq "{n}"' for n in range(900))
    operations = [{"op": "remove", name: f"emails[{filter}]"} for _ in range(30)]
    answer = scim.patch_op(f"/Users/{user['id']}", *operations)
    assert (answer.status, answer.body["scimType"]) == (400, "tooMany")
    assert "Send fewer operations" in answer.body["detail"]
    data = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations[:15]}
    parts = [{"method": "PATCH", "path": f"/Users/{user['id']}", "data": data}] * 2
    answer = scim.post("/Bulk", {"schemas": [BULK], "Operations": parts})
    assert (answer.status, answer.body["scimType"]) == (400, "tooMany")
