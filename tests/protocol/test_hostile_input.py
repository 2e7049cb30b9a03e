"""Hostile and unusual input that once made the service fail, stall or store invalid data."""

import pytest

from app import create_app
from config import ConfigError
from scim.directory import context
from tests.support.urns import ENT, USER

HALF = '{"value":"\\ud800"}'
NUL = '{"value":"a\\u0000b"}'


@pytest.mark.parametrize("hidden", [HALF, NUL, '{"value":"x","value":"y"}', '{"value":1e999}'])
def test_json_inside_a_role_is_read_as_strictly_as_the_body(scim, hidden):
    user = scim.create_user(roles=[{"value": hidden}])
    assert user["roles"] == [{"value": hidden}]  # left as the text that it was
    assert scim.read(f"/Users/{user['id']}") == user
    assert scim.query("/Users").status == 200


def test_text_that_cannot_be_stored_is_invalid_in_a_path(scim):
    user = scim.create_user()
    path = 'emails[type eq "\\u0000"].value'
    assert scim.patch_op(f"/Users/{user['id']}", {"op": "add", "path": path, "value": "x@y"}).status == 400
    assert scim.read(f"/Users/{user['id']}") == user


def test_a_path_cannot_create_a_read_only_sub_attribute(make_scim):
    subs = [{"name": "ro", "mutability": "readOnly"}, {"name": "note"}]
    attribute = {"name": "parts", "type": "complex", "multiValued": True, "subAttributes": subs}
    table = {"id": "urn:x:y:User", "name": "Y", "extends": "User", "attributes": [attribute]}
    scim = make_scim(schemas=[table])
    user = scim.create_user()
    operation = {"op": "add", "path": 'urn:x:y:User:parts[ro eq "hacked"].note', "value": "n"}
    assert scim.patch_op(f"/Users/{user['id']}", operation).body["scimType"] == "noTarget"


@pytest.mark.parametrize(
    "body",
    [
        '{"userName":"x",' + ",".join(f'"k{n}":1' for n in range(60_000)) + ',"k0":1}',
        '{"userName":"x","emails":' + "[" * 900 + "]" * 900 + "}",
        '{"userName":"x","emails":' + '{"a":' * 60 + "1" + "}" * 60 + "}",
    ],
    ids=["a repeated key", "arrays", "objects"],
)
def test_bodies_that_are_expensive_to_read_are_invalid(scim, body):
    assert scim.request("POST", "/Users", data=body.encode()).body["scimType"] == "invalidSyntax"


def test_operations_and_elements_are_limited_in_number(scim):
    user = scim.create_user()
    many = [{"op": "add", "path": f'ims[type eq "{n}"].value', "value": "x"} for n in range(1_001)]
    assert scim.patch_op(f"/Users/{user['id']}", *many).status == 400
    for start in (0, 500):
        chunk = [{"value": f"{n}@x"} for n in range(start, start + 500)]
        assert scim.patch_op(f"/Users/{user['id']}", {"op": "add", "path": "emails", "value": chunk}).status == 200
    one_more = {"op": "add", "path": "emails", "value": [{"value": "last@x"}]}
    assert scim.patch_op(f"/Users/{user['id']}", one_more).body["scimType"] == "invalidValue"
    kept = scim.read(f"/Users/{user['id']}")
    assert len(kept["emails"]) == 1_000
    assert scim.put(f"/Users/{user['id']}", kept).status == 200


def test_the_cache_of_resolved_names_is_bounded():
    type = create_app({}).extensions["tinyscim"].registry.types["User"]
    for n in range(5_000):
        type.resolve(f"name{n}")
    type.resolve("x" * 1_000_000)
    assert sum(map(len, type._targets)) < 1_000_000


def test_a_cursor_cannot_be_forged_from_the_token(scim):
    import base64
    import hashlib
    import hmac
    import json

    for _ in range(3):
        scim.create_user()
    cursor = scim.query("/Users", cursor="", count=1).body["nextCursor"]
    payload = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[16:]
    forged = json.dumps({**json.loads(payload), "total": -5}).encode()
    for key in (scim.token.encode(), hashlib.sha256(scim.token.encode()).digest()):
        signed = hmac.digest(key, b"cursor:" + forged, "sha256")[:16] + forged
        text = base64.urlsafe_b64encode(signed).decode().rstrip("=")
        assert scim.query("/Users", cursor=text, count=1).body["scimType"] == "invalidCursor"


def test_bulk_with_data_nested_too_deeply_changes_nothing(scim):
    deep: object = "x"
    for _ in range(60):
        deep = [deep]
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"schemas": [USER], "userName": "a"}},
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "b", "emails": deep}},
    ]
    assert scim.post("/Bulk", {"Operations": operations}).status == 400
    assert scim.found("/Users", "userName pr") == []


def test_bulk_releases_reserved_ids_that_it_does_not_reach(scim):
    def group(bulk_id, *members):
        data = {"displayName": bulk_id, "members": [{"value": f"bulkId:{one}"} for one in members]}
        return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}

    bad = {"method": "POST", "path": "/Users", "bulkId": "c", "data": {"userName": 5}}
    answer = scim.post("/Bulk", {"failOnErrors": 1, "Operations": [group("a", "b", "c"), group("b", "a"), bad]})
    assert answer.status == 200
    for id in scim.found("/Groups", "displayName pr"):
        assert scim.read(f"/Groups/{id}")["members"] == []


