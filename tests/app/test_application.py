"""The quick way to a request's view leads where Werkzeug's own does."""

import pytest

from scim.application import Application

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
