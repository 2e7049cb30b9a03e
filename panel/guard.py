"""Who may see the panel, and what a browser may do with its pages."""

from flask import Blueprint, Flask, Request, Response, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect

from scim.service import Service

PREFIX = "/panel"
OPEN = ("panel.sign_in", "panel.static")
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SIGNED_IN = "signed_in"


class Sessions(SecureCookieSessionInterface):
    """Sessions of the panel alone, in a cookie signed with the secret that the configuration has now."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the request's session; a new secret makes every older one worthless."""
        if not request.path.startswith(PREFIX):
            return None
        app.secret_key = self._service.config.now.panel.secret or None
        return super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Keep the cookie to TLS wherever the panel is seen over TLS."""
        return request.is_secure

    def get_cookie_path(self, app: Flask) -> str:
        """Send the cookie to the panel alone."""
        return request.script_root + PREFIX


class Guard:
    """Lets nobody in who has not signed in, and no form that is not the panel's own."""

    def __init__(self, app: Flask, service: Service) -> None:
        self._service = service
        app.session_interface = Sessions(service)
        app.config.update(
            SESSION_COOKIE_NAME="tinyscim_panel",
            SESSION_COOKIE_SAMESITE="Lax",
            PERMANENT_SESSION_LIFETIME=12 * 3600,
            WTF_CSRF_CHECK_DEFAULT=False,  # clients of SCIM have tokens, no cookies
            WTF_CSRF_TIME_LIMIT=None,  # a form is good for as long as the session
        )
        self._csrf = CSRFProtect(app)

    def watch(self, panel: Blueprint) -> None:
        """Stand before every page of the panel, and behind it."""
        panel.before_request(self._admit)
        panel.after_request(_harden)

    def _admit(self) -> ResponseReturnValue | None:
        if request.endpoint == "panel.static":
            return None
        if not self._service.config.now.panel.is_on:
            return render_template("panel/off.html"), 503
        if request.method == "POST":
            self._csrf.protect()
        if request.endpoint in OPEN or session.get(SIGNED_IN):
            return None
        return redirect(url_for("panel.sign_in", next=request.full_path if request.method == "GET" else None))


def _harden(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response
