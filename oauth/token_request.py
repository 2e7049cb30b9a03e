"""Token requests of the client credentials grant (RFC 6749 section 4.4), read and checked before any secret is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPES = {"scim": "read-write", "scim.read": "read-only"}  # by the words of a request, as the configuration has them


class OAuthError(Exception):
    """An error of RFC 6749 section 5.2. The client gets its code alone; the reason is for the logs.

    `has_expired`: the secret was right and has expired, so the client itself sent it. `retry_after`: the same request
    may succeed after so many seconds.
    """

    def __init__(
        self, code: str, reason: str, status: int = 400, *, retry_after: int = 0, has_expired: bool = False
    ) -> None:
        self.code, self.reason, self.retry_after, self.has_expired = code, reason, retry_after, has_expired
        self.status = 401 if code == "invalid_client" else status
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A token request with either a secret or an assertion, which `repr` leaves out."""

    client_id: str
    secret: str = field(repr=False)
    assertion: str = field(repr=False)
    scopes: tuple[str, ...] = ()


def read_token_request(form: Mapping[str, Sequence[str]], basic: tuple[str, str] | None) -> TokenRequest:
    """Return the request in a form, and in the id and secret of an Authorization header. Raises OAuthError.

    Entra can send the same credentials in both places, which RFC 6749 section 2.3 forbids: they must agree.
    """
    if repeated := [name for name, values in form.items() if len(values) > 1]:
        raise OAuthError("invalid_request", f"{len(repeated)} parameters are repeated")
    given = {name: values[0] for name, values in form.items() if values[0]}  # an empty one counts as left out
    _check_grant(given)
    assertion = given.get("client_assertion", "")
    if assertion and (basic or "client_secret" in given):
        raise OAuthError("invalid_request", "there is both an assertion and a secret")
    if bool(assertion) != (given.get("client_assertion_type") == JWT_BEARER):
        raise OAuthError("invalid_request", f"an assertion needs client_assertion_type={JWT_BEARER}")
    id, secret = basic or (given.get("client_id", ""), given.get("client_secret", ""))
    if given.get("client_id", id) != id or given.get("client_secret", secret) != secret:
        raise OAuthError("invalid_client", "the credentials in the header and in the body differ")
    if not id or not (secret or assertion):
        raise OAuthError("invalid_client", "there is no client ID, or neither a secret nor an assertion")
    return TokenRequest(id, secret, assertion, tuple(given.get("scope", "").split()))


def _check_grant(given: Mapping[str, str]) -> None:
    if "grant_type" not in given:
        raise OAuthError("invalid_request", "grant_type is missing")
    if given["grant_type"] != "client_credentials":
        raise OAuthError("unsupported_grant_type", "grant_type is not client_credentials")


def granted_scope(asked: Sequence[str], allowed: str) -> str:
    """Return the scope of the access token: all that the client may do, or less if it asked for less.

    Raises OAuthError if the request asks for something else as well.
    """
    if set(asked) - SCOPES.keys():
        raise OAuthError("invalid_scope", f"scope must be {' or '.join(SCOPES)}, or be left out")
    is_narrower = bool(asked) and "scim" not in asked
    return "scim.read" if is_narrower or allowed == "read-only" else "scim"
