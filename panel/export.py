"""What a list shows, as a CSV or JSON file."""

import csv
import io
import json
from typing import Any

from flask import Response

from panel import lists
from panel.directory import asked, resources, type_at
from panel.names import Names, cell_reader
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
    readers = {str(target): cell_reader(target) for target in found.listing.targets()}
    has_state = found.listing.has_state
    return [
        {
            "id": document["id"],
            **({"active": _is_active(document)} if has_state else {}),
            **{name: read(document) for name, read in readers.items()},
        }
        for document in found.documents
    ]


def _csv(found: lists.Found) -> str:
    """Return each resource under readable names, for spreadsheets."""
    names = Names(service().config.now)
    columns = {names.label(target): cell_reader(target) for target in found.listing.targets()}
    if found.listing.has_state:
        columns["State"] = lambda document: "Active" if _is_active(document) else "Disabled"
    out = io.StringIO()
    out.write("\ufeff")  # else Excel takes the text for something older than UTF-8
    table = csv.writer(out)
    table.writerow(columns)
    table.writerows([_harmless(read(document)) for read in columns.values()] for document in found.documents)
    return out.getvalue()


def _is_active(document: Document) -> bool:
    return document.get("active") is not False


def _harmless(text: str) -> str:
    """Keep a spreadsheet from taking text that somebody provisioned for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
