"""Verification of client assertions, which a workload identity signs in with (RFC 7523 section 3)."""

import hashlib
import re
import time
from typing import Any

from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry

from config import Federation
from oauth.keys import ALGORITHMS, MAX_LIFETIME, SKEW, KeyCache, UnknownKey
from oauth.token_request import OAuthError
from runtime.shared_ids import SharedIds

_MAX_CHARACTERS = 8_192
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REASONS = {
    "iss": "iss is not the configured issuer",
    "sub": "sub is not the configured subject",
    "aud": "aud is not one of the configured audiences: Entra sends api://APP-ID, with or without /.default, or APP-ID",
    "tid": "tid is not the tenant in the configured issuer",
    "nbf": "it does not work yet: this server's clock is slow, or the issuer's fast",
    "iat": "it was issued in the future: this server's clock is slow, or the issuer's fast",
}


def verify(assertion: str, federation: Federation, keys: KeyCache, used: SharedIds) -> None:
    """Raise OAuthError, with the reason for the log, unless the federation's workload identity signed the assertion.

    One with a `jti` works once. Raises FetchError if the issuer's keys cannot be fetched.
    """
    if len(assertion) > _MAX_CHARACTERS:
        raise _invalid(f"it has more than {_MAX_CHARACTERS} characters")
    claims = _signed_claims(assertion, federation.jwks_url, keys)
    _check_claims(claims, federation)
    if "jti" in claims and not used.add(_used_id(federation, claims["jti"]), time.time()):
        raise _invalid("it was used before: its jti is known")


def _signed_claims(assertion: str, jwks_url: str, keys: KeyCache) -> dict[str, Any]:
    """Return the claims of an assertion whose signature is valid. Raises OAuthError."""

    def find_key(signature: Any) -> Key:
        return JWKRegistry.import_key(dict(keys.find(jwks_url, _key_id(signature.headers()))))

    # Unknown header parameters are ignored, as RFC 7515 section 4 says, except those that `crit` lists.
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    registry.max_header_length = _MAX_CHARACTERS
    try:
        return jwt.decode(assertion, find_key, registry=registry).claims
    except UnknownKey as error:
        raise _invalid(str(error)) from None
    except UnsupportedAlgorithmError:
        raise _invalid(f"its algorithm is not one of {', '.join(ALGORITHMS)}") from None
    except BadSignatureError:
        raise _invalid("its signature is wrong") from None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _invalid("it is not a signed JSON Web Token, or its key does not fit its algorithm") from None


def _key_id(headers: dict[str, Any]) -> str:
    id = headers.get("kid")
    if not isinstance(id, str):
        raise UnknownKey("it does not name its key (kid)")
    return id


def _check_claims(claims: dict[str, Any], federation: Federation) -> None:
    expected = {"iss": federation.issuer, "sub": federation.subject}
    if tenant := _UUID.search(federation.issuer):
        expected["tid"] = tenant[0]
    registry = jwt.JWTClaimsRegistry(
        leeway=SKEW,
        aud={"essential": True, "values": list(federation.audiences)},
        exp={"essential": True},
        iss={"essential": True},
        sub={"essential": True},
        tid={"essential": "tid" in expected},
    )
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        raise _invalid("it has expired: this server's clock is fast, or it was sent too late") from None
    except MissingClaimError as error:
        raise _invalid(f"it lacks {error.claim}") from None
    except InvalidClaimError as error:
        raise _invalid(_REASONS.get(error.claim, f"{error.claim} is not valid")) from None
    for name, value in expected.items():
        if claims.get(name) != value:  # the registry would accept a list with it
            raise _invalid(_REASONS[name])
    if claims["exp"] > time.time() + MAX_LIFETIME:
        raise _invalid("it would work for more than a day")


def _used_id(federation: Federation, id: str) -> str:
    return hashlib.sha256(f"{federation.issuer} {id}".encode(errors="surrogatepass")).hexdigest()


def _invalid(reason: str) -> OAuthError:
    return OAuthError("invalid_client", f"the assertion was rejected: {reason}")
