"""The sign-in: a static token, a client secret, or a workload identity."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest

from entra import curl
from entra.client import Endpoint as Client
from entra.client import HttpOptions
from entra.oauth import Credentials, TokenRequestError
from entra.workload_identity import IdentityError, WorkloadIdentity
from tests.support.emulator_cli import run
from tests.support.emulator_endpoint import TOKEN, Endpoint
from tests.support.emulator_job import served
from tests.support.emulator_oauth import CLIENT, SECRET, OAuthEndpoint
from tests.support.serving import free_port


def test_without_a_token_nothing_is_sent(fresh, tenant):
    result = run("sync", tenant, "--url", fresh.url, token="")
    assert result.exit_code == 2
    assert "SCIM_TOKEN" in result.output


@pytest.mark.parametrize("space", ["\r", "\n", "\r\n", " "])
def test_white_space_around_a_token_is_removed(fresh, space):
    result = run("validate", fresh.url, "--rate", 0, "--case", "probe-users", token=TOKEN + space)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("odd", ["\r", "\n", "\x7f", "\u00e9", "\udc80"])
def test_a_token_with_invalid_characters_is_rejected_and_not_shown(fresh, tenant, odd):
    fresh.requests.clear()
    for token, options in ((f"Secret{odd}Token", ()), (TOKEN, ("--token", f"Secret{odd}Token"))):
        result = run("sync", tenant, "--url", fresh.url, *options, token=token)
        assert result.exit_code == 2, result.output
        assert "characters that an HTTP header cannot carry" in result.output
        assert "Secret" not in result.output
    assert fresh.requests == []


@pytest.fixture(scope="module")
def identity_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("identity") / "identity.json"
    shown = run("identity", path, "--port", free_port())
    assert shown.exit_code == 0, shown.output
    return path


@pytest.fixture
def identity(identity_file):
    return WorkloadIdentity.load(identity_file)


@pytest.fixture
def oauth(identity):
    app = OAuthEndpoint(identity)
    with served(app) as url:
        app.url, app.token_url = url, f"{url}/oauth2/token"
        yield app


def signed_in(app, *options, secret=SECRET):
    sign_in = ("--token-endpoint", app.token_url, "--client-id", CLIENT, *options)
    return [*sign_in, *(("--client-secret", secret) if secret else ())]


@pytest.mark.parametrize("place", ["body", "header", "both"])
def test_a_cycle_signs_in_with_a_client_secret(oauth, tenant, place):
    options = signed_in(oauth, "--credentials", place, "--token-scope", "scim")
    result = run("sync", tenant, "--url", oauth.url, "--rate", 0, *options, token="")
    assert result.exit_code == 0, result.output
    form, header = oauth.forms[0]
    assert (form["grant_type"], form["scope"]) == ("client_credentials", "scim")
    assert ("client_secret" in form) is (place != "header")
    assert header.startswith("Basic ") is (place != "body")
    assert oauth.store["User"]


def test_a_cycle_signs_in_with_a_workload_identity(oauth, tenant, identity, identity_file):
    options = signed_in(oauth, "--federation", identity_file, secret="")
    result = run("sync", tenant, "--url", oauth.url, "--rate", 0, *options, token="")
    assert result.exit_code == 0, result.output
    assert oauth.store["User"]
    form, header = oauth.forms[0]
    assert (header, "client_secret" in form) == ("", False)
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_an_identity_has_the_values_and_the_claims_of_entras(identity, identity_file):
    shown = run("identity", identity_file).output
    tenant = identity.tenant
    assert f"Issuer:    https://login.microsoftonline.com/{tenant}/v2.0\n" in shown
    assert f"JWKS URL:  http://127.0.0.1:{identity.port}/{tenant}/discovery/v2.0/keys\n" in shown
    assert f"Subject:   {identity.subject}\n" in shown
    assert f"Audience:  api://{identity.application}  (" in shown
    header, claims = (json.loads(decoded(part)) for part in identity.assertion().split(".")[:2])
    assert (header["alg"], header["kid"]) == ("RS256", identity.key.kid)
    assert set(claims) == {"aud", "iss", "sub", "oid", "appid", "tid", "iat", "nbf", "exp", "ver"}
    assert (claims["exp"] - claims["iat"], claims["ver"]) == (65 * 60, "2.0")
    assert identity_file.stat().st_mode & 0o777 == 0o600


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_keys_are_served_by_one_of_several_processes(identity):
    with identity.serving(), identity.serving():
        pass
    with socket.create_server(("127.0.0.1", 0)) as taken, contextlib.ExitStack() as stack:
        other = WorkloadIdentity(identity.tenant, "s", "a", taken.getsockname()[1], identity.key)
        threading.Thread(target=lambda: taken.accept()[0].close()).start()  # it answers nothing
        with pytest.raises(IdentityError, match="cannot serve the keys"):
            stack.enter_context(other.serving())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--client-secret", "wrong"), "returned 401 (invalid_client) without an access_token"),
        ((), "No client secret. Set SCIM_CLIENT_SECRET, or pass --federation FILE."),
        (("--client-secret", "wrong", "--client-id", ""), "--token-endpoint needs --client-id."),
        (("--federation", "{tenant}"), "is not a workload identity"),
        (("--client-secret", "shhh", "--token-endpoint", "http://127.0.0.1:9/"), "could not reach the token endpoint"),
        (("--client-secret", "shhh", "--token-endpoint", "{url}/Users"), "returned 401 without an access_token"),
    ],
)
def test_a_failed_sign_in_is_reported_in_one_line_without_the_secret(oauth, tenant, options, message):
    given = [option.format(tenant=tenant, url=oauth.url) for option in options]
    result = run("sync", tenant, "--url", oauth.url, *signed_in(oauth, *given, secret=""), token="")
    assert result.exit_code in (1, 2), result.output
    assert message in result.output
    assert "shhh" not in result.output
    assert oauth.requests == [] or "/scim/Users" in str(oauth.requests)


class OddTokens(Endpoint):
    """An endpoint whose tokens contain line breaks."""

    def answer(self, request):
        return self.json({"access_token": "Secret\r\nToken"}, 200)


def test_a_requested_token_with_invalid_characters_is_not_shown(tenant):
    with served(OddTokens()) as url:
        sign_in = ("--token-endpoint", f"{url}/oauth", "--client-id", "x", "--client-secret", "y")
        result = run("sync", tenant, "--url", url, *sign_in, token="")
    assert result.exit_code == 1
    assert "characters that an HTTP header cannot carry" in result.output
    assert "Secret" not in result.output


@pytest.fixture
def client(oauth):
    endpoint = Client(oauth.url, "", HttpOptions(rate=0), credentials=Credentials(oauth.token_url, CLIENT, SECRET))
    endpoint.refresh_token()
    with contextlib.closing(endpoint):
        yield endpoint


def test_a_refused_access_token_is_replaced_once(oauth, client):
    oauth.tokens.clear()  # as if all had expired
    old = client.token
    assert client.send("GET", "/Users").status == 200
    assert client.token != old
    assert len(oauth.forms) == 2
    oauth.lifetime = 0
    oauth.tokens.clear()
    assert client.send("GET", "/Users").status == 401  # the new one is refused as well
    assert len(oauth.forms) == 3


def test_an_access_token_is_replaced_before_its_end(oauth, monkeypatch):
    oauth.lifetime = 600
    client = Client(oauth.url, "", HttpOptions(rate=0), credentials=Credentials(oauth.token_url, CLIENT, SECRET))
    client.refresh_token()
    later = SimpleNamespace(**vars(time) | {"monotonic": lambda: time.monotonic() + 570})
    monkeypatch.setattr("entra.client.time", later)  # less than a tenth of the lifetime is left, so it still works
    assert client.send("GET", "/Users").status == 200
    assert len(oauth.forms) == 2


def test_several_threads_replace_a_token_once(oauth, client):
    oauth.tokens.clear()
    threads = [threading.Thread(target=client.send, args=("GET", "/Users")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(oauth.forms) == 2


def test_a_token_that_cannot_be_replaced_is_a_fault_of_the_exchange(oauth, client):
    oauth.tokens.clear()
    client.credentials = Credentials(oauth.token_url, CLIENT, "wrong")
    exchange = client.send("GET", "/Users")
    assert exchange.status == 401
    assert exchange.fault == "the token endpoint returned 401 (invalid_client) without an access_token"
    with pytest.raises(TokenRequestError):
        client.refresh_token()


def test_a_curl_command_repeats_a_token_request_and_leaves_out_the_secret(oauth, client):
    command = curl.command(client.ask_for_token(client.credentials))
    assert SECRET not in command
    environment = {**os.environ, "SCIM_CLIENT_SECRET": SECRET}
    said = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=30)
    assert said.stdout.startswith("HTTP/1.1 200"), said.stderr
    assert oauth.forms[-1] == oauth.forms[-2]


def test_neither_secret_nor_token_is_in_a_report(oauth, tmp_path):
    reports = [tmp_path / "junit", tmp_path / "json", tmp_path / "html"]
    options = [text for path in reports for text in (f"--{path.name}", path)]
    cases = ("--case", "token-wrong-secret", "--case", "token-altered", "--case", "token-credentials")
    result = run("validate", oauth.url, "--rate", 0, "-v", *cases, *options, *signed_in(oauth), token="")
    assert result.exit_code == 0, result.output
    for text in (result.output, *(path.read_text() for path in reports)):
        assert SECRET not in text
        assert not [token for token in oauth.tokens if token in text]
        assert oauth.forms[-1][1] not in text or not oauth.forms[-1][1]
