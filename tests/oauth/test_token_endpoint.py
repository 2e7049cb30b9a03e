"""Token requests with a client secret, what they are answered, and what the access tokens may do."""

import logging
from datetime import UTC, datetime

import pytest

from provisioning_log import activity_of
from tests.support.oauth_service import OAuthService, basic, make_client

SECRET, CLIENT = make_client()
READER_SECRET, READER = make_client("reader", scope="read-only")
EXPIRED_SECRET, EXPIRED = make_client("old")
EXPIRED["secrets"][0]["expires"] = datetime(2026, 1, 1, tzinfo=UTC)
POST = {"client_id": "entra-id", "client_secret": SECRET}


@pytest.fixture
def service():
    return OAuthService(CLIENT, READER, EXPIRED)


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        (POST, {}),
        ({}, basic("entra-id", SECRET)),
        (POST, basic("entra-id", SECRET)),
        ({"client_id": "entra-id"}, basic("entra-id", SECRET)),
        ({"scope": "scim"}, basic("entra-id", SECRET)),
        ({**POST, "scope": "", "resource": "ignored"}, {}),
    ],
    ids=["body", "header", "both", "id in both", "scope", "empty scope"],
)
def test_a_secret_in_header_body_or_both_gives_a_token(service, form, headers):
    answer = service.ask(form, headers)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_type == "application/json"
    token = answer.json.pop("access_token")
    rest = {name: value for name, value in answer.json.items() if name != "access_token"}
    assert rest == {"token_type": "Bearer", "expires_in": 3600, "scope": "scim"}
    assert service.get(token).status_code == 200
    assert service.post_user(token, "ada@example.com").status_code == 201


@pytest.mark.parametrize(
    ("form", "headers", "error"),
    [
        ({**POST, "client_secret": "wrong"}, {}, "invalid_client"),
        ({**POST, "client_secret": SECRET[:-1]}, {}, "invalid_client"),
        ({**POST, "client_id": "nobody"}, {}, "invalid_client"),
        ({**POST, "client_id": "reader"}, {}, "invalid_client"),
        ({"client_id": "old", "client_secret": EXPIRED_SECRET}, {}, "invalid_client"),
        ({"client_id": "entra-id"}, {}, "invalid_client"),
        ({"client_secret": SECRET}, {}, "invalid_client"),
        ({}, {}, "invalid_client"),
        ({}, basic("entra-id", "wrong"), "invalid_client"),
        ({}, basic("entra-id", ""), "invalid_client"),
        (POST, basic("entra-id", "wrong"), "invalid_client"),
        (POST, basic("reader", READER_SECRET), "invalid_client"),
        ({**POST, "client_secret": "wrong"}, basic("entra-id", SECRET), "invalid_client"),
        (POST, {"Authorization": f"Bearer {SECRET}"}, "invalid_client"),
        *(
            (POST, {"Authorization": f"Basic {text}"}, "invalid_client")
            for text in ("!", "", "Og==", "A" * 5_000, "\xff")
        ),
        ({**POST, "grant_type": ""}, {}, "invalid_request"),
        ({**POST, "grant_type": "password"}, {}, "unsupported_grant_type"),
        ({**POST, "grant_type": "authorization_code"}, {}, "unsupported_grant_type"),
        ({**POST, "scope": "admin"}, {}, "invalid_scope"),
        ({**POST, "scope": "scim admin"}, {}, "invalid_scope"),
        ({**POST, "client_id": ["entra-id", "entra-id"]}, {}, "invalid_request"),
        ({**POST, "client_assertion": "x.y.z"}, {}, "invalid_request"),
        ({"client_id": "entra-id", "client_assertion": "x.y.z"}, {}, "invalid_request"),
        ({**POST, "padding": "x" * 20_000}, {}, "invalid_request"),
    ],
)
def test_a_wrong_request_gets_the_error_of_rfc_6749_and_no_more(service, form, headers, error, caplog):
    with caplog.at_level(logging.INFO):
        answer = service.ask(form, headers)
    assert answer.json == {"error": error}
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert ("WWW-Authenticate" in answer.headers) == (error == "invalid_client")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "got no token" in caplog.text
    for secret in (SECRET, SECRET[:-1], READER_SECRET, EXPIRED_SECRET):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("form", "headers", "reason"),
    [
        ({**POST, "client_secret": "x"}, {}, 'client "name of entra-id" got no token (invalid_client): the secret is'),
        ({**POST, "client_id": SECRET}, {}, "client - got no token (invalid_client): no client has this ID"),
        ({"client_id": "old", "client_secret": EXPIRED_SECRET}, {}, "has expired: create another"),
        (POST, basic("entra-id", "x"), "the credentials in the header and in the body differ"),
        ({**POST, "scope": "admin"}, {}, "scope must be scim or scim.read"),
    ],
)
def test_the_log_says_why_a_request_was_refused(service, form, headers, reason, caplog):
    service.ask(form, headers)
    assert reason in caplog.text
    assert SECRET not in caplog.text


