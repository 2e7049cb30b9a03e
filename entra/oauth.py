"""OAuth client credentials: the token that Entra asks for at the start of a cycle instead of a pasted one."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx


def is_sendable(token: str) -> bool:
    """Say whether a header can carry the token: a client that tries with another shows it in the error."""
    return token.isascii() and token.isprintable()


class SignInError(Exception):
    """The token endpoint gave no token; the message says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Where a token comes from; the secret is kept out of every representation."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""

    def token(self, transport: httpx.BaseTransport | None = None) -> str:
        """Ask for a token. Raises SignInError when the answer holds none."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id}
        form |= {"client_secret": self.client_secret} | ({"scope": self.scope} if self.scope else {})
        try:
            with httpx.Client(transport=transport) as client:
                answer = client.post(self.url, data=form)
            token = answer.json().get("access_token") if answer.is_success else None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SignInError(f"the token endpoint cannot be reached: {error}") from None
        except (ValueError, AttributeError):
            raise SignInError("the token endpoint's answer is not a JSON object") from None
        if not isinstance(token, str) or not token:
            raise SignInError(f"the token endpoint answered {answer.status_code} without an access_token")
        if not is_sendable(token):
            raise SignInError("the token endpoint gave a token with characters that no header can have")
        return token
