"""Cases of the token endpoint, for endpoints at which Entra signs in with OAuth client credentials."""

import base64
import hmac
import json
import time
import uuid
from dataclasses import replace
from typing import Any, Literal

from joserfc.jwk import RSAKey

from entra.exchange import Exchange
from entra.oauth import Credentials
from entra.validate.cases import Section
from entra.validate.connecting import unknown_user
from entra.validate.probe import Probe
from entra.workload_identity import WorkloadIdentity

SECTION = Section("Token endpoint")
case = SECTION.case_once
REFUSED = "Entra gets no access token, and the job goes into quarantine."
OPEN = "A client that must not sign in gets an access token."
PLACES: tuple[Literal["body", "header", "both"], ...] = ("body", "header", "both")
HOUR, SIX_HOURS = 3600, 6 * 3600
MAX_WAIT = 10  # seconds


def _credentials(probe: Probe) -> Credentials:
    found = probe.endpoint.credentials
    return found or probe.skip("the sign-in is a static token")


def _ask(probe: Probe, credentials: Credentials | None = None, **changes: str | None) -> Exchange:
    """Send a token request; one that is throttled is sent again after a short time."""
    asked = credentials or _credentials(probe)
    exchange = probe.ask_for_token(asked, **changes)
    seconds = exchange.headers.get("retry-after", "")
    if exchange.status == 429 and seconds.isdecimal() and int(seconds) <= MAX_WAIT:
        time.sleep(int(seconds))
        exchange = probe.ask_for_token(asked, **changes)
    if exchange.status == 429:
        probe.skip("the token endpoint throttles sign-ins; run this case again later")
    return exchange


def _granted(probe: Probe, credentials: Credentials | None = None, **changes: str | None) -> dict[str, Any]:
    """Return the body of a successful token response; fail the case if there is none."""
    exchange = _ask(probe, credentials, **changes)
    probe.expect_status(exchange, 200)
    body = exchange.response
    probe.expect(isinstance(body, dict) and isinstance(body.get("access_token"), str), "there is no access_token")
    return dict(body)


def _forged(identity: WorkloadIdentity, alg: str) -> str:
    """Return an assertion that only a verifier without a list of algorithms accepts (RFC 8725 section 3.1)."""
    header = _encode(json.dumps({"alg": alg, "kid": identity.key.kid}).encode())
    signed = f"{header}.{identity.assertion().split('.')[1]}"
    public = identity.key.as_pem(private=False)
    return f"{signed}.{_encode(hmac.digest(public, signed.encode(), 'sha256')) if alg == 'HS256' else ''}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _expect_error(probe: Probe, exchange: Exchange, status: int, error: str) -> None:
    probe.expect_status(exchange, status)
    body = exchange.response if isinstance(exchange.response, dict) else {}
    probe.expect_equal("error", body.get("error"), error)


@case(REFUSED, "Return 200 and a JSON object with access_token, token_type Bearer and expires_in as a number.")
def token_response(probe: Probe) -> None:
    """A token request gets an access token, its type and its lifetime."""
    body = _granted(probe)
    probe.expect_equal("token_type in lower case", str(body.get("token_type")).lower(), "bearer")
    probe.expect(type(body.get("expires_in")) is int, f"expires_in is {body.get('expires_in')!r}, not an integer")


@case("The gallery's test of the token's lifetime fails.", "Let access tokens live 1 to 6 hours.", only_warn=True)
def token_lifetime(probe: Probe) -> None:
    """An access token lives 60 minutes to 6 hours."""
    seconds = _granted(probe).get("expires_in")
    is_fit = isinstance(seconds, int) and HOUR <= seconds <= SIX_HOURS
    probe.expect(is_fit, f"expires_in is {seconds!r}, not between {HOUR} and {SIX_HOURS}")


@case("A cache may keep the access token.", "Send Cache-Control: no-store with every token response.", only_warn=True)
def token_not_stored(probe: Probe) -> None:
    """A token response must not be stored."""
    _granted(probe)
    found = probe.exchanges[-1].headers.get("cache-control", "")
    probe.expect("no-store" in found.lower(), f"Cache-Control is {found!r} instead of no-store")


