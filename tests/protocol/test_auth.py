"""Who may do what: tokens, read-only tokens, no tokens, and what stands open."""

import pytest

from app import create_app
from config.tokens import new_token
from storage.memory import MemoryStore
from tests.support.urns import USER

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer \u00e9\u00e9",
        "Basic dXNlcjpwYXNz",
        "Token {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer x{token}",
        "Bearer {half}",
        "Bearer {token} {token}",
        "Bearer Bearer Bearer {token}",
    ],
)
def test_without_a_valid_token_everything_is_401(scim, authorization):
    if authorization:
        authorization = authorization.format(token=scim.token, half=scim.token[:-1])
    headers = {"Authorization": authorization}
    body = {"schemas": [USER], "userName": "intruder"}
    answers = [
        scim.get("/Users", headers),
        scim.get("/Users/none", headers),
        scim.post("/Users", body, headers),
        scim.post("/.search", {"schemas": [SEARCH]}, headers),
        scim.delete("/Users/none", headers),
        scim.get("/Schemas", headers),
    ]
    assert {answer.status for answer in answers} == {401}
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in answers)
    assert scim.get("/Users").body["totalResults"] == 0


def test_a_refusal_repeats_no_token(scim):
    assert "tinyscim-guess" not in scim.get("/Users", {"Authorization": "Bearer tinyscim-guess"}).text


def test_read_only_token_reads_and_searches(make_scim):
    reader = make_scim(read_only=True)
    for path in ("/Users", "/Groups", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig"):
        assert reader.get(path).status == 200
    for path in ("/.search", "/Users/.search", "/Groups/.search"):
        assert reader.post(path, {"schemas": [SEARCH]}).status == 200


def test_read_only_token_writes_nothing(make_scim):
    reader = make_scim(read_only=True)
    body = {"schemas": [USER], "userName": "reader"}
    bulk = {"Operations": [{"method": "POST", "path": "/Users", "bulkId": "x", "data": body}]}
    answers = [
        reader.post("/Users", body),
        reader.put("/Users/none", body),
        reader.patch_op("/Users/none", {"op": "add", "path": "title", "value": "x"}),
        reader.delete("/Users/none"),
        reader.post("/Groups", {"displayName": "x"}),
        reader.post("/Bulk", bulk),
    ]
    assert {answer.status for answer in answers} == {403}
    assert reader.get("/Users").body["totalResults"] == 0


def test_several_tokens_are_active_at_once():
    (first, one), (second, two) = new_token("first"), new_token("second", read_only=True)
    app = create_app({"tokens": [one, two]}, store=MemoryStore()).test_client()
    for token in (first, second):
        answer = app.get("/api/scim/v2/Users", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", "Bearer anything"])
def test_with_no_token_configured_everything_is_refused(authorization):
    app = create_app({"tokens": []}, store=MemoryStore()).test_client()
    headers = {"Authorization": authorization} if authorization else {}
    for path in ("/Users", "/Schemas", "/ServiceProviderConfig"):
        assert app.get(f"/api/scim/v2{path}", headers=headers).status_code == 401
    assert app.post("/api/scim/v2/Users", json={"userName": "x"}, headers=headers).status_code == 401


def test_tokens_are_long_random_and_told_apart_from_what_is_kept():
    (first, table), (second, _) = new_token("first"), new_token("second")
    assert first != second
    assert len(first) >= 43  # 256 bits in base64
    assert first[:4] == second[:4]
    assert first not in repr(table)
    assert first[8:] not in repr(table)


def test_health_is_open_and_says_nothing_else():
    app = create_app({"tokens": []}, store=MemoryStore()).test_client()
    answer = app.get("/healthz")
    assert answer.status_code == 200
    assert answer.get_data(as_text=True).strip().strip('"').lower() in {
        "ok",
        '{"status":"ok"}',
        '{"status": "ok"}',
    }


def test_health_over_the_network(live):
    assert live.send("GET", "/healthz", {}, None).status == 200
