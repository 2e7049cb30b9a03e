"""Bulk (RFC 7644 section 3.7)."""

from itertools import count

import pytest

from storage.base import StoreCorrupted, Unavailable
from storage.memory import MemoryStore
from tests.support.urns import ENT, GROUP, PATCH_OP, USER

REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"


def post_user(bulk_id, name, **attributes):
    data = {"schemas": [USER], "userName": name, **attributes}
    return {"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": data}


def post_group(bulk_id, name, *members):
    data = {"schemas": [GROUP], "displayName": name, "members": [{"value": value} for value in members]}
    return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}


@pytest.fixture
def bulk(scim):
    def send(*operations, **parameters):
        answer = scim.post("/Bulk", {"schemas": [REQUEST], "Operations": list(operations), **parameters})
        assert answer.status == 200, answer.body
        assert answer.body["schemas"] == [RESPONSE]
        return answer.body["Operations"]

    return send


def id_of(result):
    return result["location"].rpartition("/")[2]


def statuses(results):
    return [result["status"] for result in results]


def test_create_change_and_delete(scim, bulk):
    users = [scim.create_user() for _ in range(3)]
    paths = [f"/Users/{user['id']}" for user in users]
    patch = {"schemas": [PATCH_OP], "Operations": [{"op": "add", "path": "title", "value": "Cook"}]}
    results = bulk(
        post_user("one", "alva"),
        {"method": "PUT", "path": paths[0], "data": {"schemas": [USER], "userName": "bror"}},
        {"method": "PATCH", "path": paths[1], "data": patch},
        {"method": "DELETE", "path": paths[2]},
    )
    assert statuses(results) == ["201", "200", "200", "204"]
    assert [result["method"] for result in results] == ["POST", "PUT", "PATCH", "DELETE"]
    assert results[0]["bulkId"] == "one"
    created = scim.read(f"/Users/{id_of(results[0])}")
    assert (created["userName"], created["meta"]["version"]) == ("alva", results[0]["version"])
    assert created["meta"]["location"] == results[0]["location"]
    assert [result["location"] for result in results[1:]] == [user["meta"]["location"] for user in users]
    assert scim.read(paths[0])["userName"] == "bror"
    assert scim.read(paths[1])["title"] == "Cook"
    assert scim.get(paths[2]).status == 404


def test_group_patch_has_the_status_of_a_single_request(scim, bulk):
    patch = {
        "schemas": [PATCH_OP],
        "Operations": [{"op": "Add", "path": "members", "value": [{"value": "u"}]}],
    }
    (result,) = bulk({"method": "PATCH", "path": f"/Groups/{scim.create_group()['id']}", "data": patch})
    assert result["status"] == "204"


@pytest.mark.parametrize("order", [1, -1])
def test_bulk_ids_refer_back_and_forward(scim, bulk, order):
    operations = [post_user("alice", "alice"), post_group("guides", "Guides", "bulkId:alice")]
    results = {result["bulkId"]: result for result in bulk(*operations[::order])}
    assert statuses(results.values()) == ["201", "201"]
    (member,) = scim.read(f"/Groups/{id_of(results['guides'])}")["members"]
    assert member["value"] == id_of(results["alice"])
    assert member["$ref"] == results["alice"]["location"]


@pytest.mark.parametrize("order", [1, -1])
def test_bulk_ids_in_an_extension(scim, bulk, order):
    operations = [
        post_user("boss", "boss"),
        post_user("clerk", "clerk", **{ENT: {"manager": {"value": "bulkId:boss"}}}),
    ]
    results = {result["bulkId"]: result for result in bulk(*operations[::order])}
    clerk = scim.read(f"/Users/{id_of(results['clerk'])}")
    assert clerk[ENT]["manager"]["value"] == id_of(results["boss"])


