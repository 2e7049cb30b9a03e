"""Authentication of clients: by a secret (RFC 6749 section 2.3), or by an assertion (RFC 7523 section 2.2)."""

import hmac

from config import Client, Config
from config.tokens import hash_token
from oauth.keys import KeyCache
from oauth.token_request import OAuthError, TokenRequest
from runtime.shared_ids import SharedIds


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
        raise OAuthError("invalid_client", f'the secret "{found[0].id}" has expired: create another', has_expired=True)
    return client, found[0].id


def authenticate_by_assertion(
    request: TokenRequest, config: Config, keys: KeyCache, used: SharedIds
) -> tuple[Client, str]:
    """Return the client, and the id of its federation. Raises OAuthError, FetchError."""
    from oauth.federation import verify  # with the first assertion only: it takes half of a command's start-up time

    client = client_of(request, config)
    if client.federation is None:
        raise OAuthError("invalid_client", "this client has no [clients.federation]")
    verify(request.assertion, client.federation, keys, used)
    return client, client.federation.credential


def client_of(request: TokenRequest, config: Config) -> Client:
    """Return the client that a request names. Raises OAuthError."""
    client = config.client(request.client_id)
    if client is None:
        raise OAuthError("invalid_client", "no client has this ID")
    return client
