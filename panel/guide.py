"""The setup guide: each step in Entra with this server's values, and the schema upload."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from panel.entra_schema import InvalidSchema, add_mappings
from panel.names import Names
from scim.schema.resource_types import ResourceType, Target
from scim.web.request import base_url, service

APPLICATION = "IDmelon"
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
        url=base_url(),
        lists={name: [_row(types[name], each, names) for each in targets] for name, targets in missing.items()},
        all={name: [_row(type, each, names) for each in _writable(type)] for name, type in types.items()},
        problem=problem,
    )


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
