"""Signing in and out."""

import logging
import math

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.security import check_password_hash

from panel import sessions
from panel.guard import PREFIX, SIGN_IN_BYTES, check_form
from panel.page import is_form_submission
from panel.throttle import Throttle
from scim.web.request import service

log = logging.getLogger("tinyscim.panel")


class SignIn:
    """The page that asks for the password, with a memory of who failed, and the way out again."""

    def __init__(self, ended: sessions.RevokedSessions, throttle: Throttle) -> None:
        self._ended = ended
        self._throttle = throttle

    def view(self) -> ResponseReturnValue:
        """Ask for the password, or check it. The form is not read while its address has to wait."""
        if not is_form_submission():
            return render_template("panel/sign_in.html")
        address = request.remote_addr or ""
        if wait := self._throttle.left(address):
            return _too_many(address, wait)
        check_form(SIGN_IN_BYTES)
        if wait := self._throttle.attempt(address):
            return _too_many(address, wait)
        if not check_password_hash(service().live_config.current.panel.password_hash, request.form.get("password", "")):
            log.warning("sign-in from %s failed", address)
            return render_template("panel/sign_in.html", problem="That is not the password."), 401
        self._throttle.forgive(address)
        log.info("signed in from %s", address)
        sessions.begin()
        return redirect(_wanted_page())

    def leave(self) -> ResponseReturnValue:
        """End the session."""
        sessions.end(self._ended)
        log.info("signed out from %s", request.remote_addr)
        flash("You are signed out.")
        return redirect(url_for("panel.sign_in"))


def _too_many(address: str, seconds: float) -> ResponseReturnValue:
    wait = math.ceil(seconds)
    log.warning("sign-in from %s refused for %d s: too many failures", address, wait)
    problem = f"Too many failed attempts. Try again in {_duration(wait)}."
    return render_template("panel/sign_in.html", problem=problem), 429, {"Retry-After": str(wait)}


def _wanted_page() -> str:
    """Return the page that was asked for before signing in, if it is one of the panel's."""
    wanted = request.args.get("next", "")
    inside = wanted.startswith(PREFIX + "/") and "\\" not in wanted and wanted.isprintable()
    return request.script_root + wanted if inside else url_for("panel.integrations")


def _duration(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} second{'s' if seconds > 1 else ''}"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"
