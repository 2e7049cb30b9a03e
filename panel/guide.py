"""The setup guide: every step in Entra, with this server's own values, and the schema file with what is to be added."""

from dataclasses import dataclass

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from entra import schema
from panel.names import Names
from scim.schema.resource_types import ResourceType, Target
from scim.web.request import base_url, service

APPLICATION = "IDmelon"
# What Entra's attribute lists have from the start.
_KNOWN_SCHEMAS = (
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
)
_KNOWN = ("id", "externalId", "displayName", "members", "schemas", "meta")
_SOURCES = {"immutable_id": "immutableId", "description": "description"} | {
    f"extraAttribute{number}": f"extensionAttribute{number}" for number in range(1, 6)
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
    """An attribute as Entra is told of it; `source` is empty where the administrator has to choose one."""

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
    """Take the schema that Entra exported and give it back with what is missing, as a page or as a file."""
    file = request.files.get("schema")
    if not file:
        return _page("Choose the file that you downloaded from Entra first."), 400
    try:
        text, changes = schema.augment_text(file.read())
    except schema.NoSchemaError as error:
        return _page(f"This is no schema exported from Entra: {error}."), 400
    if request.form.get("give") == "file":
        headers = {"Content-Disposition": "attachment; filename=schema-for-tinyscim.json"}
        return Response(text, mimetype="application/json", headers=headers)
    return render_template("panel/schema.html", text=text, changes=changes)


def to_guide() -> ResponseReturnValue:
    """Lead to the page whose form is sent here."""
    return redirect(url_for("panel.guide"))


def to_declare(type: ResourceType, names: Names) -> list[Row]:
    """Return the attributes that Entra's list lacks, and that it is able to write."""
    targets = (target for target in type.targets() if target.sub is None and not _is_known(type, target))
    return [_row(target, names) for target in targets if target.leaf.type != "complex" and _is_writable(target)]


def every_attribute(type: ResourceType, names: Names) -> list[Row]:
    """Return all attributes that this server takes in, sub-attributes included."""
    return [_row(target, names) for target in type.targets() if target.leaf.type != "complex" and _is_writable(target)]


def _page(problem: str = "") -> str:
    names = Names(service().live_config.current)
    types = service().registry.types
    return render_template(
        "panel/guide.html",
        application=APPLICATION,
        url=base_url(),
        lists={name: to_declare(types[name], names) for name in ("User", "Group")},
        all={name: every_attribute(type, names) for name, type in types.items()},
        problem=problem,
    )


def _row(target: Target, names: Names) -> Row:
    leaf, attribute = target.leaf, target.attribute
    assert attribute
    return Row(
        name=str(target),
        type=_TYPES.get(leaf.type, "String"),
        multi_valued=attribute.multi_valued,
        label=names.label(target),
        description=leaf.description,
        source=_SOURCES.get(attribute.name, ""),
    )


def _is_known(type: ResourceType, target: Target) -> bool:
    attribute = target.attribute
    assert attribute
    if target.extension:
        return target.extension in _KNOWN_SCHEMAS
    return type.schema.id in _KNOWN_SCHEMAS or attribute.name in _KNOWN


def _is_writable(target: Target) -> bool:
    attribute = target.attribute
    assert attribute
    return "readOnly" not in (attribute.mutability, target.leaf.mutability) and target.leaf.name != "$ref"
