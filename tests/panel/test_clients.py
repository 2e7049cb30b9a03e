"""Creating, listing and revoking OAuth clients in the panel, and the connection test that signs in as one."""

import re
from datetime import UTC, datetime

import httpx
import pytest

from panel import probe
from tests.support.issuer import APP, AUDIENCES, ISSUER, SUBJECT, issuing
from tests.support.oauth_service import make_client

CLIENTS = "/panel/integrations/entra/clients"
TEST = "/panel/integrations/entra/test"
NEW = {"name": "Entra", "scope": "read-write", "method": "secret"}


@pytest.fixture(scope="module")
def issuer():
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def made(browser):
    """A client that was created with a secret: the page that shows it."""
    return browser.post(f"{CLIENTS}/new", NEW)


def ask(browser, **form):
    return browser.app.test_client().post("/oauth2/token", data={"grant_type": "client_credentials", **form})


def sign_in(browser, page):
    return ask(browser, client_id=page.value("client-id"), client_secret=page.value("secret"))


def four_values(issuer, /, **changes):
    return {"issuer": ISSUER, "jwks_url": issuer.url, "subject": SUBJECT, "audiences": AUDIENCES[1], **changes}


def test_a_new_client_shows_what_entras_form_asks_for(browser, made):
    assert "It will not be shown again" in made.text
    for label in ("Tenant URL", "OAuth token endpoint", "Client ID", "Client Secret"):
        assert label in made.text
    assert made.value("token-url") == "http://localhost/oauth2/token"
    assert made.value("url") == "http://localhost/api/scim/v2"
    token = sign_in(browser, made).json["access_token"]
    assert browser.scim("GET", "/Users", token=token).status_code == 200


def test_a_secret_is_shown_once_and_stored_as_a_hash(browser, made):
    assert made.value("secret") not in browser.get(CLIENTS).html
    assert made.value("secret") not in browser.path.read_text()
    assert made.value("client-id") in browser.get(CLIENTS).html


def test_the_list_shows_secrets_their_end_and_the_last_use(browser, made):
    page = browser.get(CLIENTS)
    (secret,) = browser.config["clients"][0]["secrets"]
    assert f"Secret {secret['id']}" in page.text
    assert f"{secret['expires']:%B %Y}" in page.text
    assert "Last used: never" in page.text
    browser.scim("GET", "/Users", token=sign_in(browser, made).json["access_token"])
    assert "Last used: just now" in browser.get(CLIENTS).text


def test_the_connection_page_leads_to_the_clients(browser):
    assert f'href="{CLIENTS}"' in browser.get("/panel/integrations/entra").html
    assert "There are no clients." in browser.get(CLIENTS).text


def test_a_read_only_client_reads(browser):
    made = browser.post(f"{CLIENTS}/new", {**NEW, "scope": "read-only"})
    token = sign_in(browser, made).json["access_token"]
    assert browser.scim("DELETE", "/Users/x", token=token).status_code == 403


def test_another_secret_works_beside_the_first(browser, made):
    id = made.value("client-id")
    page = browser.post(f"{CLIENTS}/secret", {"id": id}, form=f"{CLIENTS}/secret?id={id}")
    assert [sign_in(browser, one).status_code for one in (made, page)] == [200, 200]
    oldest = browser.config["clients"][0]["secrets"][0]["id"]
    url = f"{CLIENTS}/revoke?id={id}&credential={oldest}"
    assert browser.follow(browser.post(url)).status == 200
    assert [sign_in(browser, one).status_code for one in (made, page)] == [401, 200]


def test_a_revoked_client_is_gone_and_its_tokens_end(browser, made):
    token = sign_in(browser, made).json["access_token"]
    assert "Revoke “Entra”?" in browser.get(f"{CLIENTS}/revoke?id={made.value('client-id')}").text
    page = browser.follow(browser.post(f"{CLIENTS}/revoke?id={made.value('client-id')}"))
    assert "Client “Entra” revoked." in page.text
    assert browser.scim("GET", "/Users", token=token).status_code == 401
    assert "clients" not in browser.config


