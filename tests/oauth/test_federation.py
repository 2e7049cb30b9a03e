"""Workload Identity Federation: assertions that sign a client in, and those that do not."""

import json
import logging
import time
from base64 import urlsafe_b64encode
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest

from oauth import keys
from runtime.throttle import FREE
from tests.support.issuer import APP, AUDIENCES, ISSUER, SUBJECT, TENANT, issuing, make_key
from tests.support.oauth_service import OAuthService, make_client

OTHER_TENANT = "11111111-2222-4333-8444-555555555555"
NOW = int(time.time())


@pytest.fixture(scope="module")
def issuer():
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def service(issuer):
    return OAuthService(issuer.client(), make_client("with-secret")[1])


def unsigned(header, claims):
    parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return f"{'.'.join(parts)}."


def test_an_assertion_gives_a_token(service, issuer):
    answer = service.ask(issuer.form(scope="scim"))
    assert answer.status_code == 200, answer.text
    token = answer.json["access_token"]
    assert service.get(token).status_code == 200
    assert service.post_user(token, "ada@example.com").status_code == 201


@pytest.mark.parametrize("audience", [*AUDIENCES, ["https://other.example", AUDIENCES[1]]])
def test_each_configured_audience_is_accepted(service, issuer, audience):
    assert service.ask(issuer.form(issuer.assertion(aud=audience))).status_code == 200


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": f"{ISSUER}/"}, "iss is not the configured issuer"),
        ({"iss": ISSUER.upper()}, "iss is not"),
        ({"iss": [ISSUER]}, "iss is not"),
        ({"iss": None}, "it lacks iss"),
        ({"sub": OTHER_TENANT}, "sub is not the configured subject"),
        ({"sub": None, "oid": SUBJECT}, "it lacks sub"),
        ({"aud": f"api://{APP}/"}, "aud is not one of the configured audiences"),
        ({"aud": []}, "aud is not"),
        ({"aud": {AUDIENCES[0]: 1}}, "aud is not"),
        ({"aud": None}, "it lacks aud"),
        ({"sub": [SUBJECT, "x"]}, "sub is not"),
        ({"tid": OTHER_TENANT}, "tid is not the tenant"),
        ({"tid": [TENANT, "x"]}, "tid is not the tenant"),
        ({"tid": None}, "it lacks tid"),
        ({"exp": NOW - 61}, "it has expired: this server's clock is fast"),
        ({"exp": None}, "it lacks exp"),
        ({"exp": str(NOW + 600)}, "exp is not valid"),
        ({"exp": float("nan")}, "exp is not valid"),
        ({"exp": NOW + 3 * 86_400}, "it would work for more than a day"),
        ({"exp": 10**400}, "it would work for more than a day"),
        ({"nbf": NOW + 600}, "it does not work yet: this server's clock is slow"),
        ({"iat": NOW + 600}, "it was issued in the future: this server's clock is slow"),
        ({"jti": 5}, "jti is not valid"),
    ],
)
def test_each_claim_is_compared_exactly(service, issuer, claims, reason, caplog):
    assertion = issuer.assertion(**claims)
    answer = service.ask(issuer.form(assertion))
    assert (answer.status_code, answer.json) == (401, {"error": "invalid_client"})
    assert f'client "Entra" got no token (invalid_client): the assertion was rejected: {reason}' in caplog.text
    assert assertion.split(".")[1][:20] not in caplog.text


@pytest.mark.parametrize("claims", [{"exp": NOW - 30}, {"nbf": NOW + 30, "iat": NOW + 30}])
def test_clocks_may_differ_a_little(service, issuer, claims):
    now = int(time.time()) - NOW
    claims = {name: value + now for name, value in claims.items()}
    assert service.ask(issuer.form(issuer.assertion(**claims))).status_code == 200


