"""The token endpoint of OAuth clients (RFC 6749 section 4.4), and its metadata (RFC 8414)."""

import json
import logging
import math
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from flask import Flask, Response, abort, jsonify
from werkzeug.exceptions import RequestEntityTooLarge

from config import Client, Config
from oauth.access_tokens import Grant, as_token, issue
from oauth.authentication import authenticate_by_assertion, authenticate_by_secret
from oauth.keys import ALGORITHMS, FetchError, KeyCache
from oauth.token_request import SCOPES, OAuthError, TokenRequest, granted_scope, read_token_request
from runtime.shared_ids import SharedIds
from runtime.throttle import Throttle
from scim.errors import InvalidSyntax
from scim.web.request import request, service, token_url

METADATA = "/.well-known/oauth-authorization-server"
MAX_BYTES = 16_384  # an assertion of Entra's has about 2,000
_LATER = "temporarily_unavailable"
_FORM = "application/x-www-form-urlencoded"

log = logging.getLogger("tinyscim.oauth")


class TokenEndpoint:
    """Gives access tokens to the clients of the configuration; failed sign-ins are throttled.

    Without clients there is nothing at its addresses.
    """

    def __init__(self, throttle: Throttle, keys: KeyCache, used_assertions: SharedIds) -> None:
        self._throttle, self._keys, self._used = throttle, keys, used_assertions

    def init_app(self, app: Flask, path: str) -> None:
        """Register the endpoint and its metadata."""
        app.add_url_rule(path, "token", self.token, methods=["POST"])
        app.add_url_rule(METADATA, "oauth_metadata", self.metadata)

    def metadata(self) -> Response:
        """Return the metadata of the authorization server."""
        _configuration()
        return jsonify(
            issuer=request.service_origin,
            token_endpoint=token_url(),
            grant_types_supported=["client_credentials"],
            response_types_supported=[],
            scopes_supported=list(SCOPES),
            token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post", "private_key_jwt"],
            token_endpoint_auth_signing_alg_values_supported=ALGORITHMS,
        )

    def token(self) -> Response:
        """Answer a token request, or refuse it with an error of RFC 6749 section 5.2."""
        config, claimed = _configuration(), None
        try:
            given = read_token_request(_form(), _basic())
            claimed = config.client(given.client_id)
            return self._granted(given, config)
        except OAuthError as error:
            return _refused(error, claimed)

    def _granted(self, given: TokenRequest, config: Config) -> Response:
        client, credential = self._authenticated(given, config)
        scope = granted_scope(given.scopes, client.scope)
        seconds = config.oauth.access_token_minutes * 60
        text = issue(service().access_token_key(), Grant(client.id, credential, scope), seconds)
        request.token = as_token(client, scope)
        log.info("request=%s client %s signed in with %s", request.id, _shown(client), credential)
        return _answer({"access_token": text, "token_type": "Bearer", "expires_in": seconds, "scope": scope})

    def _authenticated(self, given: TokenRequest, config: Config) -> tuple[Client, str]:
        """Return the client, and what it signed in with. Raises OAuthError.

        Only failures are throttled: a right secret cannot be guessed, and no attacker can lock it out.
        """
        address, client = request.remote_addr or "", config.client(given.client_id)
        try:
            found = self._checked(given, config)
        except OAuthError as error:
            if wait := self._throttle.attempt(address, client.id if client else "-"):
                reason = f"{error.reason}; after too many failures, the next answer comes in {math.ceil(wait)} s"
                raise OAuthError(_LATER, reason, 429, retry_after=math.ceil(wait)) from None
            raise
        except FetchError as error:
            raise OAuthError(_LATER, f"the assertion was not verified: {error}", 503, retry_after=5) from None
        self._throttle.forgive(address, given.client_id)
        return found

    def _checked(self, given: TokenRequest, config: Config) -> tuple[Client, str]:
        if given.assertion:
            return authenticate_by_assertion(given, config, self._keys, self._used)
        return authenticate_by_secret(given, config)


def _configuration() -> Config:
    """Return the configuration; respond with 404 if it has no clients."""
    config = service().live_config.current
    if not config.clients:
        abort(404)
    return config


def _form() -> dict[str, list[str]]:
    """Return the parameters in the body. Raises OAuthError."""
    if request.mimetype != _FORM:
        raise OAuthError("invalid_request", f"the body's type is not {_FORM}")
    request.max_content_length = MAX_BYTES
    try:
        return parse_qs(request.read_body().decode(), keep_blank_values=True)
    except RequestEntityTooLarge:
        raise OAuthError("invalid_request", f"the body has more than {MAX_BYTES} bytes") from None
    except (InvalidSyntax, ValueError):
        raise OAuthError("invalid_request", "the body ended early, or is not valid UTF-8") from None


def _basic() -> tuple[str, str] | None:
    """Return the id and the secret in the Authorization header. Raises OAuthError if there is something else."""
    if "Authorization" not in request.headers:
        return None
    given = None
    with suppress(ValueError):  # Werkzeug raises it for characters outside ASCII
        given = request.authorization
    if given is None or given.type != "basic" or given.username is None or given.password is None:
        raise OAuthError("invalid_client", "the Authorization header is not of the Basic scheme")
    return unquote_plus(given.username), unquote_plus(given.password)


def _refused(error: OAuthError, client: Client | None) -> Response:
    log.warning("request=%s client %s got no token (%s): %s", request.id, _shown(client), error.code, error.reason)
    _emit(error, client)
    headers = {"WWW-Authenticate": 'Basic realm="SCIM"'} if error.status == 401 else {}
    if error.retry_after:
        headers["Retry-After"] = str(error.retry_after)
    return _answer({"error": error.code}, error.status, headers)


def _emit(error: OAuthError, client: Client | None) -> None:
    """Send the refusal to the observers. It counts as the client's only if the client itself sent the request."""
    request.rejection = ("expired", client.name) if client and error.has_expired else ("sign-in", "")
    said = f"The sign-in of client {_shown(client)} was refused: {error.reason}"
    service().emit_event(request.event(error.status, {"detail": said}, query={}))


def _shown(client: Client | None) -> str:
    """Return the client's name for the log. An unknown id is left out: a secret may have been pasted in its place."""
    return json.dumps(client.name) if client else "-"


def _answer(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    response = jsonify(body)
    response.status_code = status
    response.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache", **(headers or {})})
    return response