def test_the_four_values_of_a_federation_sign_the_client_in(browser, issuer):
    page = browser.post(f"{CLIENTS}/new", {**NEW, "method": "federation", **four_values(issuer)})
    assert 'id="secret"' not in page.html
    labels = re.findall(r'<label for="[^"]+">([^<]+)</label>', page.html)
    assert labels == ["SCIM URL", "Token Endpoint", "Client Identifier of &#34;Entra&#34;"]
    for form in (f"{CLIENTS}/new", f"{CLIENTS}/federation?id={page.value('client-id')}"):
        shown = re.findall(r'<label for="\w+">([^<]+)</label>', browser.get(form).html)
        assert shown[-4:] == ["Issuer (iss)", "JWKS URL", "Subject (sub)", "Audience (aud)"]
    id = page.value("client-id")
    for audience in AUDIENCES:
        form = issuer.form(issuer.assertion(aud=audience), client_id=id)
        assert ask(browser, **form).status_code == 200, audience
    assert "Workload identity" in browser.get(CLIENTS).text


def test_a_federation_can_be_added_changed_and_revoked(browser, made, issuer):
    id = made.value("client-id")
    url = f"{CLIENTS}/federation?id={id}"
    assert browser.post(url, four_values(issuer, subject="another")).status == 200
    assert ask(browser, **issuer.form(client_id=id)).status_code == 401
    assert 'value="another"' in browser.get(url).html
    assert browser.post(url, four_values(issuer)).status == 200
    token = ask(browser, **issuer.form(client_id=id)).json["access_token"]
    assert browser.scim("GET", "/Users", token=token).status_code == 200
    assert (
        "Workload identity of client"
        in browser.follow(browser.post(f"{CLIENTS}/revoke?id={id}&credential=federation")).text
    )
    assert browser.scim("GET", "/Users", token=token).status_code == 401
    assert browser.post(url, four_values(issuer)).status == 200
    assert browser.scim("GET", "/Users", token=token).status_code == 401  # the same values do not revive it
    assert ask(browser, **issuer.form(client_id=id)).status_code == 200
    assert sign_in(browser, made).status_code == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"jwks_url": "http://keys.example/"}, "jwks_url must be an https URL"),
        ({"jwks_url": "file:///etc/passwd"}, "jwks_url must be an https URL"),
        ({"issuer": ""}, "issuer must be"),
        ({"subject": " "}, "subject must be"),
        ({"audiences": ""}, "audiences must be a list"),
    ],
)
def test_a_wrong_value_is_explained_and_what_was_typed_stays(browser, made, issuer, changes, words):
    url = f"{CLIENTS}/federation?id={made.value('client-id')}"
    before = browser.path.read_text()
    for path, more in ((url, {}), (f"{CLIENTS}/new", {**NEW, "name": "Other", "method": "federation"})):
        page = browser.post(path, {**four_values(issuer, **changes), **more})
        assert page.status == 409
        assert words in page.text
        assert ISSUER in page.html or "issuer" in changes
    assert browser.path.read_text() == before


def test_wrong_requests_are_refused(browser, made):
    assert browser.post(f"{CLIENTS}/new", NEW).status == 409  # the name is taken
    assert browser.post(f"{CLIENTS}/new", {**NEW, "name": "x", "method": "both"}).status == 400
    assert browser.post(f"{CLIENTS}/new", {**NEW, "name": "connection-test-x"}).status == 409
    assert browser.get(f"{CLIENTS}/revoke?id=nothing").status == 404
    id = made.value("client-id")
    assert browser.post(f"{CLIENTS}/revoke?id={id}&credential=nothing").status == 409
    assert sign_in(browser, made).status_code == 200


@pytest.mark.parametrize("path", ["", "/new", "/secret", "/federation", "/revoke"])
def test_the_pages_need_a_session(anonymous, path):
    assert anonymous.get(CLIENTS + path).status == 302


