"""The check of bearer tokens: static ones (RFC 7644 section 2), and access tokens of OAuth clients."""

import hmac
from collections.abc import Callable

from config import Config, Token
from config.tokens import PREFIX, hash_token
from oauth.access_tokens import ExpiredToken, InvalidToken, token_of
from scim.errors import TokenExpired, Unauthorized

_UNKNOWN = "The bearer token is missing or not known here."


def authenticate(text: str, config: Config, access_token_key: Callable[[], bytes]) -> Token:
    """Return the configured token with this text, or the client of an access token. Raises Unauthorized.

    The text is compared with every token, each time in constant time, so the time reveals nothing about a token.
    """
    if not text:
        raise Unauthorized(_UNKNOWN, "missing")
    given = hash_token(text)
    found = [token for token in config.tokens if hmac.compare_digest(token.sha256, given)]
    if valid := [token for token in found if token.is_valid]:
        return valid[0]
    if found:
        raise Unauthorized(_UNKNOWN, "expired", found[0].name)
    if revoked := [token for token in config.revoked_tokens if hmac.compare_digest(token.sha256, given)]:
        raise Unauthorized(_UNKNOWN, revoked[-1].reason, revoked[-1].name)
    if not text.startswith(PREFIX):
        raise Unauthorized(_UNKNOWN)
    try:
        return token_of(access_token_key(), text, config)
    except InvalidToken as error:
        kind = TokenExpired if isinstance(error, ExpiredToken) else Unauthorized
        raise kind(str(error) or _UNKNOWN, error.reason, error.client) from None
