"""Who may see the panel, and what a browser may do with its pages."""

from flask import Blueprint, Flask, Request, Response, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect

from panel import sessions
from panel.page import error_page, is_sent
from scim.request import current
from scim.service import Service

PREFIX = "/panel"
OPEN = ("panel.sign_in", "panel.static")
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Sessions(SecureCookieSessionInterface):
    """Sessions of the panel alone, in a cookie signed with the secret that the configuration has now."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the request's session; a new secret makes every older one worthless."""
        if not request.path.startswith(PREFIX):
            return None
        app.secret_key = self._service.live_config.now.panel.secret or None
        return super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Keep the cookie to TLS wherever the panel is seen over TLS, be it that the proxy does not say so."""
        return request.is_secure or self._service.startup_config.server.public_url.startswith("https:")

    def get_cookie_path(self, app: Flask) -> str:
        """Send the cookie to the panel alone."""
        return request.script_root + PREFIX


class Guard:
    """Lets nobody in who has not signed in, and no form that is not the panel's own."""

    def __init__(self, app: Flask, service: Service, ended: sessions.Ended) -> None:
        self._service, self._ended = service, ended
        app.session_interface = Sessions(service)
        app.config.update(
            SESSION_COOKIE_NAME="tinyscim_panel",
            SESSION_COOKIE_SAMESITE="Lax",
            PERMANENT_SESSION_LIFETIME=sessions.LONGEST,
            WTF_CSRF_CHECK_DEFAULT=False,  # clients of SCIM have tokens, no cookies
            # Behind a proxy that does not forward Host, the Referer's host is never this one's, and nobody could sign
            # in. The form's token and the cookie's SameSite keep other sites out without it.
            WTF_CSRF_SSL_STRICT=False,
            WTF_CSRF_TIME_LIMIT=None,  # a form is good for as long as the session
        )
        self._csrf = CSRFProtect(app)

    def watch(self, app: Flask, panel: Blueprint) -> None:
        """Stand before every page of the panel, and behind it; behind addresses too that lead to none of its pages."""
        app.before_request(self._turn_back)
        panel.before_request(self._admit)
        panel.after_request(self._look_again)
        app.after_request(_harden)

    def _turn_back(self) -> ResponseReturnValue | None:
        asked = current()
        error = asked.routing_exception
        if error is None or error.code not in (404, 405) or not _is_panel(asked.path):
            return None
        return self._refuse() or error_page(error)

    def _admit(self) -> ResponseReturnValue | None:
        if request.endpoint == "panel.static":
            return None
        if is_sent() and self._service.live_config.now.panel.is_on:
            self._csrf.protect()
        return self._refuse()

    def _look_again(self, response: Response) -> Response:
        """Let what a form has changed hold for the very next request; other workers look for themselves."""
        if is_sent():
            self._service.live_config.look()
        return response

    def _refuse(self) -> ResponseReturnValue | None:
        """Refuse who is not signed in."""
        if not self._service.live_config.now.panel.is_on:
            return render_template("panel/off.html"), 503
        if sessions.is_signed_in(self._ended) or request.endpoint in OPEN:
            return None
        return redirect(url_for("panel.sign_in", next=None if is_sent() else request.full_path))


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
