"""What a list shows, as a CSV or JSON file."""

import csv
import io
import json
from typing import Any

from flask import Response

from panel import lists
from panel.directory import asked, resources, type_at
from panel.names import Names, cell
from panel.page import refuse
from scim.http import service
from storage.base import Document


def export(kind: str, format: str) -> Response:
    """Give all pages of a list as a file, in its order and with its columns."""
    type = type_at(kind)
    listing = asked(type)
    found = lists.find_all(resources(), listing)
    if format == "json":
        return _file(json.dumps(_records(found), ensure_ascii=False, indent=2) + "\n", "application/json", kind, format)
    if format == "csv":
        return _file(_csv(found), "text/csv", kind, format)
    return refuse("There is an export as csv and one as json.", 404)


def _file(text: str, media_type: str, kind: str, format: str) -> Response:
    name = f"{kind.lower()}.{format}"
    return Response(
        text,
        content_type=f"{media_type}; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename={name}"},
    )


def _records(found: lists.Found) -> list[dict[str, Any]]:
    """Return each resource under SCIM's names, for programs."""
    names = [str(target) for target in found.listing.targets()]
    records = []
    for document in found.documents:
        cells = {str(target): cell(target, document) for target in found.listing.targets()}
        records.append({"id": document["id"], **_state(found, document), **{name: cells[name] for name in names}})
    return records


def _csv(found: lists.Found) -> str:
    """Return each resource under readable names, for spreadsheets."""
    names = Names(service().config.now)
    targets = found.listing.targets()
    out = io.StringIO()
    out.write("\ufeff")  # else Excel takes the text for something older than UTF-8
    table = csv.writer(out)
    table.writerow([*(names.label(target) for target in targets), *(["State"] if found.listing.has_state else [])])
    for document in found.documents:
        state = ["Disabled" if document.get("active") is False else "Active"] if found.listing.has_state else []
        table.writerow([*(_harmless(cell(target, document)) for target in targets), *state])
    return out.getvalue()


def _state(found: lists.Found, document: Document) -> dict[str, bool]:
    return {"active": document.get("active") is not False} if found.listing.has_state else {}


def _harmless(text: str) -> str:
    """Keep a spreadsheet from taking text that somebody provisioned for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
