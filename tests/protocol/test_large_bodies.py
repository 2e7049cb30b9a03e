"""Large groups fit into a request, and what a body takes of memory is limited."""

import tracemalloc
from uuid import uuid4

import pytest

from scim.errors import TooLarge
from scim.protocol.json_body import MAX_VALUES, parse_json
from tests.support.urns import GROUP, PATCH_OP

PEAK = 100_000_000


def member(number):
    id = str(uuid4())
    address = f"https://scim.contoso.example/api/scim/v2/Users/{id}"
    return {"value": id, "$ref": address, "display": f"Person Number {number}", "type": "User"}


def test_a_group_of_25_000_members_with_names_can_be_sent_as_a_whole(make_scim):
    scim = make_scim()
    path = f"/Groups/{scim.create_group()['id']}"
    body = {"schemas": [GROUP], "displayName": "All", "members": [member(number) for number in range(25_000)]}
    assert len(scim.put(path, body).body["members"]) == 25_000
    operation = {"op": "replace", "value": {"members": body["members"]}}
    assert scim.patch_op(path, operation).status == 204


@pytest.mark.parametrize("value", ["{}", "1.5", '{"ab":"cd"}'])
def test_many_small_values_are_refused_before_they_take_memory(value):
    each = 2 if value[0] in "{[" else 1
    for count, refused in ((MAX_VALUES // each - 2, False), (4_000_000 // len(value), True)):
        raw = f'{{"x":[{",".join([value] * count)}]}}'.encode()
        tracemalloc.start()
        try:
            parse_json(raw)
        except TooLarge:
            assert refused
        else:
            assert not refused
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < (2 * len(raw) if refused else PEAK)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/Users"), ("PATCH", "/Users/x"), ("POST", "/Bulk"), ("POST", "/.search")]
)
def test_too_many_values_are_413(scim, method, path):
    answer = scim.request(method, path, {"schemas": [PATCH_OP], "Operations": [0] * (MAX_VALUES + 1)})
    assert answer.status == 413
    assert str(MAX_VALUES) in answer.body["detail"]