def test_credentials_count_in_the_body_and_the_header_alone(service):
    answer = service.ask({}, query_string=POST)
    assert answer.json == {"error": "invalid_client"}
    assert service.ask(None, json=POST).json == {"error": "invalid_request"}
    assert service.app.test_client().get("/oauth2/token", query_string=POST).status_code == 405


def test_a_read_only_client_gets_a_token_that_reads(service):
    answer = service.ask({"client_id": "reader", "client_secret": READER_SECRET, "scope": "scim"})
    assert answer.json["scope"] == "scim.read"
    token = answer.json["access_token"]
    assert service.get(token).status_code == 200
    refusal = service.post_user(token, "ada@example.com")
    assert refusal.status_code == 403
    assert refusal.headers["WWW-Authenticate"] == 'Bearer realm="SCIM", error="insufficient_scope", scope="scim"'


def test_a_client_that_asks_for_less_gets_less(service):
    token = service.access_token(SECRET, scope="scim.read")
    assert service.get(token).status_code == 200
    assert service.post_user(token, "ada@example.com").status_code == 403


def test_requests_appear_under_the_clients_name(service, caplog):
    token = service.access_token(SECRET)
    with caplog.at_level(logging.INFO):
        service.get(token)
    assert 'by="name of entra-id"' in caplog.text
    assert {cycle.client.token for cycle in activity_of(service.app).read().cycles} == {"name of entra-id"}


def test_static_tokens_work_beside_clients(service):
    assert service.get(service.token).status_code == 200


def test_several_secrets_work_at_once():
    other, client = make_client()
    service = OAuthService({**CLIENT, "secrets": [*CLIENT["secrets"], *client["secrets"]]})
    assert {service.get(service.access_token(one)).status_code for one in (SECRET, other)} == {200}


def test_without_clients_there_is_no_token_endpoint():
    service = OAuthService()
    assert service.ask(POST).status_code == 404
    assert service.app.test_client().get("/.well-known/oauth-authorization-server").status_code == 404
    schemes = service.get(service.token, "/api/scim/v2/ServiceProviderConfig").get_json(force=True)
    assert [scheme["type"] for scheme in schemes["authenticationSchemes"]] == ["oauthbearertoken"]


def test_the_metadata_names_the_endpoint_and_its_methods():
    service = OAuthService(CLIENT, oauth={"token_endpoint": "/sign/in", "access_token_minutes": 90})
    body = service.app.test_client().get("/.well-known/oauth-authorization-server").json
    assert body["issuer"] == "http://localhost"
    assert body["token_endpoint"] == "http://localhost/sign/in"
    assert body["grant_types_supported"] == ["client_credentials"]
    assert {"client_secret_basic", "client_secret_post"} <= set(body["token_endpoint_auth_methods_supported"])
    form = {"grant_type": "client_credentials", **POST}
    assert service.app.test_client().post("/sign/in", data=form).json["expires_in"] == 5400


def test_the_service_provider_config_lists_both_schemes(service):
    body = service.get(service.token, "/api/scim/v2/ServiceProviderConfig").get_json(force=True)
    schemes = {scheme["type"]: scheme for scheme in body["authenticationSchemes"]}
    assert schemes.keys() == {"oauthbearertoken", "oauth2"}
    assert [type for type, scheme in schemes.items() if scheme["primary"]] == ["oauthbearertoken"]
