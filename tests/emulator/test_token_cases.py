"""The validation's cases of the token endpoint: each fault is detected by its case."""

import json

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from entra.client import Endpoint as Client
from entra.client import HttpOptions
from entra.oauth import Credentials
from entra.validate.cases import Status
from entra.validate.runner import Run
from entra.validate.signing_in import SECTION
from entra.workload_identity import WorkloadIdentity
from tests.support.emulator_endpoint import Endpoint
from tests.support.emulator_job import client, served
from tests.support.emulator_oauth import CLIENT, SECRET, OAuthEndpoint
from tests.support.serving import free_port


@pytest.fixture(scope="module")
def identity():
    found = WorkloadIdentity.create(free_port())
    with found.serving():
        yield found


def validated(app, identity=None):
    with served(app) as url:
        credentials = Credentials(f"{url}/oauth2/token", CLIENT, "" if identity else SECRET, identity=identity)
        endpoint = Client(url, "", HttpOptions(rate=0), credentials=credentials)
        endpoint.refresh_token()
        run = Run(endpoint, cases=tuple(SECTION.cases))
        list(run.results())
        endpoint.close()
    return {r.case.name: r for r in run.finished}


def names(results, *statuses):
    return {name for name, result in results.items() if result.status in statuses}


def test_without_a_token_endpoint_its_cases_are_skipped():
    run = Run(client(Endpoint()), cases=tuple(SECTION.cases))
    skipped = [r.message for r in run.results() if r.status is Status.SKIPPED]
    assert skipped == ["the sign-in is a static token"] * len(SECTION.cases)


def test_a_correct_endpoint_passes_with_a_secret():
    results = validated(OAuthEndpoint())
    assert names(results, Status.FAILED, Status.WARNED) == set()
    assert names(results, Status.SKIPPED) == {"token-assertions"}


def test_a_correct_endpoint_passes_with_a_workload_identity(identity):
    results = validated(OAuthEndpoint(identity), identity)
    assert {name: r.message for name, r in results.items() if r.status in (Status.FAILED, Status.WARNED)} == {}
    assert names(results, Status.SKIPPED) == {"token-credentials", "token-wrong-secret"}


class AnySecret(OAuthEndpoint):
    def is_authenticated(self, form, header):
        return form.get("client_id", CLIENT) == CLIENT


class AnyClient(OAuthEndpoint):
    def is_authenticated(self, form, header):
        return super().is_authenticated({**form, "client_id": CLIENT}, header)


class BodyOnly(OAuthEndpoint):
    def is_authenticated(self, form, header):
        return super().is_authenticated(form, "")


class ForbiddenIs403(OAuthEndpoint):
    def refuse(self, status, error):
        return super().refuse(403 if status == 401 else status, error)


class AnyGrant(OAuthEndpoint):
    def refuse(self, status, error):
        return super().refuse(400, "invalid_request")


class TextLifetime(OAuthEndpoint):
    def granted(self, body):
        return super().granted({**body, "expires_in": "3600"})


class ShortLifetime(OAuthEndpoint):
    lifetime = 600


class Stored(OAuthEndpoint):
    def reply(self, body, status):
        response = super().reply(body, status)
        del response.headers["Cache-Control"]
        return response


class OneToken(OAuthEndpoint):
    def granted(self, body):
        for token in self.tokens:
            self.tokens[token] = self.tokens[token] if token == body["access_token"] else 0
        return super().granted(body)


class NoChallenge(OAuthEndpoint):
    def problem(self, problem):
        response = super().problem(problem)
        response.headers.pop("WWW-Authenticate", None)
        return response


@pytest.mark.parametrize(
    ("app", "detected"),
    [
        (AnySecret, {"token-wrong-secret"}),
        (AnyClient, {"token-unknown-client"}),
        (BodyOnly, {"token-credentials"}),
        (ForbiddenIs403, {"token-wrong-secret", "token-unknown-client"}),
        (AnyGrant, {"token-grant", "token-wrong-secret", "token-unknown-client"}),
        (TextLifetime, {"token-response", "token-lifetime"}),
        (ShortLifetime, {"token-lifetime"}),
        (Stored, {"token-not-stored"}),
        (OneToken, {"token-works"}),
        (NoChallenge, {"token-altered"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_fault_is_detected_by_its_case(app, detected):
    assert names(validated(app()), Status.FAILED, Status.WARNED) == detected


class Unsigned(OAuthEndpoint):
    def accepts(self, assertion):
        return super().accepts(self.identity.assertion())


class AnyAudience(OAuthEndpoint):
    def accepts(self, assertion):
        keys = KeySet([self.identity.key])
        try:
            claims = jwt.decode(assertion, keys, algorithms=["RS256"]).claims
        except ValueError:
            return False
        return super().accepts(self.identity.assertion(**{**claims, "aud": self.identity.audience}))


@pytest.mark.parametrize(
    ("app", "message"),
    [(Unsigned, "an assertion expired was accepted"), (AnyAudience, "for another audience was accepted")],
)
def test_an_assertion_that_must_be_refused_is_named(identity, app, message):
    results = validated(app(identity), identity)
    assert names(results, Status.FAILED) == {"token-assertions"}
    assert message in results["token-assertions"].message


class Throttled(OAuthEndpoint):
    """Lets the client wait after each wrong secret."""

    seconds = "1"
    left = 0

    def token(self, request):
        if self.left:
            self.left -= 1
            response = self.refuse(429, "invalid_client")
            response.headers["Retry-After"] = self.seconds
            return response
        response = super().token(request)
        self.left = int(json.loads(response.data).get("error") == "invalid_client")
        return response


def test_a_short_wait_is_kept_and_a_long_one_skips_the_case():
    patient = Throttled()
    patient.seconds = "0"
    assert names(validated(patient), Status.FAILED, Status.WARNED) == set()
    strict = Throttled()
    strict.seconds = "300"
    results = validated(strict)
    assert "throttles" in results["token-wrong-secret"].message
    assert names(results, Status.FAILED, Status.WARNED) == set()
