"""Pages to create and to revoke a SCIM token."""

import logging
import re
from datetime import timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import Token, edit
from panel.connection import shown_tokens
from panel.page import config_path, form_field, is_form_submission, refuse
from scim.web.request import base_url, service

log = logging.getLogger("tinyscim.panel")

# When the replaced token expires, with the label of each choice.
OVERLAPS = {
    "hour": (timedelta(hours=1), "in 1 hour"),
    "day": (timedelta(days=1), "in 1 day"),
    "none": (timedelta(0), "now (it may have leaked)"),
}
SCOPES = {"read-write": "Read and write, for provisioning", "read-only": "Read only, for reports and other clients"}
OF_TOKENS = {**SCOPES, "events": "Events only, for applications that follow the directory"}


def new_token() -> ResponseReturnValue:
    """Show the form, or create the token and show it once."""
    if not is_form_submission():
        return _form()
    name, replaces, overlap = form_field("name").strip(), form_field("replaces"), form_field("overlap") or "none"
    if overlap not in OVERLAPS or form_field("scope") not in ("", *OF_TOKENS):
        refuse("Choose one of the listed options.")
    duration, scope = OVERLAPS[overlap][0], form_field("scope")
    try:
        text = edit.add_token(config_path(), name, scope=scope, replaces=replaces, overlap=duration)
    except edit.Refused as error:
        return _form(str(error)), 409
    log.info('token "%s" created from %s; replaces "%s" (overlap: %s)', name, request.remote_addr, replaces, overlap)
    service().live_config.reload()
    old = next((token for token in shown_tokens() if token.name == replaces), None)
    return render_template(
        "panel/token_made.html",
        name=name,
        text=text,
        url=base_url(),
        replaced=replaces,
        old=old,
        scope=scope,
    )


def revoke_token() -> ResponseReturnValue:
    """Ask for confirmation, or revoke the token."""
    name = request.values.get("name", "")
    if not is_form_submission():
        if name not in [token.name for token in shown_tokens()]:
            refuse(f'There is no valid token "{name}".', 404)
        return render_template("panel/token_revoke.html", name=name)
    edit.revoke_token(config_path(), name)
    log.info('token "%s" revoked from %s', name, request.remote_addr)
    flash(f'Token "{name}" revoked. It no longer works.')
    return redirect(url_for("panel.entra"))


def _form(problem: str = "") -> str:
    tokens = [token for token in shown_tokens() if not token.read_only]
    given = {"name": _free_name(tokens), "replaces": "", "overlap": "hour", "scope": "read-write"}
    given |= {name: request.form[name] for name in given if name in request.form}
    choices = {"overlaps": OVERLAPS, "scopes": OF_TOKENS}
    return render_template("panel/token_new.html", tokens=tokens, given=given, problem=problem, **choices)


def _free_name(tokens: list[Token]) -> str:
    """Return the newest token's name with the next free number."""
    taken = {token.name for token in shown_tokens()}
    stem = re.sub(r"-\d+$", "", tokens[0].name)[:90] if tokens else "entra"
    names = (f"{stem}-{number}" if number > 1 else stem for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
