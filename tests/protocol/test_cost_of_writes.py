"""What a write costs grows with its size, whatever is in it: counted in calls, at one size and at twice that size."""

import sys

import pytest

from tests.support.patches import add, any_of, emails, listed, names, remove, types
from tests.support.urns import ENT, USER

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
TWICE = 2.3  # what n log n and a constant may make of twice the size


def calls(act):
    """Return how many functions are called meanwhile, those in C included."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


PATCHES = {
    "elements that are there": lambda n: (emails(n), [add(*emails(3))] * n),
    "elements of one value that are there": lambda n: (types(n), [add(*types(n)[-3:])] * n),
    "elements without a value": lambda n: ([{"display": str(m)} for m in range(n)], [add({"display": "1"})] * n),
    "new elements": lambda n: ([], [add(one) for one in emails(n)]),
    "primary elements": lambda n: (emails(n), [add(one | {"primary": True}) for one in emails(n)]),
    "removed by value": lambda n: (emails(n), [remove(f'emails[value eq "{name}"]') for name in names(n)]),
    "removed by value and type": lambda n: (
        emails(n),
        [remove(f'emails[type eq "work" and value eq "{name}"]') for name in names(n)],
    ),
    "removed by many values": lambda n: (
        emails(n),
        [remove(any_of(f'value eq "{name}"' for name in names(n)))],
    ),
    "removed by listing": lambda n: (emails(n), [{"op": "remove", "path": "emails", "value": emails(n)}]),
    "removed and added": lambda n: (
        emails(n),
        [step for one in emails(n) for step in (remove(f'emails[value eq "{one["value"]}"]'), add(one))],
    ),
    "written by value": lambda n: (
        emails(n),
        [{"op": "replace", "path": f'emails[value eq "{name}"].display', "value": "d"} for name in names(n)],
    ),
    "replaced as a whole": lambda n: (emails(n), [{"op": "replace", "path": "emails", "value": emails(3)}] * n),
    "other attributes": lambda n: (emails(n), [{"op": "replace", "path": "title", "value": str(m)} for m in range(n)]),
}


@pytest.mark.parametrize("shape", PATCHES)
def test_operations_find_elements_without_looking_at_all(make_scim, shape):
    def cost(size):
        scim = make_scim()
        held, operations = PATCHES[shape](size)
        path = f"/Users/{scim.create_user(emails=held)['id']}"
        statuses = []
        count = calls(lambda: statuses.append(scim.patch_op(path, *operations).status))
        assert statuses == [200]
        return count

    assert cost(300) < TWICE * cost(150)


MEMBERS = {
    "added": lambda n: [add({"value": f"new {m}"}, path="members") for m in range(n)],
    "there": lambda n: [add(one, path="members") for one in listed(names(n))],
    "removed": lambda n: [remove(f'members[value eq "{name}"]') for name in names(n)],
    "removed by value and type": lambda n: [
        remove(f'members[value eq "{name}" and type eq "User"]') for name in names(n)
    ],
    "removed by listing": lambda n: [{"op": "remove", "path": "members", "value": listed(names(n))}],
    "replaced": lambda n: [{"op": "replace", "path": "members", "value": [one]} for one in listed(names(n))],
}


@pytest.mark.parametrize("shape", MEMBERS)
def test_members_are_found_without_looking_at_all(make_scim, shape):
    def cost(size):
        scim = make_scim()
        group = scim.create_group(members=[{"value": name, "type": "User"} for name in names(size)])
        statuses = []
        count = calls(lambda: statuses.append(scim.patch_op(f"/Groups/{group['id']}", *MEMBERS[shape](size)).status))
        assert statuses == [204]
        return count

    assert cost(300) < TWICE * cost(150)


def bulk_post(n, **data):
    return {"method": "POST", "path": "/Groups", "bulkId": f"g{n}", "data": {"displayName": f"g{n}", **data}}


def mentions(*ids):
    return {"members": [{"value": f"bulkId:g{n}"} for n in ids]}


def mentioning_path(n, count):
    listed = " or ".join(f'value eq "bulkId:g{m % n}"' for m in range(count))
    operation = {"op": "remove", "path": f"members[{listed}]"}
    return {"method": "PATCH", "path": "/Groups/bulkId:g0", "data": {"Operations": [operation]}}


BULKS = {
    "a circle": lambda n: [bulk_post(m, **mentions((m + 1) % n)) for m in range(n)],
    "all mention one": lambda n: [bulk_post(m, **mentions(0, 0, 0)) for m in range(n)],
    "one mentions all": lambda n: [bulk_post(m, **(mentions(*range(n)) if m == 0 else {})) for m in range(n)],
    "one often mentioned": lambda n: [bulk_post(0), bulk_post(1, **mentions(*[0] * n))],
    "one path": lambda n: [bulk_post(0), mentioning_path(1, n)],
    "a long chain of failures": lambda n: [
        *(bulk_post(m, **mentions(m + 1)) for m in range(n)),
        {"method": "POST", "path": "/Users", "bulkId": f"g{n}", "data": {}},
    ],
}


@pytest.mark.parametrize("shape", BULKS)
def test_bulk_resolves_ids_in_one_pass(make_scim, shape):
    def cost(size):
        scim = make_scim()
        body = {"schemas": [BULK], "Operations": BULKS[shape](size)}
        statuses = []
        count = calls(lambda: statuses.append(scim.post("/Bulk", body).status))
        assert statuses == [200]
        return count

    assert cost(240) < TWICE * cost(120)


def test_bulk_takes_as_many_mentions_as_a_body_has_room_for(scim):
    path = '"bulkId:g0" ' * 130_000
    data = {"Operations": [{"op": "add", "path": path, "value": "x"}]}
    operations = [bulk_post(0), {"method": "PATCH", "path": "/Groups/x", "data": data}]
    answer = scim.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    assert [one["status"] for one in answer.body["Operations"]] == ["201", "400"]


def test_bulk_does_not_take_one_id_for_the_beginning_of_another(scim):
    members = [{"value": one} for one in ("bulkId:u", "bulkId:u1", "kept")]
    paths = 'members[value eq "bulkId:u" or value eq "bulkId:u1"]'
    operations = [
        *({"method": "POST", "path": "/Users", "bulkId": id, "data": {"userName": id}} for id in ("u", "u1")),
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "g", "members": members}},
        {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [remove(paths)]}},
    ]
    answer = scim.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    assert [one["status"] for one in answer.body["Operations"]] == ["201", "201", "201", "204"]
    [group] = scim.query("/Groups").body["Resources"]
    assert [one["value"] for one in group["members"]] == ["kept"]


BODIES = {
    "unknown names": lambda n: {f"unknown {m}": m for m in range(n)},
    "unknown names in elements": lambda n: {"emails": [{"value": "a", **{f"unknown {m}": m for m in range(n)}}]},
    "elements": lambda n: {"emails": emails(n)},
    "wrong elements": lambda n: {"emails": [{"value": 5}] * n},
    "nested elements": lambda n: {"emails": [[[]]] * n},
    "schemas": lambda n: {"schemas": [USER] * n},
    "escapes": lambda n: {"title": "\u0001" * n},
    "combining characters": lambda n: {"title": "\u0300\u0327" * n},
    "long names": lambda n: {"\u0300\u0327" * n: 1, f"{ENT}:{'x' * n}": 1, "x." * n: 1},
}


@pytest.mark.parametrize("shape", BODIES)
def test_a_resource_is_read_in_one_pass(make_scim, shape):
    def cost(size):
        scim = make_scim()
        body = {"userName": "ann", **BODIES[shape](size)}
        return calls(lambda: scim.post("/Users", body))

    assert cost(800) < TWICE * cost(400)


def test_runs_of_combining_characters_are_not_sorted(scim):
    run = "\u0300\u0327" * 60_000  # to sort them would take a minute
    assert scim.post("/Users", {"userName": "ann", run: 1, "active": run}).status == 400
    user = scim.create_user(userName="a" + run[:4_000])
    assert scim.found("/Users", f'userName eq "A{run[:4_000]}"') == [user["id"]]
