"""OAuth client credentials: request a token at the start of a cycle instead of using a pasted one."""

from dataclasses import dataclass, field

import httpx


def is_valid_token(token: str) -> bool:
    """Return whether an HTTP header can carry the token."""
    return token.isascii() and token.isprintable()


class TokenRequestError(Exception):
    """The token endpoint returned no usable token; the message contains no secret."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The token endpoint and the client's credentials; `repr` leaves out the secret."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""

    def request_token(self, transport: httpx.BaseTransport | None = None) -> str:
        """Request a token. Raises TokenRequestError if the response contains none."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id}
        form |= {"client_secret": self.client_secret} | ({"scope": self.scope} if self.scope else {})
        try:
            with httpx.Client(transport=transport) as client:
                response = client.post(self.url, data=form)
            token = response.json().get("access_token") if response.is_success else None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TokenRequestError(f"could not reach the token endpoint: {error}") from None
        except (ValueError, AttributeError):
            raise TokenRequestError("the token endpoint's response is not a JSON object") from None
        if not isinstance(token, str) or not token:
            raise TokenRequestError(f"the token endpoint returned {response.status_code} without an access_token")
        if not is_valid_token(token):
            raise TokenRequestError(
                "the token endpoint returned a token with characters that an HTTP header cannot carry"
            )
        return token
