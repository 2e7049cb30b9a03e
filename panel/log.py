"""The pages of the provisioning log: entries, unknown attributes, deprovisioning."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from flask import current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.names import Names
from panel.page import refuse
from provisioning_log import ProvisioningLog, log_of
from provisioning_log.advice import advice
from provisioning_log.entries import ACTIONS, Entry, Subject
from provisioning_log.export import detail, flat, people_of, shown
from provisioning_log.search import RESULTS, Criteria, Page, read_time
from scim.errors import NotFound
from scim.protocol.projection import Projection
from scim.web.request import service
from storage.base import Document

HISTORY = 50


def listing() -> ResponseReturnValue:
    """Show the matching entries, newest first."""
    log = log_of(current_app)
    if log is None:
        return render_template("log/off.html")
    names = ("person", "action", "result", "since", "until")
    given = {name: value for name in names if (value := request.args.get(name, "").strip()[:200])}
    criteria, problem = _criteria(given)
    page = Page([]) if problem else log.search(criteria, request.args.get("before", "")[:40])
    return render_template(
        "log/list.html",
        page=page,
        criteria=given,
        problem=problem,
        actions=ACTIONS,
        results=RESULTS,
        unknown=len(log.warnings()),
    )


def entry(id: str) -> ResponseReturnValue:
    """Show all details of an entry."""
    found = _log().find(id)
    if found is None:
        refuse("The log has no entry with this ID. It may have expired.", 404)
    return render_template("log/entry.html", entry=found, pretty=_pretty)


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
        "changes_of": _changes,
        "advice_on": advice,
        "detail_of": detail,
        "people_of": people_of,
        "address_of": _url_of,
    }


def _log() -> ProvisioningLog:
    return log_of(current_app) or refuse(
        "The provisioning log is off. To turn it on, set path under [log] in the configuration.", 404
    )


def _criteria(given: dict[str, str]) -> tuple[Criteria, str]:
    """Return the search criteria, or the reason why a date is invalid."""
    times = {}
    for name in given.keys() & {"since", "until"}:
        try:
            times[name] = read_time(given[name])
        except (ValueError, OverflowError):
            return Criteria(), f"“{given[name]}” is not a date. Use 2026-01-31 or 2026-01-31T12:00 (UTC)."
    return Criteria(**(given | times)), ""


def _history(id: str) -> list[Entry]:
    log = log_of(current_app)
    return log.history(id, HISTORY) if log else []


def _disabled_since(type: str, document: Document) -> str:
    """Return when a resource was disabled."""
    times = service().resources("").disabled_since(service().registry.types[type], [document["id"]])
    return times.get(document["id"], "")


def _changes(entry: Entry) -> Iterator[tuple[str, str, str, str]]:
    """Yield the display name, SCIM name, old value and new value of each changed attribute."""
    type, names = service().registry.types.get(entry.type), Names(service().live_config.current)
    for whole, values in entry.changes.items():
        for name, old, new in flat(whole, values):
            target = type.resolve(name) if type else None
            yield (names.label(target) if target and target.attribute else name), name, shown(old), shown(new)


def _url_of(type: str, who: Subject) -> str:
    """Return the URL of a resource's page, or an empty string if the resource is not stored."""
    known = service().registry.types.get(type)
    if known is None or not who.id:
        return ""
    try:
        service().resources("").get(known, who.id, Projection(("id",)))
    except NotFound:
        return ""
    return url_for("panel.resource", kind=known.endpoint.strip("/"), id=who.id)


def _pretty(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)
