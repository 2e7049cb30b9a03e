"""How long values may be, and how much of a request its answer repeats."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config import ConfigError
from storage.memory import MemoryStore
from tests.support.urns import ENT, IDMELON, USER

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
CONTOSO = "urn:x:y:User"
TABLE = {
    "id": CONTOSO,
    "name": "Y",
    "extends": "User",
    "attributes": [
        {"name": "badge"},
        {"name": "code", "type": "binary"},
        {"name": "tags", "multiValued": True},
        {"name": "since", "type": "dateTime"},
        {"name": "count", "type": "integer"},
    ],
}
LIMITS = {"max_text_length": 1_000, "max_binary_length": 2_000}


@pytest.fixture
def limited(make_scim):
    return make_scim(limits=LIMITS, schemas=[TABLE])


def picture(length):
    return "data:image/png;base64,".ljust(length, "A")


VALUES = {
    "userName": (lambda text: {"userName": text}, 1_000),
    "externalId": (lambda text: {"externalId": text}, 1_000),
    "a part": (lambda text: {"name": {"givenName": text}}, 1_000),
    "an element's value": (lambda text: {"emails": [{"value": text}]}, 1_000),
    "an element's type": (lambda text: {"emails": [{"value": "a", "type": text}]}, 1_000),
    "a reference": (lambda text: {"profileUrl": text}, 1_000),
    "an extension": (lambda text: {ENT: {"department": text}}, 1_000),
    "a reference's id": (lambda text: {ENT: {"manager": {"value": text}}}, 1_000),
    "another extension": (lambda text: {IDMELON: {"immutable_id": text}}, 1_000),
    "a configured attribute": (lambda text: {CONTOSO: {"badge": text}}, 1_000),
    "an element of a configured attribute": (lambda text: {CONTOSO: {"tags": [text]}}, 1_000),
    "binary data": (lambda text: {CONTOSO: {"code": text}}, 2_000),
    "a certificate": (lambda text: {"x509Certificates": [{"value": text}]}, 2_000),
    "a photo": (lambda text: {"photos": [{"value": picture(len(text))}]}, 2_000),
}


@pytest.mark.parametrize("place", VALUES)
def test_a_value_may_be_as_long_as_the_limit_for_its_type(limited, place):
    body, limit = VALUES[place]
    user = {"schemas": [USER], "userName": "ann"}
    assert limited.post("/Users", {**user, **body("A" * limit)}).status == 201
    other = limited.create_user()
    path = f"/Users/{other['id']}"
    long = body("A" * (limit + 4))
    for answer in (
        limited.post("/Users", {**user, **long}),
        limited.put(path, {**user, **long}),
        limited.patch_op(path, {"op": "add", "value": long}),
    ):
        assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")
        assert f"at most {limit} characters" in answer.body["detail"]
        assert f"not {limit + 4}" in answer.body["detail"]
    assert limited.read(path) == other


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("userName", "x" * 1_001),
        ('emails[type eq "work"].value', "x" * 1_001),
        (f'emails[type eq "{"x" * 1_001}"].value', "a"),
        (f"{CONTOSO}:badge", "x" * 1_001),
        ("members", [{"value": "x" * 1_001}]),
    ],
)
def test_no_path_of_a_patch_leads_around_the_limit(limited, path, value):
    at = f"/Groups/{limited.create_group()['id']}" if path == "members" else f"/Users/{limited.create_user()['id']}"
    before = limited.read(at)
    answer = limited.patch_op(at, {"op": "add", "path": path, "value": value})
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")
    assert "at most 1000 characters (max_text_length), not 1001" in answer.body["detail"]
    assert limited.read(at) == before


def test_what_is_not_kept_may_be_of_any_length(limited):
    long = "x" * 5_000
    assert limited.post("/Users", {"userName": "ann", "password": long, "unknown": long, long: 1}).status == 201


def test_longer_values_that_are_stored_stay_and_can_be_patched_around(make_scim):
    store = MemoryStore()
    title, name = "t" * 5_000, "u" * 5_000
    user = make_scim(store=store).create_user(userName=name, title=title, emails=[{"value": "v" * 5_000}])
    scim, path = make_scim(store=store, limits=LIMITS), f"/Users/{user['id']}"
    assert scim.read(path) == user
    assert scim.found("/Users", f'userName eq "{name}"') == [user["id"]]
    operations = [
        {"op": "replace", "path": "active", "value": False},
        {"op": "add", "path": "emails", "value": [{"value": "new"}]},
    ]
    changed = scim.patch_op(path, *operations).body
    assert changed["title"] == title
    assert [one["value"] for one in changed["emails"]] == ["v" * 5_000, "new"]
    assert scim.put(path, changed).status == 400
    assert scim.patch_op(path, {"op": "remove", "path": "title"}).status == 200


def test_names_of_configured_attributes_are_short_enough_to_be_found(make_scim):
    name, urn = "n" * 100, "urn:x:".ljust(250, "u")
    table = {"id": urn, "name": "Y", "extends": "User"}
    parts = {"name": name, "type": "complex", "subAttributes": [{"name": name}]}
    scim = make_scim(schemas=[{**table, "attributes": [parts]}])
    user = scim.create_user(**{urn: {name: {name: "x"}}})
    assert scim.found("/Users", f'{urn}:{name}.{name} eq "x"') == [user["id"]]
    for wrong in ({"id": urn + "u", "attributes": [{"name": "a"}]}, {"attributes": [{"name": name + "n"}]}):
        with pytest.raises(ConfigError, match="at most"):
            make_scim(schemas=[{**table, **wrong}])


# Each request has a long text in another place.
REQUESTS = {
    "an id": lambda text: ("GET", f"/Users/{text}", None, {}),
    "an id to patch": lambda text: ("PATCH", f"/Users/{text}", {"Operations": []}, {}),
    "an address": lambda text: ("GET", f"/{text}", None, {}),
    "a schema": lambda text: ("GET", f"/Schemas/{text}", None, {}),
    "a resource type": lambda text: ("GET", f"/ResourceTypes/{text}", None, {}),
    "a method": lambda text: (text, "/Users", None, {}),
    "a filter's attribute": lambda text: ("POST", "/Users/.search", {"filter": f"{text} pr"}, {}),
    "a filter's part": lambda text: ("POST", "/Users/.search", {"filter": f"emails[{text} pr]"}, {}),
    "a filter's operator": lambda text: ("POST", "/Users/.search", {"filter": f"title {text} 5"}, {}),
    "a filter's value": lambda text: ("POST", "/Users/.search", {"filter": f"active eq {json.dumps(text)}"}, {}),
    "a filter's word": lambda text: ("POST", "/Users/.search", {"filter": f"meta.created eq {text}"}, {}),
    "a filter's time": lambda text: ("POST", "/Users/.search", {"filter": f"meta.created eq {json.dumps(text)}"}, {}),
    "a filter behind a bracket": lambda text: ("POST", "/Users/.search", {"filter": f"emails[type pr].{text} pr"}, {}),
    "sortBy": lambda text: ("POST", "/Users/.search", {"sortBy": text}, {}),
    "sortOrder": lambda text: ("POST", "/Users/.search", {"sortOrder": text}, {}),
    "count": lambda text: ("POST", "/Users/.search", {"count": text}, {}),
    "cursor": lambda text: ("POST", "/Users/.search", {"cursor": text}, {}),
    "attributes": lambda text: ("POST", "/Users/.search", {"attributes": [text], "excludedAttributes": [text]}, {}),
    "a unique value": lambda text: ("POST", "/Users", {"userName": text}, {}),
    "a unique name": lambda text: ("POST", "/Groups", {"displayName": text}, {}),
    "a name": lambda text: ("POST", "/Users", {text: 1}, {}),
    "a name in an extension": lambda text: ("POST", "/Users", {f"{ENT}:{text}": 1, ENT: {text: 1}}, {}),
    "a text": lambda text: ("POST", "/Users", {"userName": "a", "title": text * 50}, {}),
    "a boolean": lambda text: ("POST", "/Users", {"userName": "a", "active": text}, {}),
    "a time": lambda text: ("POST", "/Users", {"userName": "a", CONTOSO: {"since": text}}, {}),
    "a number": lambda text: ("POST", "/Users", {"userName": "a", CONTOSO: {"count": text}}, {}),
    "binary": lambda text: ("POST", "/Users", {"userName": "a", CONTOSO: {"code": text}}, {}),
    "a path": lambda text: ("PATCH", "/Users/{id}", patch(path=text), {}),
    "a path's part": lambda text: ("PATCH", "/Users/{id}", patch(path=f"emails[type pr].{text}"), {}),
    "a path's filter": lambda text: ("PATCH", "/Users/{id}", patch(path=f"emails[type eq {json.dumps(text)}]"), {}),
    "a path without value": lambda text: (
        "PATCH",
        "/Users/{id}",
        patch(path=f'emails[type eq "{text[:2] * 999}"]'),
        {},
    ),
    "an op": lambda text: ("PATCH", "/Users/{id}", patch(op=text, path="title"), {}),
    "a value": lambda text: ("PATCH", "/Users/{id}", patch(path="active", value=text), {}),
    "values without path": lambda text: ("PATCH", "/Users/{id}", patch(value={text: 1, f"emails[{text}]": 1}), {}),
    "schemas": lambda text: ("PATCH", "/Users/{id}", {"schemas": [text], "Operations": []}, {}),
    "a message's key": lambda text: ("PATCH", "/Users/{id}", {text: 1, text.upper(): 2}, {}),
    "no JSON": lambda text: ("POST", "/Users", text.encode(), {}),
    "a repeated name": lambda text: ("POST", "/Users", b"{%b:1,%b:1}" % ((json.dumps(text).encode(),) * 2), {}),
    "a constant": lambda text: ("POST", "/Users", b'{"a":%b}' % text.encode(), {}),
    "a large number": lambda text: ("POST", "/Users", b'{"a":1%b.0e999}' % (b"0" * len(text)), {}),
    "a media type": lambda text: ("POST", "/Users", {}, {"Content-Type": f"text/{text}"}),
    "If-Match": lambda text: ("PATCH", "/Users/{id}", {"Operations": []}, {"If-Match": text}),
    "If-None-Match": lambda text: ("GET", "/Users/{id}", None, {"If-None-Match": f'"{text}", {text}', "If-Match": "x"}),
    "Prefer": lambda text: ("POST", "/Users", {}, {"Prefer": text}),
    "client-request-id": lambda text: ("POST", "/Users", {}, {"client-request-id": text}),
    "a token": lambda text: ("GET", "/Users", None, {"Authorization": f"Bearer {text}"}),
    "Host": lambda text: ("GET", "/Users", None, {"Host": text}),
    "a bulk path": lambda text: ("POST", "/Bulk", bulk(path=f"/{text}"), {}),
    "a bulk id": lambda text: ("POST", "/Bulk", bulk(method="DELETE", path=f"/Users/{text}"), {}),
    "a bulk method": lambda text: ("POST", "/Bulk", bulk(method=text), {}),
    "a bulkId": lambda text: ("POST", "/Bulk", bulk(data={"userName": f"bulkId:{text}"}), {}),
    "a bulkId in a path": lambda text: ("POST", "/Bulk", bulk(method="DELETE", path=f"/Users/bulkId:{text}"), {}),
    "a bulk version": lambda text: ("POST", "/Bulk", bulk(method="DELETE", path="/Users/{id}", version=text), {}),
    "bulk data": lambda text: ("POST", "/Bulk", bulk(data={"userName": text, text: text, "active": text}), {}),
}


def patch(op="add", **operation):
    return {"Operations": [{"op": op, **operation}]}


def bulk(method="POST", path="/Users", **operation):
    return {"schemas": [BULK], "Operations": [{"method": method, "path": path, "bulkId": "u", **operation}]}


def details(body):
    """Yield the detail of an answer, and of each operation in it."""
    if body and "detail" in body:
        yield body["detail"]
    for operation in (body or {}).get("Operations", []):
        yield from details(operation.get("response"))


@pytest.fixture(scope="module")
def shared(make_scim):
    scim = make_scim(schemas=[TABLE])
    scim.user = scim.create_user(userName="kept", emails=[{"value": "a", "type": "work"}])
    return scim


header_safe = st.characters(min_codepoint=0x21, max_codepoint=0x7E)


@pytest.mark.parametrize("place", REQUESTS)
@settings(max_examples=25, deadline=None)
@given(unit=st.text(header_safe, min_size=1, max_size=3), count=st.integers(300, 2_500))
@example(unit="ab", count=2_000)
@example(unit='x" ', count=1_000)
def test_no_message_repeats_more_than_a_hundred_characters_of_a_request(shared, place, unit, count):
    text = unit * count
    method, path, body, headers = REQUESTS[place](text)
    is_text = isinstance(body, bytes)
    path = path.replace("{id}", shared.user["id"]).replace("?", "%3F").replace("#", "%23")
    for _ in range(2):  # the second time, what is unique is taken
        answer = shared.request(method, path, None if is_text else body, headers, body if is_text else None)
        assert answer.status < 500
        for detail in details(answer.body if answer.status >= 400 or path == "/Bulk" else None):
            assert len(detail) <= 600
            assert text[:101] not in detail
            assert text[1:102] not in detail
            assert text[:101].lower() not in detail
