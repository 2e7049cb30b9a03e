"""Authentication of clients by their secrets (RFC 6749 section 2.3)."""

import hmac

from config import Client, Config
from config.tokens import hash_token
from oauth.token_request import OAuthError, TokenRequest


def authenticate_by_secret(request: TokenRequest, config: Config) -> tuple[Client, str]:
    """Return the client, and the id of the secret that it gave. Raises OAuthError.

    The secret is compared with each of the client's, all in constant time.
    """
    given = hash_token(request.secret)
    client = client_of(request, config)
    found = [one for one in client.secrets if hmac.compare_digest(one.sha256, given)]
    if not found:
        raise OAuthError("invalid_client", "the secret is wrong, or was revoked")
    if not found[0].is_valid:
        raise OAuthError("invalid_client", f'the secret "{found[0].id}" has expired: create another')
    return client, found[0].id


def client_of(request: TokenRequest, config: Config) -> Client:
    """Return the client that a request names. Raises OAuthError."""
    client = config.client(request.client_id)
    if client is None:
        raise OAuthError("invalid_client", "no client has this ID")
    return client
