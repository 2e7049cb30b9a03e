"""Requests find their views, hosts and addresses as Werkzeug would have it."""

import pytest

from scim.protocol.bulk import BULK_REQUEST
from storage.memory import MemoryStore
from tests.support.urns import USER


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
        tx.insert("User", {**tx.get("User", known["id"]).data, "id": id, "userName": "imported"})
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
