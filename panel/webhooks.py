"""Pages of the webhooks: where events are posted to, whether they arrive, and their secrets."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import Webhook, webhook_edit
from config.edit import Refused
from panel.page import config_path, form_field, is_form_submission, refuse
from panel.tokens import OVERLAPS
from provisioning_log.search import read_time
from scim.web.request import service
from webhooks import state_of, webhooks_of
from webhooks.progress import Progress

log = logging.getLogger("tinyscim.panel")

SHOWN = 5  # of the latest attempts; the others are behind them
_TONES = {"active": "active", "failing": "failed", "paused after failures": "failed", "without a secret": "failed"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A webhook with its progress, and its state with the class of its badge."""

    webhook: Webhook
    progress: Progress
    state: str
    tone: str


def webhooks() -> ResponseReturnValue:
    """List the webhooks, with their state and the latest attempts."""
    return render_template(
        "panel/webhooks.html", webhooks=list(shown_webhooks()), shown=SHOWN, is_on=webhooks_of(current_app).is_on
    )


def new_webhook() -> ResponseReturnValue:
    """Show the form, or create a webhook and show its secret once."""
    if not is_form_submission():
        return _new_form()
    name, url = form_field("name").strip(), form_field("url").strip()
    types = request.form.getlist("types")
    try:
        secret = webhook_edit.add_webhook(config_path(), name, url, types)
    except Refused as error:
        return _new_form(str(error)), 409
    webhooks_of(current_app).forget(name)
    log.info('webhook "%s" created from %s', name, request.remote_addr)
    return render_template("panel/webhook_made.html", name=name, secret=secret)


def rotate_webhook() -> ResponseReturnValue:
    """Ask until when the old secrets sign, or create another secret and show it once."""
    webhook = _webhook()
    if not is_form_submission():
        return render_template("panel/webhook_rotate.html", webhook=webhook, overlaps=OVERLAPS)
    if form_field("overlap") not in OVERLAPS:
        refuse("Choose one of the listed options.")
    overlap: timedelta = OVERLAPS[form_field("overlap")][0]
    secret, _ = webhook_edit.rotate_secret(config_path(), webhook.name, overlap)
    log.info('secret of webhook "%s" created from %s', webhook.name, request.remote_addr)
    return render_template("panel/webhook_made.html", name=webhook.name, secret=secret, overlap=overlap)


def send_again() -> ResponseReturnValue:
    """Show the form, or send events again from a time or an event on."""
    webhook, problem = _webhook(), ""
    if is_form_submission():
        try:
            _send_again(webhook.name, form_field("since").strip(), form_field("event").strip())
        except Refused as error:
            problem = str(error)
        else:
            flash(f"“{webhook.name}” gets the events again.")
            return redirect(url_for("panel.webhooks"))
    page = render_template("panel/webhook_again.html", webhook=webhook, given=request.values, problem=problem)
    return (page, 409) if problem else page


def _send_again(name: str, since: str, event: str) -> None:
    if bool(since) == bool(event):
        raise Refused("Enter either a time or an event.")
    try:
        time = read_time(since) if since else ""
    except (ValueError, OverflowError):
        raise Refused(f"“{since}” is not a date. Use 2026-01-31T12:00 (UTC), or an age such as 2h or 7d.") from None
    webhooks_of(current_app).send_again(name, since=time, id=event)
    log.info('webhook "%s" gets events again: asked for from %s', name, request.remote_addr)


def act_on_webhook() -> ResponseReturnValue:
    """Pause or resume a webhook, or send it a test event."""
    webhook, action = _webhook(), form_field("action")
    if action not in _ACTIONS:
        refuse("Choose one of the listed options.")
    log.info('webhook "%s": %s from %s', webhook.name, action, request.remote_addr)
    flash(_ACTIONS[action](webhook))
    return redirect(url_for("panel.webhooks"))


def _pause(webhook: Webhook) -> str:
    webhook_edit.set_paused(config_path(), webhook.name, True)
    return f"“{webhook.name}” is paused. Its events wait."


def _resume(webhook: Webhook) -> str:
    if webhook.paused:
        webhook_edit.set_paused(config_path(), webhook.name, False)
    webhooks_of(current_app).resume(webhook.name)
    return f"“{webhook.name}” continues with the event at which it stopped."


def _test(webhook: Webhook) -> str:
    attempt = webhooks_of(current_app).test(webhook)
    if attempt.succeeded:
        return f"The test event was sent to “{webhook.name}”: the answer is {attempt.status}."
    return f"The test event could not be delivered to “{webhook.name}”: {attempt.problem}."


_ACTIONS = {"pause": _pause, "resume": _resume, "test": _test}


def remove_webhook() -> ResponseReturnValue:
    """Ask for confirmation, or remove a webhook."""
    webhook = _webhook()
    if not is_form_submission():
        return render_template("panel/webhook_remove.html", webhook=webhook)
    webhook_edit.remove_webhook(config_path(), webhook.name)
    webhooks_of(current_app).forget(webhook.name)
    log.info('webhook "%s" removed from %s', webhook.name, request.remote_addr)
    flash(f"Webhook “{webhook.name}” removed.")
    return redirect(url_for("panel.webhooks"))


def shown_webhooks() -> Iterator[Shown]:
    """Yield the webhooks as the pages show them, newest first."""
    for webhook in service().live_config.current.webhooks[::-1]:
        progress = webhooks_of(current_app).progress(webhook.name)
        state = state_of(webhook, progress)
        yield Shown(webhook, progress, state, _TONES.get(state, ""))


def _webhook() -> Webhook:
    """Return the webhook that the request names, or respond with 404."""
    return service().live_config.current.webhook(request.values.get("name", "")) or refuse(
        "There is no such webhook.", 404
    )


def _new_form(problem: str = "") -> str:
    given = {name: form_field(name) for name in ("name", "url")}
    chosen, types = request.form.getlist("types"), webhooks_of(current_app).types
    return render_template("panel/webhook_new.html", given=given, chosen=chosen, types=types, problem=problem)
