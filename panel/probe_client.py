"""The sign-in of the connection test at the token endpoint."""

from typing import TYPE_CHECKING

from config import Config
from oauth.keys import FetchError, fetch
from panel.probe import CheckFailed, SignIn, Step, json_body, sent

if TYPE_CHECKING:
    import httpx


def with_client(config: Config, url: str, id: str, secret: str) -> SignIn:
    """Return what signs in as a client: with a secret, at the URL of the token endpoint.

    Only Entra can sign an assertion, so of a workload identity the test fetches the keys.
    """

    def sign_in(client: "httpx.Client") -> tuple[str, list[Step]]:
        steps = [_check_keys(one.federation.jwks_url) for one in config.clients if one.federation]
        form = {"grant_type": "client_credentials", "client_id": id, "client_secret": secret}
        token = _access_token(sent(lambda: client.post(url, data=form)), url)
        return token, [*steps, Step("good", "Sign-in works", "The token endpoint issued an access token.")]

    return sign_in


def _check_keys(url: str) -> Step:
    try:
        keys = fetch(url)
    except FetchError as error:
        raise CheckFailed(
            "The keys of the workload identity cannot be fetched",
            f"{url}: {error}. Check the JWKS URL, and that this server may connect to it.",
        ) from None
    return Step("good", "The keys of the workload identity can be fetched", f"There are {len(keys)} at {url}.")


def _access_token(response: "httpx.Response", url: str) -> str:
    """Return the token in the answer of the token endpoint; explain any other answer."""
    body = json_body(response)
    if response.status_code == 200 and isinstance(body, dict) and isinstance(body.get("access_token"), str):
        return str(body["access_token"])
    if isinstance(body, dict) and "error" in body:
        title, detail = _SIGN_IN_REJECTED
    else:
        title, detail = _NO_TOKEN_ENDPOINT
    raise CheckFailed(title, detail.format(status=response.status_code, url=url))


_NO_TOKEN_ENDPOINT = (
    "The token endpoint cannot be reached",
    "The response ({status}) is not from this service. Configure the proxy to forward {url} too.",
)
_SIGN_IN_REJECTED = (
    "The sign-in is rejected",
    "The token endpoint {url} rejected the test's credentials ({status}). The service's log has the reason, unless the "
    "URL belongs to another installation.",
)