def test_an_audience_of_another_form_is_kept_as_it_was_typed(browser, issuer):
    values = four_values(issuer, audiences=f"https://scim.example {APP}")
    browser.post(f"{CLIENTS}/new", {**NEW, "method": "federation", **values})
    assert browser.config["clients"][0]["federation"]["audiences"] == ["https://scim.example", APP]


@pytest.mark.parametrize("path", ["new", "secret", "federation", "revoke"])
def test_a_form_of_another_site_changes_nothing(browser, made, path):
    before = browser.path.read_text()
    form = {**NEW, "name": "Other", "id": made.value("client-id")}
    assert browser.client.post(f"{CLIENTS}/{path}", data=form).status_code == 400
    assert browser.path.read_text() == before


@pytest.fixture
def network(monkeypatch):
    """Send the connection test's requests to an app, or to a function in its place."""

    def use(transport):
        monkeypatch.setattr(probe, "make_client", lambda: httpx.Client(transport=transport))

    return use


def test_the_connection_test_signs_in_as_a_temporary_client(browser, made, network):
    network(httpx.WSGITransport(browser.app))
    before = browser.path.read_text()
    page = browser.post(TEST)
    assert "Sign-in works" in page.text
    assert "Users: search works" in page.text
    assert browser.path.read_text() == before


def test_the_connection_test_fetches_the_keys_of_a_federation(browser, issuer, network):
    network(httpx.WSGITransport(browser.app))
    browser.post(f"{CLIENTS}/new", {**NEW, "method": "federation", **four_values(issuer)})
    assert f"There are 1 at {issuer.url}." in browser.post(TEST).text
    issuer.status = 500
    page = browser.post(TEST)
    issuer.status = 200
    assert "The test failed." in page.text
    assert "the answer's status is 500, not 200" in page.text
    assert "Only Entra can sign in with a workload identity" in page.text


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (404, "<html>", "Configure the proxy to forward http://127.0.0.1:8000/oauth2/token too."),
        (200, "{}", "The token endpoint cannot be reached"),
        (200, "[]", "The token endpoint cannot be reached"),
        (401, '{"error": "invalid_client"}', "The sign-in is rejected"),
    ],
)
def test_a_failed_sign_in_is_explained(browser, made, network, status, text, words):
    network(httpx.MockTransport(lambda request: httpx.Response(status, text=text)))
    assert words in browser.post(TEST).text


def test_the_client_of_an_interrupted_test_is_removed_with_the_next_one(make_browser):
    clients = [make_client(f"id-{number}", name=f"connection-test-{number}")[1] for number in range(2)]
    clients[0]["secrets"][0]["expires"] = datetime(2026, 1, 1, tzinfo=UTC)
    browser = make_browser(clients=clients)
    browser.sign_in()
    browser.post(f"{CLIENTS}/new", NEW)
    assert [client["name"] for client in browser.config["clients"]] == ["connection-test-1", "Entra"]


def test_a_client_of_a_running_test_is_not_listed(make_browser):
    _, table = make_client(name="connection-test-1")
    browser = make_browser(clients=[table])
    browser.sign_in()
    assert "connection-test" not in browser.get(CLIENTS).text


@pytest.mark.parametrize(
    ("is_whole", "reason"),
    [(False, "what the client “Entra” signed in with was revoked or has expired"), (True, "their client was revoked")],
    ids=["secret", "client"],
)
def test_after_a_revocation_the_overview_asks_for_another_secret(browser, made, is_whole, reason):
    token = sign_in(browser, made).json["access_token"]
    assert browser.probe(token) == 200
    secret = browser.config["clients"][0]["secrets"][0]["id"]
    credential = "" if is_whole else f"&credential={secret}"
    browser.post(f"{CLIENTS}/revoke?id={made.value('client-id')}{credential}")
    assert "“Entra”" in browser.get("/panel/").text
    assert browser.probe(token) == 401
    page = browser.get("/panel/").text
    assert f"{reason}. Create another client secret and enter it in Entra." in page
    assert "paste it" not in page
