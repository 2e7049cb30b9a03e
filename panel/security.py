"""Access to the panel: sessions, sign-in, CSRF, networks and security headers."""

from flask import Blueprint, Flask, Request, Response, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, generate_csrf, validate_csrf
from itsdangerous import URLSafeTimedSerializer
from werkzeug.exceptions import Forbidden, MethodNotAllowed, NotFound

from panel import sessions
from panel.page import error_page, is_form_submission
from runtime import networks
from runtime.shared_ids import SharedIds
from scim.directory.service import Service

PREFIX = "/panel"
_SECRET = "tinyscim.session_secret"  # noqa: S105  # a key of the WSGI environment
PUBLIC = ("panel.sign_in", "panel.static")
UPLOADS = ("panel.schema_file",)  # may be as large as max_body_bytes
SIGN_IN_BYTES = 4_096
FORM_BYTES = 65_536
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Sessions(SecureCookieSessionInterface):
    """Sessions in a cookie that only the panel uses, signed with the secret configured when the request began.

    A new password comes with a new secret, which ends every session, also for requests in progress.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of a request to the panel, and store the secret with the request."""
        if not _is_panel(request.path):
            return None
        request.environ[_SECRET] = self._service.live_config.current.panel.secret
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save the session, unless the secret has changed since the request began."""
        if request_secret() == self._service.live_config.current.panel.secret:
            super().save_session(app, session, response)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return the serializer of the session cookie, or None without a secret."""
        options = {"key_derivation": self.key_derivation, "digest_method": self.digest_method}
        secret = request_secret()
        if not secret:
            return None
        return URLSafeTimedSerializer(secret, salt=self.salt, serializer=self.serializer, signer_kwargs=options)

    def get_cookie_name(self, app: Flask) -> str:
        """Over TLS, use a name that other hosts cannot set (RFC 6265bis section 4.1.3).

        Below a proxy's prefix, other services share the host, so the cookie keeps its path.
        """
        prefix = ("__Secure-" if request.script_root else "__Host-") if self.get_cookie_secure(app) else ""
        return prefix + super().get_cookie_name(app)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Restrict the cookie to TLS if the request or the public URL uses it."""
        return request.is_secure or self._service.startup_config.server.public_url.startswith("https:")

    def get_cookie_path(self, app: Flask) -> str:
        """Send the cookie only to the panel, unless its name requires "/"."""
        return "/" if self.get_cookie_name(app).startswith("__Host-") else request.script_root + PREFIX


def request_secret() -> str:
    """Return the secret that signs the request's session, or an empty string."""
    secret: str = request.environ.get(_SECRET, "")
    return secret


def _csrf_token() -> str:
    token: str = generate_csrf(secret_key=request_secret())
    return token


class PanelSecurity:
    """Requires a signed-in administrator and a valid CSRF token."""

    def __init__(self, service: Service, revoked: SharedIds) -> None:
        self._service, self._revoked = service, revoked

    def init_app(self, app: Flask, panel: Blueprint) -> None:
        """Configure the sessions and register the hooks, also for unknown paths under the panel's prefix."""
        app.session_interface = Sessions(self._service)
        app.config.update(
            SESSION_COOKIE_NAME="tinyscim_panel",
            SESSION_COOKIE_SAMESITE="Lax",
            PERMANENT_SESSION_LIFETIME=sessions.MAX_LIFETIME,
            WTF_CSRF_TIME_LIMIT=None,  # a form is valid as long as the session
        )
        app.jinja_env.globals["csrf_token"] = _csrf_token
        app.before_request(self.check_request)
        panel.before_request(self.require_login)
        panel.after_request(self.reload_configuration)
        app.after_request(set_security_headers)

    def check_request(self) -> ResponseReturnValue | None:
        """Reject clients outside the networks of [panel] allow, and answer unknown paths below the prefix."""
        return (self._check_network() or self._handle_unrouted()) if _is_panel(request.path) else None

    def _check_network(self) -> ResponseReturnValue | None:
        allow = self._service.live_config.current.panel.allow
        if not allow:
            return None
        if "X-Forwarded-For" in request.headers and not self._service.startup_config.server.trusted_proxies:
            return Forbidden(
                "A proxy that is not trusted forwarded this request. Set trusted_proxies under [server]."
            ).get_response()
        address = request.remote_addr or ""
        if not networks.is_within(address, allow):
            return Forbidden(f"[panel] allow does not include {address[:100] or 'this address'}.").get_response()
        return None

    def _handle_unrouted(self) -> ResponseReturnValue | None:
        error = request.routing_exception
        if not isinstance(error, NotFound | MethodNotAllowed):
            return None
        return self._reject() or error_page(error)

    def require_login(self) -> ResponseReturnValue | None:
        """Reject requests without a session, and forms without a valid CSRF token."""
        if request.endpoint == "panel.static":
            return None
        rejection = self._reject()
        if not rejection and is_form_submission() and request.endpoint not in PUBLIC:
            check_form(FORM_BYTES)
            rejection = self._reject()  # the password may have changed while the form was read
        return rejection

    def reload_configuration(self, response: Response) -> Response:
        """Apply a form's change to this worker's next request; other workers reload by themselves."""
        if is_form_submission():
            self._service.live_config.reload()
        return response

    def _reject(self) -> ResponseReturnValue | None:
        """Return the response to a request without a session."""
        panel = self._service.live_config.current.panel
        if not panel.is_on:
            return render_template("panel/off.html"), 503
        is_current = request_secret() == panel.secret
        if (is_current and sessions.is_signed_in(self._revoked)) or request.endpoint in PUBLIC:
            return None
        wanted = None if is_form_submission() else request.full_path.removesuffix("?")
        return redirect(url_for("panel.sign_in", next=wanted))


def check_form(limit: int) -> None:
    """Read the form up to `limit` bytes. Raises CSRFError if its token does not belong to this session."""
    if request.endpoint not in UPLOADS:
        request.max_content_length = min(limit, request.max_content_length or limit)
    try:
        validate_csrf(request.form.get("csrf_token"), secret_key=request_secret())
    except ValueError as error:
        raise CSRFError(str(error)) from None


def _is_panel(path: str) -> bool:
    return path == PREFIX or path.startswith(PREFIX + "/")


def set_security_headers(response: Response) -> Response:
    """Set the security headers of the panel's responses."""
    if not _is_panel(request.path):
        return response
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response
