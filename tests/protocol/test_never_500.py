"""Whatever comes in, the schema's words or noise: no failure, a SCIM error body, and nothing half done.

The client checks of every refusal that it is an RFC 7644 error whose status is a string.
"""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.urns import ENT, USER
from tests.support.words import NAMES, PARAMETERS, SUBS, URNS

some = settings(max_examples=120, deadline=None)

noise = st.text(st.characters(), max_size=12) | st.text(string.printable, max_size=12)
names = st.one_of(
    st.sampled_from(NAMES),
    st.builds("{}.{}".format, st.sampled_from(NAMES), st.sampled_from(SUBS)),
    st.builds("{}:{}".format, st.sampled_from(URNS), st.sampled_from([*NAMES, "employeeNumber", "immutable_id"])),
    st.sampled_from(URNS),
)
escapes = st.sampled_from(["\\ud800", "\\u0000", "a\\udfffb", "\\u00e9", '\\"', "x"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    noise,
    st.sampled_from(["True", "False", "", "work", "2024-01-01T00:00:00Z", "bulkId:x", '{"value": "1"}', '{"']),
    st.builds('{{"value":"{}","displayName":"{}"}}'.format, escapes, escapes),
)


def nested(depth):
    """Lists within lists, up to more than is taken."""
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


keys = st.sampled_from([*NAMES, *SUBS, *URNS]) | names | noise
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
) | st.integers(1, 70).map(lambda depth: nested(depth))

literals = st.sampled_from(
    [
        '"a"',
        '"work"',
        "true",
        "null",
        "1",
        "-2.5e3",
        '"2024-01-01T00:00:00Z"',
        "bare",
        '"\\u00e9"',
        '"\\u0000"',
        '"\\ud800"',
        "1e5",
    ]
)
operators = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "like"])
tests = st.builds("{} {} {}".format, names, operators, literals) | st.builds("{} pr".format, names)
filters = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("({})".format, inner),
        st.builds("{}[{}]".format, names, inner),
        st.builds("{}[{}].{}".format, names, inner, st.sampled_from(SUBS)),
    ),
    max_leaves=5,
)
tokens = st.sampled_from([*NAMES, *"()[].,:\"'\\", "eq", "and", "or", "not", "pr", '"x"', "1", " ", USER, "\x00", "é"])
rubble = st.lists(tokens, max_size=12).map("".join) | st.lists(tokens, max_size=12).map(" ".join) | noise
any_filter = filters | rubble
paths = st.one_of(
    names,
    st.builds("{}[{}]".format, names, filters),
    st.builds("{}[{}].{}".format, names, filters, st.sampled_from(SUBS)),
    rubble,
)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "replace", "remove", "Add", "Replace", "Remove"]) | scalars},
    optional={"path": paths | values, "value": values | st.dictionaries(paths, values, max_size=3)},
)
resources = st.dictionaries(keys, values, max_size=5)


@pytest.fixture(scope="module")
def scim(make_scim):
    return make_scim()


@pytest.fixture(scope="module")
def user(scim):
    return scim.create_user(
        userName="zoe@contoso.example",
        active=True,
        name={"givenName": "Zoe"},
        emails=[{"type": "work", "value": "zoe@contoso.example", "primary": True}],
        roles=[{"value": "1"}, {"value": "2"}],
        **{ENT: {"manager": {"value": "boss"}, "department": "Dock"}},
    )


@pytest.fixture(scope="module")
def group(scim, user):
    return scim.create_group(displayName="Crew", members=[{"value": user["id"]}, {"value": "unknown"}])


def encodable(text):
    return text.encode("utf-8", "replace").decode()


@some
@given(any_filter)
def test_any_filter(scim, user, group, filter):
    for path in ("/Users", "/Groups"):
        assert scim.query(path, filter=encodable(filter)).status in {200, 400}
        assert scim.post(f"{path}/.search", {"filter": filter}).status in {200, 400}
    assert scim.post("/.search", {"filter": filter}).status in {200, 400}


@some
@given(st.lists(operations, max_size=3))
def test_any_user_patch(scim, user, operations):
    path = f"/Users/{user['id']}"
    before = scim.read(path)
    answer = scim.patch_op(path, *operations)
    assert answer.status in {200, 400}
    assert scim.read(path) == (answer.body if answer.status == 200 else before)


