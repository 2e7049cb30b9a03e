"""App Integrations > SCIM: the identity providers, and the page of Microsoft Entra ID."""

import logging

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import Token, edit
from config.tokens import is_test_name, new_test_name
from panel import probe
from panel.page import config_path, form_field, refuse
from panel.state import State, connection_state
from scim.web.request import base_url, service

log = logging.getLogger("tinyscim.panel")


def integrations() -> ResponseReturnValue:
    """List the identity providers."""
    return render_template("panel/integrations.html", state=_state())


def entra() -> ResponseReturnValue:
    """Show the connection: its state, the switch, the URL and the tokens."""
    return _page()


def switch() -> ResponseReturnValue:
    """Turn the connection on or off."""
    if form_field("enabled") not in ("yes", "no"):
        refuse("The value of “enabled” must be yes or no.")
    enabled = form_field("enabled") == "yes"
    edit.set_enabled(config_path(), enabled)
    log.info("connection turned %s from %s", "on" if enabled else "off", request.remote_addr)
    flash(f"The connection is {'on' if enabled else 'off'}.")
    return redirect(url_for("panel.entra"))


def test() -> ResponseReturnValue:
    """Call the service as Entra's Test Connection does, with a temporary token."""
    path, server = config_path(), service().startup_config.server
    if server.workers * server.threads < 2:
        return _page(probe.SINGLE_THREADED)
    name = new_test_name()
    text = edit.add_token(path, name, read_only=True, lifetime=probe.LIFETIME)
    try:
        result = probe.test_configured(server, text)
    finally:
        edit.remove_token(path, name)
    log.info("connection tested from %s: %s", request.remote_addr, "passed" if result.passed else "failed")
    return _page(result)


def _page(result: probe.Result | None = None) -> ResponseReturnValue:
    tokens, seen = shown_tokens(), service().activity.seen()
    used = {token.name: seen.last_use(token) for token in tokens}
    return render_template("panel/entra.html", state=_state(), url=base_url(), tokens=tokens, used=used, result=result)


def shown_tokens() -> list[Token]:
    """Return the valid tokens, newest first, without those of a running connection test."""
    tokens = [
        token for token in service().live_config.current.tokens if token.is_valid and not is_test_name(token.name)
    ]
    return tokens[::-1]


def _state() -> State:
    return connection_state(service().live_config.current, service().activity.seen())
