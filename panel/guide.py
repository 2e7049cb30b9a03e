"""The setup guide: each step in Entra with this server's values, its progress, and the schema upload."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel import probe
from panel.entra_schema import InvalidSchema, add_mappings
from panel.names import Names
from panel.page import form_field
from scim.schema.resource_types import ResourceType, Target
from scim.web.request import base_url, service

APPLICATION = "IDmelon"
STEPS = {
    "application": "Create the application",
    "connect": "Connect it to this server",
    "scope": "Choose the scope",
    "attributes": "Map the attributes",
    "assign": "Assign users and groups",
    "demand": "Provision one user on demand",
    "properties": "Turn on notifications",
    "start": "Start provisioning",
}
_PROGRESS = "tinyscim_guide"  # a cookie: the steps that are done
_KEPT_FOR = 365 * 86_400  # seconds
# Attributes in Entra's lists of a new application.
_KNOWN_SCHEMAS = (
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
)
_KNOWN = ("id", "externalId", "displayName", "members", "schemas", "meta")
_IDMELON = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User"
_SOURCES = {
    "User": {
        "externalId": "objectId",
        f"{_IDMELON}:immutable_id": "immutableId",
        **{f"{_IDMELON}:extraAttribute{number}": f"extensionAttribute{number}" for number in range(1, 6)},
    },
    "Group": {"description": "description"},
}
_TYPES = {
    "boolean": "Boolean",
    "integer": "Integer",
    "dateTime": "DateTime",
    "binary": "Binary",
    "reference": "Reference",
}


@dataclass(frozen=True, slots=True)
class Row:
    """An attribute for Entra's attribute list; `source` is empty if the administrator has to choose one."""

    name: str
    type: str
    multi_valued: bool
    label: str
    description: str
    source: str = ""


def guide() -> ResponseReturnValue:
    """Show the guide."""
    return _page()


def progress() -> ResponseReturnValue:
    """Tick or untick a step. The ticks are kept in a cookie of this browser."""
    ticked = {step for step in STEPS if form_field(step) == "yes"}
    done = [step for step in STEPS if step in ticked | _done() and form_field(step) != "no"]
    next_step = next((step for step in STEPS if step not in done), "now")
    answer = redirect(url_for("panel.guide", _anchor=next_step))
    is_secure = current_app.session_interface.get_cookie_secure(current_app)
    answer.set_cookie(
        *(_PROGRESS, ".".join(done), _KEPT_FOR),
        path=url_for("panel.guide"),
        secure=is_secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


def _done() -> set[str]:
    return set(request.cookies.get(_PROGRESS, "").split(".")) & STEPS.keys()


def schema_file() -> ResponseReturnValue:
    """Add the missing attributes and mappings to an uploaded schema; return it as a page or as a file."""
    file = request.files.get("schema")
    if not file:
        return _page("Choose the file that you downloaded from Entra."), 400
    try:
        text, changes = add_mappings(file.read(), _SOURCES)
    except InvalidSchema as error:
        return _page(f"This file is not a schema exported from Entra: {error}. Download it again."), 400
    if request.form.get("give") == "file":
        headers = {"Content-Disposition": "attachment; filename=schema-for-tinyscim.json"}
        return Response(text, mimetype="application/json", headers=headers)
    return render_template("panel/schema.html", text=text, changes=changes)


def _page(problem: str = "") -> str:
    names = Names(service().live_config.current)
    types = service().registry.types
    missing = {name: [each for each in _writable(types[name]) if not _is_known(types[name], each)] for name in _SOURCES}
    return render_template(
        "panel/guide.html",
        application=APPLICATION,
        steps=STEPS,
        done=_done(),
        url=base_url(),
        unreachable=probe.unreachable(base_url()),
        lists={name: [_row(types[name], each, names) for each in targets] for name, targets in missing.items()},
        problem=problem,
    )


def attributes(names: Names) -> dict[str, list[Row]]:
    """Return every attribute that clients can write, by resource type."""
    types = service().registry.types
    return {name: [_row(type, each, names) for each in _writable(type)] for name, type in types.items()}


def _row(type: ResourceType, target: Target, names: Names) -> Row:
    leaf, attribute = target.leaf, target.attribute
    assert attribute
    return Row(
        name=str(target),
        type=_TYPES.get(leaf.type, "String"),
        multi_valued=attribute.multi_valued,
        label=names.label(target),
        description=leaf.description,
        source=_SOURCES.get(type.name, {}).get(str(target), ""),
    )


def _is_known(type: ResourceType, target: Target) -> bool:
    """Return whether Entra's attribute list has the attribute from the start, or lists it as part of another."""
    attribute = target.attribute
    assert attribute
    if target.sub:
        return True
    if target.extension:
        return target.extension in _KNOWN_SCHEMAS
    return type.schema.id in _KNOWN_SCHEMAS or attribute.name in _KNOWN


def _writable(type: ResourceType) -> Iterator[Target]:
    """Yield the attributes that clients can write, including sub-attributes."""
    for target in type.targets():
        attribute, leaf = target.attribute, target.leaf
        assert attribute
        if leaf.type != "complex" and leaf.name != "$ref" and "readOnly" not in (attribute.mutability, leaf.mutability):
            yield target
