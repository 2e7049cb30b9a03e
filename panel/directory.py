"""The lists of users, groups and other resources, and the page of each one."""

import logging
from typing import Any
from urllib.parse import unquote

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from panel import lists
from panel.names import Names, cell, sections
from panel.page import is_form_submission, refuse
from scim.directory.resources import Resources
from scim.protocol.projection import Projection
from scim.schema.resource_types import ResourceType
from scim.web.request import base_url, service
from storage.base import Document

log = logging.getLogger("tinyscim.panel")

MEMBERS_PAGE = 200


def listing(kind: str) -> ResponseReturnValue:
    """Show a list of resources."""
    type = type_at(kind)
    found = lists.find(resources(), asked(type))
    names = Names(service().live_config.current)
    return render_template(
        "panel/list.html",
        found=found,
        type=type,
        kind=kind,
        choices=lists.choices(type, names),
        label=names.label,
        cell=cell,
    )


def resource(kind: str, id: str) -> ResponseReturnValue:
    """Show a resource with every attribute, and with its groups or its members."""
    type = type_at(kind)
    document = resources().get(type, id).document
    return render_template(
        "panel/resource.html",
        type=type,
        kind=kind,
        document=document,
        sections=sections(type, document, Names(service().live_config.current)),
        address_at=_address_at,
        members=_members_page(document.get("members", [])),
        endpoints={other.name: other.endpoint.strip("/") for other in service().registry.types.values()},
    )


def remove(kind: str, id: str) -> ResponseReturnValue:
    """Ask whether a disabled user shall go now, and delete it: for good, and out of every group."""
    type = type_at(kind)
    answer = resources().get(type, id, Projection(("userName", "displayName", "active")))
    document = answer.document
    if document.get("active") is not False:
        refuse("Only a disabled user can be removed here: Entra would make any other anew.", 409)
    if not is_form_submission():
        return render_template("panel/remove.html", kind=kind, document=document)
    service().remove(type, id, answer.version, "panel")
    log.info("%s %s was removed from %s", type.name, id, request.remote_addr)
    flash(f"“{title(document)}” is removed.")
    return redirect(url_for("panel.listing", kind=kind))


def title(document: Document) -> str:
    """Return the name by which people know the resource."""
    return str(document.get("displayName") or document.get("userName") or document["id"])


def resources() -> Resources:
    """Return the resources, with their addresses as clients see them."""
    return service().resources(base_url())


def type_at(kind: str) -> ResourceType:
    """Return the resource type whose list is at this address, or say that there is none."""
    return service().registry.at(kind) or refuse("Use the menu to find what you were looking for.", 404)


def asked(type: ResourceType) -> lists.Listing:
    """Return the list that the address asks for; columns that were chosen once stay for the session."""
    possible = lists.column_names(type)
    if request.args.get("choose"):
        chosen = [name for name in possible if name in request.args.getlist("column")]
        session["columns"] = {**session.get("columns", {}), type.name: chosen}
    kept = [name for name in session.get("columns", {}).get(type.name, ()) if name in possible]
    return lists.read_listing(type, request.args, tuple(kept) or lists.default_columns(type))


def _address_at(ref: str) -> str:
    """Return the page of the resource that has this address in SCIM; nothing for who is not here."""
    for type in service().registry.types.values():
        start = f"{base_url()}{type.endpoint}/"
        if ref.startswith(start):
            return url_for("panel.resource", kind=type.endpoint.strip("/"), id=unquote(ref.removeprefix(start)))
    return ""


def _members_page(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the members to show: one page of those whose name the search is part of."""
    search = request.args.get("q", "").strip()
    matching = [one for one in members if search.casefold() in str(one.get("display", one["value"])).casefold()]
    pages = max(-(-len(matching) // MEMBERS_PAGE), 1)
    number = min(max(request.args.get("page", 1, type=int), 1), pages)
    shown = matching[(number - 1) * MEMBERS_PAGE : number * MEMBERS_PAGE]
    return {"shown": shown, "total": len(members), "page": number, "pages": pages, "search": search}
