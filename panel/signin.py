"""Signing in and out."""

import logging
import math

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.security import check_password_hash

from panel import sessions
from panel.page import is_form_submission
from panel.security import PREFIX, SIGN_IN_BYTES, check_form
from runtime.shared_ids import SharedIds
from runtime.throttle import Throttle
from scim.web.request import service

log = logging.getLogger("tinyscim.panel")


class SignIn:
    """The sign-in and sign-out pages; failed attempts are throttled."""

    def __init__(self, revoked: SharedIds, throttle: Throttle) -> None:
        self._revoked, self._throttle = revoked, throttle

    def sign_in(self) -> ResponseReturnValue:
        """Show the form, or check the password. A throttled client's form is not read."""
        if not is_form_submission():
            return render_template("panel/sign_in.html")
        address = request.remote_addr or ""
        if wait := self._throttle.wait_for(address):
            return _too_many(address, wait)
        check_form(SIGN_IN_BYTES)
        if wait := self._throttle.attempt(address):
            return _too_many(address, wait)
        if not check_password_hash(service().live_config.current.panel.password_hash, request.form.get("password", "")):
            log.warning("sign-in from %s failed", address)
            return render_template("panel/sign_in.html", problem="Wrong password."), 401
        self._throttle.forgive(address)
        log.info("signed in from %s", address)
        sessions.begin()
        return redirect(_wanted_page())

    def sign_out(self) -> ResponseReturnValue:
        """End the session."""
        sessions.end(self._revoked)
        log.info("signed out from %s", request.remote_addr)
        flash("You are signed out.")
        return redirect(url_for("panel.sign_in"))


def _too_many(address: str, seconds: float) -> ResponseReturnValue:
    wait = math.ceil(seconds)
    log.warning("sign-in from %s rejected for %d s: too many failures", address, wait)
    problem = f"Too many failed attempts. Try again in {_duration(wait)}."
    return render_template("panel/sign_in.html", problem=problem), 429, {"Retry-After": str(wait)}


def _wanted_page() -> str:
    """Return the page that was requested before signing in, if it belongs to the panel."""
    wanted = request.args.get("next", "")
    inside = wanted.startswith(PREFIX + "/") and "\\" not in wanted and wanted.isprintable()
    return request.script_root + wanted if inside else url_for("panel.home")


def _duration(seconds: int) -> str:
    count, unit = (seconds, "second") if seconds < 60 else (math.ceil(seconds / 60), "minute")
    return f"{count} {unit}{'s' if count > 1 else ''}"
