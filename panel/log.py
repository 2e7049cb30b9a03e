"""The pages of the provisioning log: entries by cycle, unknown attributes, deprovisioning."""

import logging
import socket
from collections.abc import Callable
from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from config import edit
from panel import log_entry
from panel.page import config_path, form_field, refuse
from provisioning_log import ProvisioningLog, activity_of, log_of
from provisioning_log.entries import ACTIONS
from provisioning_log.grouping import GroupedPage, Row
from provisioning_log.search import Criteria, Totals, read_time, record_until
from scim.web.request import service
from storage.base import Document

log = logging.getLogger("tinyscim.panel")
RANGES = {"1h": "Hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "": "Any time"}


def listing() -> ResponseReturnValue:
    """Show the matching entries by cycle, newest first."""
    found = log_of(current_app)
    if found is None:
        return render_template("log/off.html")
    names = ("person", "action", "result", "since", "until")
    given = {name: value for name in names if (value := request.args.get(name, "").strip()[:200])}
    criteria, problem = _criteria(given)
    activity = activity_of(current_app).read()
    page = GroupedPage([]) if problem else found.rows(criteria, request.args.get("before", "")[:40], activity)
    return render_template(
        "log/list.html",
        page=page,
        totals=Totals() if problem else found.totals(criteria),
        activity=activity,
        criteria=given,
        problem=problem,
        actions=ACTIONS,
        ranges=RANGES,
        unknown=len(found.warnings()),
        recording=service().live_config.current.log,
        host=socket.gethostname() if service().startup_config.store.url else "",
    )


def entry(id: str) -> ResponseReturnValue:
    """Show all details of an entry."""
    found = _log().find(id)
    if found is None:
        refuse("The log has no entry with this ID. It may have expired.", 404)
    return render_template("log/entry.html", **log_entry.details(found))


def record() -> ResponseReturnValue:
    """Record reads for the chosen time, or stop recording them."""
    _log()
    span = form_field("for")
    try:
        until = record_until(span) if span else None
    except ValueError as error:
        refuse(str(error))
    edit.set_record_reads(config_path(), until)
    log.info("recording of reads %s from %s", f"turned on for {span}" if span else "turned off", request.remote_addr)
    flash("Reads are recorded now." if until else "Reads are no longer recorded.")
    return redirect(url_for("panel.log"))


def unknown() -> ResponseReturnValue:
    """Show the attributes that clients sent but no schema declares."""
    return render_template("log/unknown.html", unknown=_log().warnings())


def deprovisioning() -> ResponseReturnValue:
    """Show what Entra sends on deprovisioning, and the result here."""
    days = service().live_config.current.directory.purge_disabled_after_days
    return render_template("log/deprovisioning.html", days=days)


def helpers() -> dict[str, Callable[..., Any]]:
    """Return the functions that templates call."""
    return {
        "history_of": _history,
        "disabled_since": _disabled_since,
        **log_entry.helpers(),
    }


def _log() -> ProvisioningLog:
    return log_of(current_app) or refuse(
        "The provisioning log is off. To turn it on, set path under [log] in the configuration.", 404
    )


def _criteria(given: dict[str, str]) -> tuple[Criteria, str]:
    """Return the search criteria, or the reason why its dates are invalid."""
    times = {}
    for name in given.keys() & {"since", "until"}:
        try:
            times[name] = read_time(given[name])
        except (ValueError, OverflowError):
            return Criteria(), f"“{given[name]}” is not a date. Use 2026-01-31 or 2026-01-31T12:00 (UTC)."
    criteria = Criteria(**(given | times))
    return criteria, "“From” is later than “To”, so no entry can match. Swap them." if criteria.is_reversed else ""


def _history(id: str) -> list[Row]:
    found = log_of(current_app)
    return found.history(id, activity_of(current_app).read()) if found else []


def _disabled_since(type: str, document: Document) -> str:
    """Return when a resource was disabled."""
    times = service().resources("").disabled_since(service().registry.types[type], [document["id"]])
    return times.get(document["id"], "")
