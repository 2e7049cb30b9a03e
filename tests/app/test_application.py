"""Requests find their views, hosts and addresses as Werkzeug would have it."""

import pytest

from scim.protocol.bulk import BULK_REQUEST
from scim.web.application import Application
from storage.memory import MemoryStore
from tests.support.urns import USER

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
PATHS = (
    "/Users",
    "/Users/",
    "/Users/unknown",
    "/Users/unknown/",
    "/Users/unknown/more",
    "/Users/.search",
    "/Users/.hidden",
    "/Users/<id:id>",
    "/Users/<id>",
    "/Users/a%2Fb",
    "/Users/a%0Ab",
    "/Users/%C3%A9",
    "/Users/a b",
    "/Users/..",
    "/<id:id>",
    "/.search",
    "/Groups",
    "/Bulk",
    "/Me",
    "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
    "/Schemas/",
    "/ResourceTypes/User",
    "/ServiceProviderConfig",
    "/users",
    "",
    "/",
)


@pytest.mark.parametrize("method", METHODS)
def test_every_address_is_answered_as_werkzeug_would_have_it(make_scim, monkeypatch, method):
    def answers():
        scim = make_scim()
        body = {} if method in ("POST", "PUT", "PATCH") else None
        found = [scim.request(method, path, body) for path in PATHS]
        return [(answer.status, answer.headers.get("Allow"), answer.text[:60]) for answer in found]

    quick = answers()
    monkeypatch.setattr(Application, "plain_rules", ({}, {}))
    assert dict(zip(PATHS, quick, strict=True)) == dict(zip(PATHS, answers(), strict=True))


def test_a_port_is_left_out_where_it_is_the_usual_one_of_the_scheme(make_scim):
    scim = make_scim(server={"trusted_proxies": 1})
    id = scim.create_user()["id"]
    for scheme, usual in (("http", 80), ("https", 443)) * 2:
        for port in (80, 443, 8000):
            headers = {"Host": f"scim.example:{port}", "X-Forwarded-Proto": scheme}
            host = "scim.example" if port == usual else f"scim.example:{port}"
            location = scim.get(f"/Users/{id}", headers).headers["Location"]
            assert location == f"{scheme}://{host}{scim.base_path}/Users/{id}"


@pytest.mark.parametrize(("trusted", "statuses"), [(None, [200, 200]), ([], [200, 200]), (["a.example"], [200, 400])])
def test_hosts_are_trusted_as_flask_has_it(scim, trusted, statuses):
    scim.app.config["TRUSTED_HOSTS"] = trusted
    assert [scim.get("/Users", {"Host": host}).status for host in ("a.example", "b.example")] == statuses


@pytest.mark.parametrize("path", ["/", "/healthz", "/panel/", "/panel/sign-in", "/panel/nowhere"])
@pytest.mark.parametrize("host", ["a..b", "..", "a" * 64 + ".example"])
def test_a_host_that_is_none_is_400_everywhere(scim, path, host):
    client = scim.app.test_client()
    assert client.get(path, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/scim", "/scim"),
        ("scim", "/scim"),
        ("//evil.example", "/evil.example"),
        ("/a b", "/a%20b"),
        ("/\u00c3\u00a9", "/%C3%A9"),
        ("/%C3%A9", "/%C3%A9"),
        ("/100%", "/100%25"),
        ("/\u00e9", "/%EF%BF%BD"),
    ],
)
def test_a_prefix_that_a_proxy_tells_is_quoted_in_addresses(make_scim, prefix, path):
    scim = make_scim(server={"trusted_proxies": 1})
    body = {"schemas": [USER], "userName": "ada"}
    answer = scim.post("/Users", body, {"X-Forwarded-Prefix": prefix})
    assert answer.status == 201
    assert answer.headers["Location"] == answer.body["meta"]["location"]
    assert answer.body["meta"]["location"] == f"http://localhost{path}{scim.base_path}/Users/{answer.body['id']}"


@pytest.mark.parametrize(
    ("id", "quoted"), [("\u540d", "%E5%90%8D"), ("\u00fc", "%C3%BC"), ("a b", "a%20b"), ("a?b#c%d", "a%3Fb%23c%25d")]
)
def test_an_id_from_elsewhere_is_quoted_in_addresses(make_scim, id, quoted):
    store = MemoryStore()
    scim = make_scim(store=store)
    known = scim.create_user()
    with store.writing() as tx:
        tx.insert("User", {**tx.get("User", known["id"]), "id": id, "userName": "imported"})
    path = f"/Users/{quoted}"
    changed = scim.patch_op(path, {"op": "replace", "path": "title", "value": "Cook"})
    for answer in (scim.get(path), changed):
        assert answer.status == 200
        assert answer.headers["Location"] == f"http://localhost{scim.base_path}{path}"
        assert (answer.body["id"], answer.body["meta"]["location"]) == (id, answer.headers["Location"])
    operation = {"method": "DELETE", "path": path}
    bulk = scim.post("/Bulk", {"schemas": [BULK_REQUEST], "Operations": [operation]}).body["Operations"]
    assert [(one["status"], one["location"]) for one in bulk] == [("204", changed.headers["Location"])]
    assert scim.get(path).status == 404
