"""App Integrations > SCIM: the identity providers, and the page of Microsoft Entra ID."""

import logging

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import Token
from panel import probe, settings
from panel.page import config_path, from_form
from panel.state import State, connection_state
from scim.http import base_url, service

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
    enabled = from_form("enabled") == "yes"
    settings.set_enabled(config_path(), enabled)
    log.info("the connection was turned %s from %s", "on" if enabled else "off", request.remote_addr)
    flash(f"The connection is {'on' if enabled else 'off'}.")
    return redirect(url_for("panel.entra"))


def test() -> ResponseReturnValue:
    """Call the service as Entra's "Test Connection" does, with a token that goes at once again."""
    path = config_path()
    name = probe.new_name()
    text = settings.add_token(path, name, read_only=True, lifetime=probe.LIFETIME)
    try:
        result = probe.run(base_url(), text)
    finally:
        settings.remove_token(path, name)
    log.info("the connection was tested from %s: %s", request.remote_addr, "passed" if result.passed else "failed")
    return _page(result)


def _page(result: probe.Result | None = None) -> ResponseReturnValue:
    seen = service().activity.seen()
    return render_template(
        "panel/entra.html", state=_state(), url=base_url(), tokens=shown_tokens(), used=seen.used, result=result
    )


def shown_tokens() -> list[Token]:
    """Return the tokens that work, the newest first, without those of a test under way."""
    tokens = [one for one in service().config.now.tokens if one.is_valid and not probe.is_name(one.name)]
    return tokens[::-1]


def _state() -> State:
    return connection_state(service().config.now, service().activity.seen())
