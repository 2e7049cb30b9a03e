"""A SCIM endpoint in memory whose token endpoint signs clients in by a secret or by an assertion."""

import base64
import time
import uuid
from urllib.parse import unquote_plus

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response

from tests.support.emulator_endpoint import Endpoint
from tests.support.emulator_scim import ScimError

CLIENT, SECRET = "entra", "s3cret + and / more"
PATH = "/scim/oauth2/token"


class OAuthEndpoint(Endpoint):
    """The endpoint; `lifetime` is that of the access tokens it gives, `identity` what the client may sign in with."""

    lifetime = 3600

    def __init__(self, identity=None):
        super().__init__()
        self.identity = identity
        self.tokens, self.keys = {}, None
        self.forms = []

    def answer(self, request):
        return self.token(request) if request.path == PATH else super().answer(request)

    def token(self, request):
        form = dict(request.form)
        self.forms.append((form, request.headers.get("Authorization", "")))
        if "grant_type" not in form:
            return self.refuse(400, "invalid_request")
        if form["grant_type"] != "client_credentials":
            return self.refuse(400, "unsupported_grant_type")
        if not self.is_authenticated(form, request.headers.get("Authorization", "")):
            return self.refuse(401, "invalid_client")
        token = f"{uuid.uuid4()}.{uuid.uuid4()}"
        self.tokens[token] = time.monotonic() + self.lifetime
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
        return self.granted(body)

    def granted(self, body):
        return self.reply(body, 200)

    def refuse(self, status, error):
        return self.reply({"error": error}, status)

    def reply(self, body, status):
        response = Response(self.json(body).data, status, content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    def is_authenticated(self, form, header):
        if "client_assertion" in form:
            return form["client_id"] == CLIENT and self.accepts(form["client_assertion"])
        given = [(form["client_id"], form["client_secret"])] if "client_secret" in form else []
        if header.startswith("Basic "):
            pair = base64.b64decode(header[6:]).decode().partition(":")
            given.append((unquote_plus(pair[0]), unquote_plus(pair[2])))
        return bool(given) and set(given) == {(CLIENT, SECRET)}

    def accepts(self, assertion):
        """Check an assertion as RFC 7523 section 3 says, with the keys from their address."""
        wanted = self.identity
        claims = {"iss": wanted.issuer, "aud": wanted.audience, "sub": wanted.subject, "tid": wanted.tenant}
        registry = jwt.JWTClaimsRegistry(**{name: {"essential": True, "value": v} for name, v in claims.items()})
        try:
            self.keys = self.keys or KeySet.import_key_set(httpx.get(wanted.jwks_url).json())
            registry.validate(jwt.decode(assertion, self.keys, algorithms=["RS256"]).claims)
        except (JoseError, ValueError):
            return False
        return True

    def authenticate(self, request):
        end = self.tokens.get(request.headers.get("Authorization", "").split()[-1:][0], 0) if self.tokens else 0
        if time.monotonic() >= end:
            raise ScimError(401, "the access token is unknown or has expired")

    def problem(self, problem):
        response = super().problem(problem)
        if problem.status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="SCIM", error="invalid_token"'
        return response
