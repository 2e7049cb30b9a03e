"""Bearer tokens: made here, shown once, kept as a hash (RFC 7644 section 2)."""

import hmac
from collections.abc import Iterable

from config import Token
from config.tokens import hash_token
from scim.errors import Unauthorized


def authenticate(text: str, tokens: Iterable[Token]) -> Token:
    """Return the configured token with this text. Raises Unauthorized.

    The text is compared with every token, each time in constant time, so that the time taken tells nothing.
    """
    given = hash_token(text)
    known = [token for token in tokens if hmac.compare_digest(token.sha256, given) and token.is_valid]
    if not text or not known:
        raise Unauthorized("The bearer token is missing or not known here.", *_reason(text, given, tokens))
    return known[0]


def _reason(text: str, given: str, tokens: Iterable[Token]) -> tuple[str, str]:
    """Return why a token was rejected, and its name if it was valid once."""
    expired = [token.name for token in tokens if hmac.compare_digest(token.sha256, given)]
    return ("expired", expired[0]) if expired else ("unknown" if text else "missing", "")
