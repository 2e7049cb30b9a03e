"""The secret token: pasted, or requested with client credentials."""

import pytest

from tests.support.emulator_cli import run
from tests.support.emulator_endpoint import TOKEN, Endpoint
from tests.support.emulator_job import served


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


class TokenEndpoint(Endpoint):
    """An endpoint with a token endpoint that checks the client's secret."""

    def answer(self, request):
        if request.path == "/scim/oauth":
            known = dict(request.form) == {
                "grant_type": "client_credentials",
                "client_id": "entra",
                "client_secret": "shhh",
            }
            return self.json({"access_token": TOKEN, "expires_in": 3600} if known else {}, 200 if known else 401)
        return super().answer(request)


def test_a_token_is_requested_with_client_credentials(tenant):
    with served(TokenEndpoint()) as url:
        options = ("sync", tenant, "--url", url, "--rate", 0, "--oauth", f"{url}/oauth", "--client-id", "entra")
        good = run(*options, "--client-secret", "shhh", token="")
        bad = run(*options, "--client-secret", "wrong", token="")
        html = run(*options[:-4], "--oauth", f"{url}/Users", token="")
    assert good.exit_code == 0, good.output
    assert "returned 401 without an access_token" in bad.output
    assert "without an access_token" in html.output
    gone = run(*options[:-3], "http://127.0.0.1:9/", token="")
    assert "could not reach the token endpoint" in gone.output
    assert "shhh" not in good.output + bad.output


class OddTokens(Endpoint):
    """An endpoint whose tokens contain line breaks."""

    def answer(self, request):
        return self.json({"access_token": "Secret\r\nToken"}, 200)


def test_a_requested_token_with_invalid_characters_is_not_shown(tenant):
    with served(OddTokens()) as url:
        result = run("sync", tenant, "--url", url, "--oauth", f"{url}/oauth", token="")
    assert result.exit_code == 1
    assert "characters that an HTTP header cannot carry" in result.output
    assert "Secret" not in result.output
