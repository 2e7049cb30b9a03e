"""Who may see the panel, and what a browser may do with its pages."""

from flask import Blueprint, Flask, Request, Response, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, generate_csrf, validate_csrf
from itsdangerous import URLSafeTimedSerializer
from werkzeug.exceptions import Forbidden

from panel import networks, sessions
from panel.page import error_page, is_form_submission
from scim.directory.service import Service
from scim.web.request import current

PREFIX = "/panel"
_SECRET = "tinyscim.session_secret"  # noqa: S105  # the key in the WSGI environment
OPEN = ("panel.sign_in", "panel.static")
UPLOADS = ("panel.schema_file",)  # may be as large as max_body_bytes
SIGN_IN_BYTES = 4_096
FORM_BYTES = 65_536
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Sessions(SecureCookieSessionInterface):
    """Sessions of the panel alone, in a cookie signed with the secret that was configured when the request began.

    A new password brings a new secret, so it ends every session, those of requests that are under way included.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the request's session, and note its secret with the request."""
        if not _is_panel(request.path):
            return None
        request.environ[_SECRET] = self._service.live_config.current.panel.secret
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save the session, unless its secret is no longer the configured one."""
        if request_secret() == self._service.live_config.current.panel.secret:
            super().save_session(app, session, response)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return what signs the request's session; there is no session without a secret."""
        options = {"key_derivation": self.key_derivation, "digest_method": self.digest_method}
        secret = request_secret()
        if not secret:
            return None
        return URLSafeTimedSerializer(secret, salt=self.salt, serializer=self.serializer, signer_kwargs=options)

    def get_cookie_name(self, app: Flask) -> str:
        """Over TLS, forbid other hosts to set the cookie (RFC 6265bis section 4.1.3).

        Below a proxy's prefix the host has other services, which must not share the cookie: it keeps its path.
        """
        prefix = ("__Secure-" if request.script_root else "__Host-") if self.get_cookie_secure(app) else ""
        return prefix + super().get_cookie_name(app)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Keep the cookie to TLS wherever the panel is seen over TLS, be it that the proxy does not say so."""
        return request.is_secure or self._service.startup_config.server.public_url.startswith("https:")

    def get_cookie_path(self, app: Flask) -> str:
        """Send the cookie to the panel alone, unless its name demands "/"."""
        return "/" if self.get_cookie_name(app).startswith("__Host-") else request.script_root + PREFIX


def request_secret() -> str:
    """Return the secret that signs the request's session, or ""."""
    secret: str = request.environ.get(_SECRET, "")
    return secret


def _csrf_token() -> str:
    token: str = generate_csrf(secret_key=request_secret())
    return token


class Guard:
    """Lets nobody in who has not signed in, and no form that is not the panel's own."""

    def __init__(self, app: Flask, service: Service, ended: sessions.RevokedSessions) -> None:
        self._service, self._ended = service, ended
        app.session_interface = Sessions(service)
        app.config.update(
            SESSION_COOKIE_NAME="tinyscim_panel",
            SESSION_COOKIE_SAMESITE="Lax",
            PERMANENT_SESSION_LIFETIME=sessions.LONGEST,
            WTF_CSRF_TIME_LIMIT=None,  # a form is good for as long as the session
        )
        app.jinja_env.globals["csrf_token"] = _csrf_token

    def watch(self, app: Flask, panel: Blueprint) -> None:
        """Stand before every page of the panel, and behind it; behind addresses too that lead to none of its pages."""
        app.before_request(self._refuse_network)
        app.before_request(self._turn_back)
        panel.before_request(self._admit)
        panel.after_request(self._look_again)
        app.after_request(_harden)

    def _refuse_network(self) -> ResponseReturnValue | None:
        """Refuse networks that may not reach the panel; static files and unknown addresses are part of it."""
        allow = self._service.live_config.current.panel.allow if _is_panel(current().path) else ()
        if not allow:
            return None
        if "X-Forwarded-For" in request.headers and not self._service.startup_config.server.trusted_proxies:
            return Forbidden("A proxy forwarded this request. Set trusted_proxies under [server].").get_response()
        address = request.remote_addr or ""
        if not networks.is_within(address, allow):
            return Forbidden(f"[panel] allow does not list {address[:100] or 'this address'}.").get_response()
        return None

    def _turn_back(self) -> ResponseReturnValue | None:
        asked = current()
        error = asked.routing_exception
        if error is None or error.code not in (404, 405) or not _is_panel(asked.path):
            return None
        return self._refuse() or error_page(error)

    def _admit(self) -> ResponseReturnValue | None:
        if request.endpoint == "panel.static":
            return None
        refused = self._refuse()
        if not refused and is_form_submission() and request.endpoint not in OPEN:
            check_form(FORM_BYTES)
            refused = self._refuse()  # the password may have changed while the form came in
        return refused

    def _look_again(self, response: Response) -> Response:
        """Let what a form has changed hold for the very next request; other workers look for themselves."""
        if is_form_submission():
            self._service.live_config.reload()
        return response

    def _refuse(self) -> ResponseReturnValue | None:
        """Refuse who is not signed in."""
        panel = self._service.live_config.current.panel
        if not panel.is_on:
            return render_template("panel/off.html"), 503
        is_current = request_secret() == panel.secret
        if (is_current and sessions.is_signed_in(self._ended)) or request.endpoint in OPEN:
            return None
        return redirect(url_for("panel.sign_in", next=None if is_form_submission() else request.full_path))


def check_form(limit: int) -> None:
    """Read the form, at most so many bytes of it. Raises CSRFError if it was not made for this session."""
    if request.endpoint not in UPLOADS:
        request.max_content_length = min(limit, request.max_content_length or limit)
    try:
        validate_csrf(request.form.get("csrf_token"), secret_key=request_secret())
    except ValueError as error:
        raise CSRFError(str(error)) from None


def _is_panel(path: str) -> bool:
    return path == PREFIX or path.startswith(PREFIX + "/")


def _harden(response: Response) -> Response:
    if not _is_panel(current().path):
        return response
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response