@some
@given(st.lists(operations, max_size=3))
def test_any_group_patch(scim, group, operations):
    path = f"/Groups/{group['id']}"
    before = scim.read(path)
    answer = scim.patch_op(path, *operations)
    assert answer.status in {204, 400}
    if answer.status == 400:
        assert scim.read(path) == before


@some
@given(paths, st.sampled_from(["add", "replace", "remove"]), values)
def test_any_path(scim, user, path, op, value):
    at = f"/Users/{user['id']}"
    before = scim.read(at)
    answer = scim.patch_op(at, {"op": op, "path": path, "value": value})
    assert answer.status in {200, 400}
    if answer.status == 400:
        assert scim.read(at) == before


@some
@given(resources, st.booleans())
def test_any_user(scim, user, resource, named):
    body = {**resource, "userName": "zoe-2"} if named else resource
    created = scim.post("/Users", body)
    assert created.status in {201, 400, 409}
    if created.status == 201:
        path = f"/Users/{created.body['id']}"
        assert scim.read(path) == created.body
        assert scim.put(path, created.body).status == 200
        assert scim.delete(path).status == 204


@some
@given(resources)
def test_any_put(scim, user, resource):
    path = f"/Users/{user['id']}"
    before = scim.read(path)
    answer = scim.put(path, {"userName": "zoe@contoso.example", **resource})
    assert answer.status in {200, 400}
    assert scim.read(path) == (answer.body if answer.status == 200 else before)


@some
@given(resources)
def test_any_group(scim, group, resource):
    created = scim.post("/Groups", {"displayName": "Other crew", **resource})
    assert created.status in {201, 400, 409}
    if created.status == 201:
        assert scim.read(f"/Groups/{created.body['id']}") == created.body
        assert scim.delete(f"/Groups/{created.body['id']}").status == 204


@some
@given(st.dictionaries(st.sampled_from(PARAMETERS), names | paths | scalars.map(str), max_size=4))
def test_any_query(scim, user, parameters):
    parameters = {name: encodable(value) for name, value in parameters.items()}
    assert scim.query("/Users", **parameters).status in {200, 400}
    assert scim.query(f"/Users/{user['id']}", **parameters).status in {200, 400}


@some
@given(st.dictionaries(st.sampled_from(PARAMETERS), names | values, max_size=4), st.sampled_from(["", "/Users"]))
def test_any_search(scim, user, parameters, path):
    assert scim.post(f"{path}/.search", parameters).status in {200, 400}


bulk_operations = st.fixed_dictionaries(
    {"method": st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]) | scalars},
    optional={
        "path": st.sampled_from(["/Users", "/Groups", "/Users/none", "/Users/bulkId:x", "/Schemas"]) | scalars,
        "bulkId": st.sampled_from(["x", "y"]) | scalars,
        "data": resources | values,
        "version": scalars,
    },
)


@some
@given(st.lists(bulk_operations | scalars, max_size=3) | values, st.integers(-1, 2) | values)
def test_any_bulk(scim, user, operations, fail_on_errors):
    answer = scim.post("/Bulk", {"Operations": operations, "failOnErrors": fail_on_errors})
    assert answer.status in {200, 400}
    if answer.status == 200:
        assert all(result["status"] < "500" for result in answer.body["Operations"])


@some
@given(st.binary(max_size=40) | noise.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_body(scim, user, data):
    path = f"/Users/{user['id']}"
    before = scim.read(path)
    for method, at in (
        ("POST", "/Users"),
        ("PUT", path),
        ("PATCH", path),
        ("POST", "/.search"),
        ("POST", "/Bulk"),
    ):
        assert scim.request(method, at, data=data).status in {200, 400}
    assert scim.read(path) == before


@some
@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_any_header(scim, user, text):
    text = "".join(character for character in text if character.isprintable())
    path = f"/Users/{user['id']}"
    for name in (
        "If-Match",
        "If-None-Match",
        "Prefer",
        "Accept",
        "Authorization",
        "Host",
        "client-request-id",
    ):
        assert scim.get(path, {name: text}).status < 500, name
    assert scim.request("POST", "/Users", data=b"{", headers={"Content-Type": text}).status in {400, 415}
