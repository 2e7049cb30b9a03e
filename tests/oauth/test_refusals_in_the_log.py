"""Refused sign-ins in the provisioning log: the reason, and what to do."""

import json
import time
from datetime import UTC, datetime

import pytest

from config import client_edit
from config.reload import MAX_AGE
from runtime.throttle import FREE
from tests.support.oauth_service import OAuthService, make_client
from tests.support.panel_browser import HASH, Browser

SECRET, CLIENT = make_client()
EXPIRED_SECRET, EXPIRED = make_client("old")
EXPIRED["secrets"][0]["expires"] = datetime(2026, 1, 1, tzinfo=UTC)
PANEL = {"allow": [], "password_hash": HASH, "secret": "s" * 40}


@pytest.fixture
def service(tmp_path):
    return OAuthService(CLIENT, EXPIRED, folder=tmp_path, panel=PANEL)


def entries(service):
    exported = service.app.test_cli_runner().invoke(args=["log", "export"]).output
    return [json.loads(line) for line in exported.splitlines()]


@pytest.mark.parametrize(
    ("form", "status", "reason"),
    [
        (
            {"client_id": "entra-id", "client_secret": "guess"},
            401,
            'The sign-in of client "name of entra-id" was refused: the secret is wrong, or was revoked',
        ),
        (
            {"client_id": "nothing", "client_secret": SECRET},
            401,
            "The sign-in of client - was refused: no client has this ID",
        ),
        (
            {"client_id": "entra-id", "client_secret": SECRET, "scope": "admin"},
            400,
            'The sign-in of client "name of entra-id" was refused: scope must be scim or scim.read, or be left out',
        ),
    ],
)
def test_a_refused_sign_in_is_an_entry_with_its_reason(service, form, status, reason):
    service.ask(form, query_string={"client_secret": SECRET})
    (entry,) = entries(service)
    assert (entry["path"], entry["status"], entry["reason"]) == ("/oauth2/token", status, reason)
    assert entry.get("by", "") == ""  # anyone can name a client
    assert SECRET not in json.dumps(entry)


def test_an_expired_secret_counts_as_the_clients_own(service):
    service.ask({"client_id": "old", "client_secret": EXPIRED_SECRET})
    (entry,) = entries(service)
    assert entry["by"] == "name of old"
    assert "has expired: create another" in entry["reason"]


def test_a_throttled_sign_in_is_an_entry_too(service):
    for _ in range(FREE + 1):
        service.ask({"client_id": "entra-id", "client_secret": "guess"})
    entry = entries(service)[-1]
    assert entry["status"] == 429
    assert "the secret is wrong, or was revoked; after too many failures, the next answer" in entry["reason"]


def test_the_panel_shows_the_reason_and_what_to_do(service):
    service.ask({"client_id": "entra-id", "client_secret": "guess"})
    browser = Browser(service.app, service.path, service.token)
    browser.sign_in()
    page = browser.get(f"/panel/log/{entries(service)[0]['id']}")
    assert "the secret is wrong, or was revoked" in page.text
    assert "Enter the client's ID and a valid secret" in page.text
    assert "Bearer $TOKEN" not in page.text


def test_a_sign_in_that_works_is_no_entry(service):
    service.get(service.access_token(SECRET))
    assert entries(service) == []


def test_tokens_of_the_only_client_are_reported_as_revoked(tmp_path):
    service = OAuthService(CLIENT, folder=tmp_path)
    token = service.access_token(SECRET)
    client_edit.remove_client(service.path, CLIENT["id"])
    time.sleep(MAX_AGE)
    assert service.get(token).status_code == 401
    assert "or what it signed in with, was revoked or has expired" in entries(service)[0]["reason"]