def test_an_issuer_without_a_tenant_needs_no_tid(issuer):
    service = OAuthService(issuer.client(issuer="https://issuer.example"))
    assertion = issuer.assertion(iss="https://issuer.example", tid=None)
    assert service.ask(issuer.form(assertion)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("RSA", "RS512"), ("RSA", "PS256"), ("EC", "ES256"), ("OKP", "Ed25519")]
)
def test_asymmetric_algorithms_are_accepted(service, issuer, kind, algorithm):
    key = make_key(f"of-{kind}", kind)
    issuer.keys = [make_key(), key]
    assert service.ask(issuer.form(issuer.assertion(key, {"alg": algorithm}))).status_code == 200
    issuer.keys = [make_key()]


def test_unsigned_and_symmetric_assertions_are_rejected(service, issuer, caplog):
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCES[0], "exp": int(time.time()) + 600}
    secret = make_key("key-1-oct", "oct")
    for assertion in (
        unsigned({"alg": "none", "kid": "key-1"}, claims),
        unsigned({"alg": "None", "kid": "key-1"}, claims),
        unsigned({"alg": "RS256", "kid": "key-1"}, claims),
        issuer.assertion(secret, {"alg": "HS256", "kid": "key-1"}),
    ):
        assert service.ask(issuer.form(assertion), environ_base={"REMOTE_ADDR": "192.0.2.9"}).status_code == 401
    assert "its algorithm is not one of RS256" in caplog.text
    assert "its signature is wrong" in caplog.text


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda issuer: issuer.assertion(make_key("another")), "its key is not among the 1 keys"),
        (lambda issuer: issuer.assertion(make_key("another"), {"kid": "key-1"}), "its signature is wrong"),
        (lambda issuer: issuer.assertion(header={"kid": None}), "it does not name its key"),
        (lambda issuer: issuer.assertion(header={"crit": ["x"], "x": 1}), "it is not a signed JSON Web Token"),
        (lambda issuer: issuer.assertion(make_key("ec", "EC"), {"alg": "ES256", "kid": "key-1"}), "does not fit"),
        (lambda issuer: f"{issuer.assertion()[:-4]}AAAA", "its signature is wrong"),
        (lambda issuer: "x", "it is not a signed JSON Web Token"),
        (lambda issuer: "a.b.c", "it is not a signed JSON Web Token"),
        (lambda issuer: "....", "it is not a signed JSON Web Token"),
        (lambda issuer: "\u00e9.\u00e9.\u00e9", "it is not a signed JSON Web Token"),
        (lambda issuer: "x" * 9_000, "more than 8192 characters"),
    ],
)
def test_only_the_issuers_signature_counts(service, issuer, make, reason, caplog):
    answer = service.ask(issuer.form(make(issuer)))
    assert (answer.status_code, answer.json) == (401, {"error": "invalid_client"})
    assert reason in caplog.text
    assert "Traceback" not in caplog.text


def test_a_key_in_the_header_is_ignored(service, issuer):
    intruder = make_key("intruder")
    header = {"kid": "key-1", "jwk": intruder.as_dict(private=False), "jku": "https://intruder.example"}
    assert service.ask(issuer.form(issuer.assertion(intruder, header))).status_code == 401


def test_unknown_header_parameters_are_ignored(service, issuer):
    header = {"x5t": "abc", "nonce": "n", "typ": "a" * 1_000}
    assert service.ask(issuer.form(issuer.assertion(header=header))).status_code == 200


def test_an_assertion_with_a_jti_works_once(service, issuer, caplog):
    assertion = issuer.assertion(jti="first")
    assert service.ask(issuer.form(assertion)).status_code == 200
    assert service.ask(issuer.form(assertion)).status_code == 401
    assert "it was used before" in caplog.text
    assert service.ask(issuer.form(issuer.assertion(jti="second"))).status_code == 200
    again = issuer.assertion()
    assert [service.ask(issuer.form(again)).status_code for _ in range(2)] == [200, 200]


def test_a_jti_is_remembered_for_as_long_as_its_assertion_works(tmp_path, issuer, monkeypatch):
    service = OAuthService(issuer.client(), folder=tmp_path)
    now = time.time()
    first = issuer.form(issuer.assertion(jti="first", exp=int(now) + 86_395))
    assert service.ask(first).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + 86_430)
    assert service.ask(issuer.form(issuer.assertion(jti="second"))).status_code == 200
    assert service.ask(first).status_code == 401


