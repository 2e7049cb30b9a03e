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