@case(REFUSED, "Accept the access tokens of the token endpoint on every SCIM request.")
def token_works(probe: Probe) -> None:
    """A new access token works at once, and those before it go on working."""
    tokens = [_granted(probe)["access_token"] for _ in range(2)]
    for token in tokens:
        probe.expect_status(probe.search_with_token(token, unknown_user()), 200)


@case(REFUSED, "Accept client ID and secret in the header, in the body, and in both.")
def token_credentials(probe: Probe) -> None:
    """The client's credentials are accepted wherever the administrator lets Entra send them."""
    credentials = _credentials(probe)
    if credentials.identity is not None:
        probe.skip("the client has a workload identity and no secret")
    for place in PLACES:
        _granted(probe, replace(credentials, sent=place))


@case(OPEN, "Return 401 and invalid_client for a wrong secret or a wrong assertion.")
def token_wrong_secret(probe: Probe) -> None:
    """A wrong secret gets 401 and the error invalid_client."""
    credentials = _credentials(probe)
    if credentials.identity is not None:
        probe.skip("the client has a workload identity and no secret")
    _expect_error(probe, _ask(probe, replace(credentials, secret=str(uuid.uuid4()))), 401, "invalid_client")
    _granted(probe)


@case(OPEN, "Return 401 and invalid_client for a client ID that does not exist.")
def token_unknown_client(probe: Probe) -> None:
    """An unknown client gets 401 and the error invalid_client."""
    unknown = replace(_credentials(probe), client_id=str(uuid.uuid4()))
    _expect_error(probe, _ask(probe, unknown), 401, "invalid_client")


@case("Errors in the configuration cannot be found.", "Return 400 and unsupported_grant_type or invalid_request.")
def token_grant(probe: Probe) -> None:
    """Another grant type, or none, gets 400 and its error."""
    _expect_error(probe, _ask(probe, grant_type="password"), 400, "unsupported_grant_type")
    _expect_error(probe, _ask(probe, grant_type=None), 400, "invalid_request")


@case("Entra cannot detect that it needs another access token.", "Return 401 and WWW-Authenticate: Bearer.")
def token_altered(probe: Probe) -> None:
    """An altered access token gets 401."""
    token = _granted(probe)["access_token"]
    middle = len(token) // 2
    for altered in (f"{token[:middle]}{'A' if token[middle] != 'A' else 'B'}{token[middle + 1 :]}", token[:-8]):
        exchange = probe.search_with_token(altered, unknown_user())
        probe.expect_status(exchange, 401)
        found = exchange.headers.get("www-authenticate", "")
        probe.expect(found.lower().startswith("bearer"), f"WWW-Authenticate is {found!r} instead of Bearer")


@case(OPEN, "Check signature, algorithm, issuer, subject, audience and times of each assertion exactly.")
def token_assertions(probe: Probe) -> None:
    """An assertion that is expired, altered, or meant for another endpoint gets 401."""
    identity = _credentials(probe).identity
    if identity is None:
        probe.skip("the client has a secret and no workload identity")
    now = int(time.time())
    wrong = {
        "expired": identity.assertion(iat=now - 7200, nbf=now - 7200, exp=now - 3600),
        "not valid yet": identity.assertion(nbf=now + 3600, exp=now + 7200),
        "for another audience": identity.assertion(aud=f"api://{uuid.uuid4()}"),
        "of another issuer": identity.assertion(iss=identity.issuer.replace(identity.tenant, str(uuid.uuid4()))),
        "of another subject": identity.assertion(sub=str(uuid.uuid4())),
        "of another tenant": identity.assertion(tid=str(uuid.uuid4())),
        "signed with another key": identity.assertion(key=RSAKey.generate_key(2048)),
        "signed with the public key": _forged(identity, "HS256"),
        "without a signature": _forged(identity, "none"),
    }
    for name, assertion in wrong.items():
        exchange = _ask(probe, client_assertion=assertion)
        probe.expect(exchange.status != 200, f"an assertion {name} was accepted", exchange)
        _expect_error(probe, exchange, 401, "invalid_client")
        _granted(probe)  # a wrong assertion does not keep the client out