def test_a_jti_may_be_any_text(service, issuer):
    assert service.ask(issuer.form(issuer.assertion(jti="\ud800"))).status_code == 200


def test_wrong_assertions_are_throttled_and_the_right_one_is_not(service, issuer):
    wrong = issuer.form(issuer.assertion(make_key("another"), {"kid": "key-1"}))
    assert [service.ask(wrong).status_code for _ in range(FREE + 1)] == [401] * FREE + [429]
    assert service.ask(issuer.form()).status_code == 200


def test_keys_that_cannot_be_fetched_are_not_the_clients_failure(service, issuer, monkeypatch):
    monkeypatch.setattr(issuer, "status", 503)
    answers = [service.ask(issuer.form()) for _ in range(FREE + 2)]
    found = {(answer.status_code, answer.json["error"], answer.headers["Retry-After"]) for answer in answers}
    assert found == {(503, "temporarily_unavailable", "5")}
    assert "WWW-Authenticate" not in answers[0].headers
    monkeypatch.undo()
    monkeypatch.setattr(keys, "PAUSE", 0)
    assert service.ask(issuer.form()).status_code == 200


def test_a_client_without_a_federation_cannot_use_an_assertion(service, issuer, caplog):
    assert service.ask(issuer.form(client_id="with-secret")).status_code == 401
    assert "this client has no [clients.federation]" in caplog.text


def test_a_client_may_have_both_a_federation_and_secrets(issuer):
    secret, table = make_client()
    service = OAuthService({**issuer.client(), "secrets": table["secrets"]})
    tokens = [service.access_token(secret), service.ask(issuer.form()).json["access_token"]]
    assert [service.get(token).status_code for token in tokens] == [200, 200]


def test_an_assertion_and_a_secret_at_once_are_refused(service, issuer):
    answer = service.ask(issuer.form(client_secret="x"))
    assert (answer.status_code, answer.json) == (400, {"error": "invalid_request"})


def test_no_part_of_an_assertion_is_logged(service, issuer, caplog):
    with caplog.at_level(logging.DEBUG, "tinyscim"):
        for claims in ({}, {"aud": "https://secret.example"}):
            assertion = issuer.assertion(**claims)
            service.ask(issuer.form(assertion))
            assert not any(part in caplog.text for part in assertion.split("."))
    assert "secret.example" not in caplog.text


def test_the_metadata_lists_the_algorithms(service):
    body = service.app.test_client().get("/.well-known/oauth-authorization-server").json
    assert "private_key_jwt" in body["token_endpoint_auth_methods_supported"]
    found = body["token_endpoint_auth_signing_alg_values_supported"]
    assert "RS256" in found
    assert not {"none", "HS256"} & set(found)


def test_parallel_sign_ins_wait_for_the_first_fetch_of_the_keys_but_leave_a_thread_free(issuer):
    service = OAuthService(issuer.client(), server={"threads": 3})
    issuer.asked.clear()
    issuer.may_answer.clear()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(service.ask, issuer.form())
        assert issuer.asked.wait(30)
        others = [pool.submit(service.ask, issuer.form()) for _ in range(2)]
        refused, waiting = wait(others, 10, FIRST_COMPLETED)
        issuer.may_answer.set()
    assert [one.result().status_code for one in refused] == [503]
    assert [one.result().status_code for one in (first, *waiting)] == [200, 200]


def test_a_sign_in_waits_for_another_worker_that_fetches_the_keys(issuer, tmp_path):
    workers = [OAuthService(issuer.client(), folder=tmp_path) for _ in range(2)]
    issuer.asked.clear()
    issuer.may_answer.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(workers[0].ask, issuer.form())
        assert issuer.asked.wait(30)
        second = pool.submit(workers[1].ask, issuer.form())
        assert not wait([second], 0.2).done
        issuer.may_answer.set()
    assert [first.result().status_code, second.result().status_code] == [200, 200]
