"""The connection to Entra: its switch, the SCIM URL, the tokens, and the test."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import Config, Token, client_edit, edit
from config.shared import SPREAD
from config.tokens import is_test_name, new_test_name
from panel import probe
from panel.page import config_path, form_field, is_form_submission, refuse
from panel.probe_client import with_client
from provisioning_log import activity_of
from scim.web.request import base_url, service

log = logging.getLogger("tinyscim.panel")


def entra() -> ResponseReturnValue:
    """Show the switch, the SCIM URL and the tokens."""
    config, tokens, activity = service().live_config.current, shown_tokens(), activity_of(current_app).read()
    return render_template(
        "panel/entra.html",
        enabled=config.connection.enabled,
        url=base_url(),
        problems=probe.unreachable(base_url()),
        tokens=tokens,
        used={token.name: activity.last_use(token) for token in tokens},
    )


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
    """Show the form, or call the service as Entra's Test Connection does, with a temporary token or client."""
    result, config = _test() if is_form_submission() else None, service().live_config.current
    return render_template("panel/test.html", result=result, enabled=config.connection.enabled, clients=config.clients)


def _test() -> probe.Result:
    path, server = config_path(), service().startup_config.server
    if server.workers * server.threads < 2:
        return probe.SINGLE_THREADED
    config = service().live_config.current
    with _test_client(path, config) if config.clients else _test_token(path) as sign_in:
        if config.store.url:
            time.sleep(SPREAD)  # another host may answer the test
        result = probe.test_configured(server, sign_in)
    log.info("connection tested from %s: %s", request.remote_addr, "passed" if result.passed else "failed")
    return result


@contextmanager
def _test_token(path: Path) -> Iterator[probe.SignIn]:
    """Create a static token for one test."""
    name = new_test_name()
    text = edit.add_token(path, name, read_only=True, lifetime=probe.LIFETIME)
    try:
        yield text
    finally:
        edit.remove_token(path, name)


@contextmanager
def _test_client(path: Path, config: Config) -> Iterator[probe.SignIn]:
    """Create a client for one test: the secrets of the others are not known here."""
    id, secret = client_edit.add_client(path, new_test_name(), read_only=True, lifetime=probe.LIFETIME)
    try:
        yield with_client(config, service().startup_config.token_url(), id, secret)
    finally:
        client_edit.remove_client(path, id)


def shown_tokens() -> list[Token]:
    """Return the valid tokens, newest first, without those of a running connection test."""
    tokens = [
        token for token in service().live_config.current.tokens if token.is_valid and not is_test_name(token.name)
    ]
    return tokens[::-1]
