"""Exports of a list as CSV or JSON."""

import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from flask import Response

from fileio.csv_writer import write_table
from panel import lists
from panel.directory import requested_listing, resources, type_at
from panel.names import Names, cell_reader
from panel.page import refuse
from scim.web.request import service
from storage.base import Document

_STATE = "State"


def export(kind: str, format: str) -> Response:
    """Return all pages of a list as a file, with its order and columns."""
    type = type_at(kind)
    found = lists.find(resources(), requested_listing(type), all_pages=True)
    if format == "json":
        return _file(json.dumps(_records(found), ensure_ascii=False, indent=2) + "\n", "application/json", kind, format)
    if format == "csv":
        return _file(_csv(found), "text/csv", kind, format)
    return refuse("Lists can be exported as csv or json.", 404)


def _file(text: str, media_type: str, kind: str, format: str) -> Response:
    name = f"{kind.lower()}.{format}"
    return Response(
        text,
        content_type=f"{media_type}; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename={name}"},
    )


def _records(found: lists.Found) -> list[dict[str, Any]]:
    """Return the resources under SCIM attribute names."""
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
    """Return the resources under display names."""
    columns = _columns(found.listing)
    out = io.StringIO()
    out.write("\ufeff")  # Excel reads UTF-8 only with a byte order mark
    write_table(out, [[label for label, _ in columns]])
    write_table(out, ([read(document) for _, read in columns] for document in found.documents))
    return out.getvalue()


def _columns(listing: lists.Listing) -> list[tuple[str, Callable[[Document], str]]]:
    """Return each column's label and cell reader; duplicate labels include the SCIM name."""
    names = Names(service().live_config.current)
    labels = {str(target): names.label(target) for target in listing.targets()}
    counts = Counter([*labels.values(), *([_STATE] if listing.has_state else [])])
    columns = [
        (f"{label} ({name})" if counts[label] > 1 else label, cell_reader(target))
        for target, (name, label) in zip(listing.targets(), labels.items(), strict=True)
    ]
    if listing.has_state:
        columns.append((_STATE, lambda document: "Active" if _is_active(document) else "Disabled"))
    return columns


def _is_active(document: Document) -> bool:
    return document.get("active") is not False
