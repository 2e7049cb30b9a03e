"""The lists of users, groups and other resources, and the page of each resource."""

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
    found = lists.find(resources(), requested_listing(type))
    names = Names(service().live_config.current)
    return render_template(
        "panel/list.html",
        found=found,
        type=type,
        kind=kind,
        choices=lists.choices(type, names),
        label=names.label,
        cell=cell,
        name_of=lambda document: _name_values(found.listing, document),
    )


def _name_values(listing: lists.Listing, document: Document) -> list[str]:
    """Return the values of the columns that are shown as the resource's name; equal ones once."""
    values = (cell(target, document) for target in listing.named_columns()[0])
    return list(dict.fromkeys(filter(None, values)))


def resource(kind: str, id: str) -> ResponseReturnValue:
    """Show a resource with all attributes and its groups or members."""
    type = type_at(kind)
    document = resources().get(type, id).document
    return render_template(
        "panel/resource.html",
        type=type,
        kind=kind,
        document=document,
        sections=sections(type, document, Names(service().live_config.current)),
        page_of=_page_of,
        members=_members_page(document.get("members", [])),
        endpoints={other.name: other.endpoint.strip("/") for other in service().registry.types.values()},
    )


def remove(kind: str, id: str) -> ResponseReturnValue:
    """Ask for confirmation, or delete a disabled user permanently."""
    type = type_at(kind)
    found = resources().get(type, id, Projection(("userName", "displayName", "active")))
    document = found.document
    if document.get("active") is not False:
        refuse("Only disabled users can be removed: Entra would create an active user again.", 409)
    if not is_form_submission():
        return render_template("panel/remove.html", kind=kind, document=document)
    service().remove(type, id, found.version, "panel")
    log.info("%s %s removed from %s", type.name, id, request.remote_addr)
    flash(f"“{document.get('displayName') or document.get('userName') or id}” was removed.")
    return redirect(url_for("panel.listing", kind=kind))


def resources() -> Resources:
    """Return the resources with the URLs that clients see."""
    return service().resources(base_url())


def type_at(kind: str) -> ResourceType:
    """Return the resource type with this endpoint, or respond with 404."""
    return service().registry.at(kind) or refuse("Use the menu to find the page.", 404)


def requested_listing(type: ResourceType) -> lists.Listing:
    """Return the listing that the query string describes; chosen columns are kept in the session."""
    available = lists.column_names(type)
    if request.args.get("choose"):
        chosen = [name for name in available if name in request.args.getlist("column")]
        session["columns"] = {**session.get("columns", {}), type.name: chosen}
    kept = [name for name in session.get("columns", {}).get(type.name, ()) if name in available]
    return lists.read_listing(type, request.args, tuple(kept) or lists.default_columns(type))


def _page_of(ref: str) -> str:
    """Return the panel's URL for the resource at this SCIM URL, or an empty string."""
    for type in service().registry.types.values():
        start = f"{base_url()}{type.endpoint}/"
        if ref.startswith(start):
            return url_for("panel.resource", kind=type.endpoint.strip("/"), id=unquote(ref.removeprefix(start)))
    return ""


def _members_page(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one page of the members whose name contains the search text."""
    search = request.args.get("q", "").strip()
    matching = [member for member in members if search.casefold() in _member_name(member).casefold()]
    pages = max(-(-len(matching) // MEMBERS_PAGE), 1)
    page = min(max(request.args.get("page", 1, type=int), 1), pages)
    shown = matching[(page - 1) * MEMBERS_PAGE : page * MEMBERS_PAGE]
    return {"shown": shown, "total": len(members), "page": page, "pages": pages, "search": search}


def _member_name(member: dict[str, Any]) -> str:
    return str(member.get("display", member["value"]))
