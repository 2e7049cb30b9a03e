"""App Integrations > SCIM: the identity providers, and the page of Microsoft Entra ID."""

import logging

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import Token, edit
from config.tokens import is_test_name, new_test_name
from panel import probe
from panel.page import as_datetime, config_path, form_field, refuse
from panel.state import State, connection_state
from scim.web.request import base_url, service

log = logging.getLogger("tinyscim.panel")


def home() -> ResponseReturnValue:
    """Lead to the first page."""
    return redirect(url_for("panel.integrations"))


def integrations() -> ResponseReturnValue:
    """List the identity providers."""
    return render_template("panel/integrations.html", state=_state())


def entra() -> ResponseReturnValue:
    """Show the connection: its state, the switch, the URL and the tokens."""
    return _page()


def switch() -> ResponseReturnValue:
    """Turn the connection on or off."""
    if form_field("enabled") not in ("yes", "no"):
        refuse("The connection is turned on with yes, and off with no.")
    enabled = form_field("enabled") == "yes"
    edit.set_enabled(config_path(), enabled)
    log.info("the connection was turned %s from %s", "on" if enabled else "off", request.remote_addr)
    flash(f"The connection is {'on' if enabled else 'off'}.")
    return redirect(url_for("panel.entra"))


def to_entra() -> ResponseReturnValue:
    """Lead to the page whose forms are sent here: after signing in anew, browsers come without the form."""
    return redirect(url_for("panel.entra"))


def test() -> ResponseReturnValue:
    """Call the service as Entra's "Test Connection" does, with a token that goes at once again."""
    path, server = config_path(), service().startup_config.server
    if server.workers * server.threads < 2:
        return _page(probe.ALONE)
    name = new_test_name()
    text = edit.add_token(path, name, read_only=True, lifetime=probe.LIFETIME)
    try:
        result = probe.test_configured(server, text)
    finally:
        edit.remove_token(path, name)
    log.info("the connection was tested from %s: %s", request.remote_addr, "passed" if result.passed else "failed")
    return _page(result)


def _page(result: probe.Result | None = None) -> ResponseReturnValue:
    tokens, seen = shown_tokens(), service().activity.seen()
    used = {one.name: _last_use(one, seen.used.get(one.name, 0.0)) for one in tokens}
    return render_template("panel/entra.html", state=_state(), url=base_url(), tokens=tokens, used=used, result=result)


def _last_use(token: Token, moment: float) -> float:
    """Return when a token was last used; what was before it was made, another of its name did."""
    made = as_datetime(token.created)
    return 0.0 if made and moment < made.timestamp() else moment


def shown_tokens() -> list[Token]:
    """Return the tokens that work, the newest first, without those of a test under way."""
    tokens = [one for one in service().live_config.current.tokens if one.is_valid and not is_test_name(one.name)]
    return tokens[::-1]


def _state() -> State:
    return connection_state(service().live_config.current, service().activity.seen())
