"""How access tokens end: expiry, revocation, another key; and how failures are throttled."""

import time
from datetime import datetime, timedelta

import pytest

from config import client_edit, credentials
from config.reload import MAX_AGE
from oauth import access_tokens
from provisioning_log import activity_of
from runtime.throttle import FREE
from tests.support.oauth_service import OAuthService, make_client
from tests.support.serving import rewrite


@pytest.fixture
def client():
    return make_client()


def challenge(answer):
    assert answer.status_code == 401
    return answer.headers["WWW-Authenticate"]


def test_an_expired_token_is_refused_as_rfc_6750_says(client, monkeypatch):
    secret, table = client
    service = OAuthService(table)
    token = service.access_token(secret)
    later = time.time() + 3600
    monkeypatch.setattr(access_tokens.time, "time", lambda: later)
    assert challenge(service.get(token)) == (
        'Bearer realm="SCIM", error="invalid_token", error_description="The access token has expired."'
    )
    assert activity_of(service.app).read().rejections == []  # it is how every client learns that it needs another


def test_a_request_without_a_token_gets_no_error_code(client):
    service = OAuthService(client[1])
    answer = service.app.test_client().get("/api/scim/v2/Users")
    assert challenge(answer) == 'Bearer realm="SCIM"'


@pytest.mark.parametrize("change", ["{0}x", "x{0}", "tscim_", "tscim_.", "tscim_..", "tscim_W10.x", "{1}"])
def test_a_changed_token_is_refused(client, change):
    service = OAuthService(client[1])
    token = service.access_token(client[0])
    changed = change.format(token, token.replace(token[10], "A" if token[10] != "A" else "B", 1))
    assert "invalid_token" in challenge(service.get(changed))


def test_a_token_of_another_service_is_refused(client):
    token = OAuthService(client[1]).access_token(client[0])
    assert "invalid_token" in challenge(OAuthService(client[1]).get(token))


def test_a_cursors_key_signs_no_access_tokens(client):
    service = OAuthService(client[1])
    scim = service.app.extensions["tinyscim"]
    keys = {scim.access_token_key(), scim.cursor_secret("access tokens"), scim.cursor_secret("")}
    assert len(keys) == 3


def revoke_client(path, id, secret):
    client_edit.remove_client(path, id)


def revoke_secret(path, id, secret):
    client_edit.remove_secret(path, id, secret)


@pytest.mark.parametrize("revoke", [revoke_client, revoke_secret])
def test_revoking_a_client_or_its_secret_ends_its_tokens_at_once(tmp_path, client, revoke):
    (secret, table), (other, second) = client, make_client("second")
    service = OAuthService(table, second, folder=tmp_path)
    token, kept = service.access_token(secret), service.access_token(other, "second")
    assert service.get(token).status_code == service.get(kept).status_code == 200
    revoke(service.path, "entra-id", table["secrets"][0]["id"])
    time.sleep(MAX_AGE)
    assert "invalid_token" in challenge(service.get(token))
    assert service.get(kept).status_code == 200


def test_revoking_one_secret_leaves_the_tokens_of_another(tmp_path, client):
    secret, table = client
    service = OAuthService(table, folder=tmp_path)
    id, newer = client_edit.add_secret(service.path, "entra-id")
    first, second = service.access_token(secret), service.access_token(newer)
    client_edit.remove_secret(service.path, "entra-id", table["secrets"][0]["id"])
    time.sleep(MAX_AGE)
    assert [service.get(token).status_code for token in (first, second)] == [401, 200]
    assert id in service.path.read_text()


def test_tokens_end_with_the_secret_that_gave_them(client, monkeypatch):
    secret, table = client

    class NextYear(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(days=365)

    service = OAuthService(table)
    token = service.access_token(secret)
    assert service.get(token).status_code == 200
    monkeypatch.setattr(credentials, "datetime", NextYear)
    assert service.get(token).status_code == 401


def test_a_client_that_may_only_read_now_reads_with_the_token_from_before(tmp_path, client):
    service = OAuthService(client[1], folder=tmp_path)
    token = service.access_token(client[0])
    text = service.path.read_text()
    rewrite(service.path, text.replace('scope = "read-write"', 'scope = "read-only"'))
    assert service.post_user(token, "ada").status_code == 403


def test_failures_are_throttled_for_the_address_and_the_client(client):
    secret, table = client
    other, second = make_client("second")
    service = OAuthService(table, second)

    def ask(id, secret, address="192.0.2.1"):
        form = {"client_id": id, "client_secret": secret}
        return service.ask(form, environ_base={"REMOTE_ADDR": address})

    assert [ask("entra-id", "guess").status_code for _ in range(FREE)] == [401] * FREE
    answer = ask("entra-id", "guess")
    assert (answer.status_code, answer.json) == (429, {"error": "temporarily_unavailable"})
    assert answer.headers["Retry-After"] == "1"
    assert ask("entra-id", "guess", "192.0.2.2").status_code == 401
    assert ask("second", "guess").status_code == 401
    assert ask("entra-id", secret).status_code == 200
    assert ask("second", other).status_code == 200
    assert [ask(f"unknown-{number}", "guess").status_code for number in range(FREE + 1)] == [401] * FREE + [429]