def test_bulk_ids_in_patch_and_put(scim, bulk):
    group, other = scim.create_group(), scim.create_group()
    add = {"op": "Add", "path": "members", "value": [{"value": "bulkId:u"}]}
    results = bulk(
        {
            "method": "PATCH",
            "path": f"/Groups/{group['id']}",
            "data": {"schemas": [PATCH_OP], "Operations": [add]},
        },
        {
            "method": "PUT",
            "path": f"/Groups/{other['id']}",
            "data": {"displayName": "Other", "members": [{"value": "bulkId:u"}]},
        },
        post_user("u", "ulf"),
    )
    assert sorted(statuses(results)) == ["200", "201", "204"]
    (user,) = scim.found("/Users", 'userName eq "ulf"')
    for one in (group, other):
        assert [member["value"] for member in scim.read(f"/Groups/{one['id']}")["members"]] == [user]


def test_circular_references_are_resolved_or_refused(scim, bulk):
    results = bulk(post_group("a", "Group A", "bulkId:b"), post_group("b", "Group B", "bulkId:a"))
    assert set(statuses(results)) in ({"201"}, {"409"})
    if statuses(results) == ["201", "201"]:
        a, b = (id_of(result) for result in sorted(results, key=lambda result: result["bulkId"]))
        for one, other in ((a, b), (b, a)):
            assert [member["value"] for member in scim.read(f"/Groups/{one}")["members"]] == [other]
    else:
        assert scim.get("/Groups").body["totalResults"] == 0


def test_bulk_id_that_nobody_has(scim, bulk):
    (result,) = bulk(post_group("g", "Guides", "bulkId:nobody"))
    assert result["status"] in {"400", "409"}
    assert scim.get("/Groups").body["totalResults"] == 0


def test_bulk_id_of_a_failed_operation(scim, bulk):
    scim.create_user(userName="taken")
    results = {
        result["bulkId"]: result["status"]
        for result in bulk(post_user("u", "taken"), post_group("g", "Guides", "bulkId:u"))
    }
    assert results["u"] == "409"
    assert results["g"] in {"400", "409"}
    assert scim.get("/Groups").body["totalResults"] == 0