def test_bulk_resolves_no_bulk_id_within_plain_text(scim):
    data = {"userName": "t", "title": "See bulkId:abc for more"}
    answer = scim.post("/Bulk", {"Operations": [{"method": "POST", "path": "/Users", "bulkId": "u", "data": data}]})
    assert answer.body["Operations"][0]["status"] == "201"
    assert scim.found("/Users", 'title eq "See bulkId:abc for more"')


@pytest.mark.parametrize("host", ["a b", "a..b", ".a", "a" * 64 + ".example", "a:0", "a:b"])
def test_a_malformed_host_is_refused(scim, host):
    answer = scim.get("/Users", headers={"Host": host})
    assert answer.status == 400
    assert "Host header" in answer.body["detail"]


def test_the_cache_of_groups_is_bounded(monkeypatch, make_scim):
    monkeypatch.setattr(context, "GROUP_CACHE_BYTES", 5_000)
    found = []
    init = context.GroupCache.__init__
    monkeypatch.setattr(context.GroupCache, "__init__", lambda self: found.append(self) or init(self))
    scim = make_scim()
    user = scim.create_user()
    for _ in range(20):
        scim.create_group(members=[{"value": user["id"]}])
    for number in range(20):
        groups = scim.get(f"/Users/{user['id']}?attributes=groups", {"Host": f"h{number}.example"}).body["groups"]
        assert len(groups) == 20
    assert 0 < max(len(met.names) + len(met.parents) for met in found) < 20


def test_cors_allows_the_configured_origins_only(make_scim):
    page = "https://validator.example.com"
    scim = make_scim(server={"cors_origins": [page]})
    ask = {"Origin": page, "Access-Control-Request-Method": "PATCH", "Authorization": None}
    preflight = scim.request("OPTIONS", "/Users", headers=ask)
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == page
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert scim.get("/Users", headers={"Origin": page}).headers["Access-Control-Allow-Origin"] == page
    other = {**ask, "Origin": "https://other.example.com"}
    assert scim.request("OPTIONS", "/Users", headers=other).status == 401
    stranger = scim.get("/Users", headers={"Origin": "https://other.example.com"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.parametrize("text", ["123e45", "1.10", "007", "true", "5", "-0"])
def test_an_unquoted_literal_is_compared_as_text(scim, text):
    user = scim.create_user(externalId=text)
    scim.create_user(externalId="other")
    assert scim.found("/Users", f"externalId eq {text}") == [user["id"]]


def test_a_null_path_counts_as_missing(scim):
    user = scim.create_user()
    answer = scim.patch_op(f"/Users/{user['id']}", {"op": "replace", "path": None, "value": {"title": "T"}})
    assert answer.body["title"] == "T"


def test_one_operation_removes_thousands_of_members(scim):
    ids = [f"member-{n}" for n in range(3_000)]
    group = scim.create_group(members=[{"value": id} for id in [*ids, "last"]])
    remove = {"op": "Remove", "path": "members", "value": [{"value": id} for id in ids]}
    assert scim.patch_op(f"/Groups/{group['id']}", remove).status == 204
    assert [one["value"] for one in scim.read(f"/Groups/{group['id']}")["members"]] == ["last"]


def test_removing_a_manager_that_was_deleted_changes_nothing(scim):
    boss = scim.create_user()
    user = scim.create_user(**{ENT: {"manager": {"value": boss["id"]}}})
    scim.delete(f"/Users/{boss['id']}")
    without = scim.read(f"/Users/{user['id']}")
    assert ENT not in without
    assert ENT not in without["schemas"]
    assert scim.patch_op(f"/Users/{user['id']}", {"op": "remove", "path": f"{ENT}:manager"}).body == without


def test_derived_attributes_cannot_be_indexed(make_scim):
    for name in ("members.value", "groups.value", "meta.location", f"{ENT}:manager.displayName"):
        with pytest.raises(ConfigError, match="not an attribute that can be indexed"):
            make_scim(directory={"indexed_attributes": [name]})


def test_attributes_of_different_types_sort_together(make_scim):
    attributes = [{"name": "title", "type": "integer"}]
    table = {"id": "urn:x:Device", "name": "Device", "endpoint": "/Devices", "attributes": attributes}
    scim = make_scim(schemas=[table])
    scim.create_user(title="T")
    assert scim.post("/Devices", {"title": 5}).status == 201
    assert scim.post("/.search", {"sortBy": "title"}).body["totalResults"] == 2


def test_a_patch_cannot_remove_a_required_sub_attribute(make_scim):
    subs = [{"name": "code", "required": True}, {"name": "note"}]
    attribute = {"name": "parts", "type": "complex", "multiValued": True, "subAttributes": subs}
    table = {"id": "urn:x:y:User", "name": "Y", "extends": "User", "attributes": [attribute]}
    scim = make_scim(schemas=[table])
    user = scim.create_user(**{"urn:x:y:User": {"parts": [{"code": "1", "note": "m"}]}})
    for operation in (
        {"op": "add", "path": "urn:x:y:User:parts", "value": [{"note": "n"}]},
        {"op": "remove", "path": "urn:x:y:User:parts.code"},
    ):
        assert scim.patch_op(f"/Users/{user['id']}", operation).status == 400
    assert scim.read(f"/Users/{user['id']}") == user