def test_errors_carry_the_body_that_a_single_request_would_have_had(scim, bulk):
    scim.create_user(userName="taken")
    results = bulk(post_user("u", "taken"), {"method": "DELETE", "path": "/Users/none"}, post_user("v", "free"))
    assert statuses(results) == ["409", "404", "201"]
    assert results[0]["response"]["scimType"] == "uniqueness"
    assert results[0]["response"]["status"] == "409"
    assert "location" not in results[0]
    assert results[1]["location"].endswith("/Users/none")
    assert results[1]["response"]["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


@pytest.mark.parametrize(("limit", "processed"), [(1, 2), (2, 3), (3, 4), (None, 4)])
def test_fail_on_errors(scim, bulk, limit, processed):
    scim.create_user(userName="taken")
    operations = [
        post_user("a", "one"),
        post_user("b", "taken"),
        post_user("c", "taken"),
        post_user("d", "two"),
    ]
    results = bulk(*operations, **({"failOnErrors": limit} if limit else {}))
    assert statuses(results) == ["201", "409", "409", "201"][:processed]
    assert scim.get("/Users").body["totalResults"] == (3 if processed == 4 else 2)


def test_versions(scim, bulk):
    user = scim.create_user()
    operation = {
        "path": f"/Users/{user['id']}",
        "data": {"schemas": [USER], "userName": "x"},
        "method": "PUT",
    }
    (stale,) = bulk({**operation, "version": 'W/"stale"'})
    assert (stale["status"], stale["response"]["status"]) == ("412", "412")
    (fresh,) = bulk({**operation, "version": user["meta"]["version"]})
    assert fresh["status"] == "200"
    (gone,) = bulk({"method": "DELETE", "path": operation["path"], "version": user["meta"]["version"]})
    assert gone["status"] == "412"


@pytest.mark.parametrize(
    "operation",
    [
        {"method": "POST", "path": "/Users", "bulkId": "x"},
        {"method": "POST", "path": "/Nowhere", "bulkId": "x", "data": {}},
        {"method": "POST", "path": "/Users/1", "bulkId": "x", "data": {"userName": "x"}},
        {"method": "GET", "path": "/Users"},
        {"method": "DELETE", "path": "/Users"},
        {"method": "DELETE", "path": "/Schemas/x"},
        {"method": "POST", "path": "/Bulk", "bulkId": "x", "data": {"Operations": []}},
        {"method": "POST", "path": "/Users", "bulkId": "x", "data": "text"},
        {"method": "POST", "path": 5, "bulkId": "x", "data": {}},
        {"method": "PATCH", "path": "/Users/none"},
        {"path": "/Users", "bulkId": "x", "data": {}},
        {"method": "DELETE"},
        "text",
        None,
    ],
)
def test_operation_that_is_none_is_refused_alone_or_with_the_whole(scim, operation):
    body = {"schemas": [REQUEST], "Operations": [operation]}
    answer = scim.post("/Bulk", body)
    if answer.status == 200:
        assert answer.body["Operations"][0]["status"][0] == "4"
    else:
        assert answer.status == 400
    assert scim.get("/Users").body["totalResults"] == 0


@pytest.mark.parametrize(
    "body", [{}, {"Operations": None}, {"Operations": {}}, {"Operations": [], "failOnErrors": "one"}]
)
def test_message_that_is_no_bulk_request_is_refused(scim, body):
    answer = scim.post("/Bulk", {"schemas": [REQUEST], **body})
    assert (answer.status, answer.body["scimType"]) in [(400, "invalidSyntax"), (400, "invalidValue")]


def test_too_many_operations_are_413_naming_the_limit(scim):
    limit = scim.read("/ServiceProviderConfig")["bulk"]["maxOperations"]
    operations = [{"method": "DELETE", "path": f"/Users/{n}"} for n in range(limit + 1)]
    answer = scim.post("/Bulk", {"schemas": [REQUEST], "Operations": operations})
    assert answer.status == 413
    assert str(limit) in answer.body["detail"]


def test_too_large_a_payload_is_413_naming_the_limit(scim):
    limit = scim.read("/ServiceProviderConfig")["bulk"]["maxPayloadSize"]
    answer = scim.post("/Bulk", {"schemas": [REQUEST], "Operations": [post_user("x", "x" * limit)]})
    assert answer.status == 413
    assert str(limit) in answer.body["detail"]


def test_bulk_is_posted(scim):
    assert scim.get("/Bulk").status == 405


def test_a_store_that_fills_up_on_the_way_hides_no_operation_that_was_carried_out(make_scim):
    class Filling(MemoryStore):
        number = count()

        def writing(self):
            if next(self.number) >= 2:
                raise Unavailable("no room", full=True)
            return super().writing()

    scim = make_scim(store=Filling())
    one = post_user("one", "one", **{ENT: {"manager": {"value": "bulkId:two"}}})
    two = post_user("two", "two", **{ENT: {"manager": {"value": "bulkId:one"}}})
    answer = scim.post("/Bulk", {"schemas": [REQUEST], "Operations": [post_user("plain", "plain"), one, two]})
    assert answer.status == 200, answer.body
    assert sorted(statuses(answer.body["Operations"])) == ["201", "201", "507"]
    assert scim.get("/Users").body["totalResults"] == 2


def test_a_store_that_is_damaged_on_the_way_fails_the_operation_alone(make_scim):
    class Breaking(MemoryStore):
        number = count()

        def writing(self):
            if next(self.number) == 1:
                raise StoreCorrupted("line 3 does not match its checksum")
            return super().writing()

    scim = make_scim(store=Breaking())
    operations = [post_user(name, name) for name in ("one", "two", "three")]
    answer = scim.post("/Bulk", {"schemas": [REQUEST], "Operations": operations})
    assert statuses(answer.body["Operations"]) == ["201", "503", "201"]
    assert "checksum" not in answer.text
