"""When resources were disabled.

The time is a document of its own, written in the same transaction: SCIM has no attribute for it, `meta.lastModified`
changes with every write, and the provisioning log is rotated.
"""

from typing import Any

from scim.schema.resource_types import DISABLED
from storage.base import Document, Reader, Writer


def track(writer: Writer, id: str, before: Document | None, after: Document | None) -> None:
    """Record that a resource was disabled or enabled."""
    if _is_disabled(before) == _is_disabled(after):
        return
    recorded = writer.get(DISABLED, id)
    if after is not None and _is_disabled(after):
        put = writer.replace if recorded else writer.insert
        put(DISABLED, {"id": id, "since": after["meta"]["lastModified"]})
    elif recorded:
        writer.delete(DISABLED, id)


def since(reader: Reader, document: Document) -> str | None:
    """Return when a resource was disabled, or None if it is not.

    For imported documents, `meta.lastModified` is an upper bound.
    """
    if not _is_disabled(document):
        return None
    recorded = reader.get(DISABLED, document["id"])
    return str(recorded.data["since"] if recorded else document["meta"]["lastModified"])


def before(reader: Reader, moment: str) -> list[str]:
    """Return the ids of the resources recorded as disabled before a moment."""
    return [recorded.data["id"] for recorded in reader.scan(DISABLED) if recorded.data["since"] < moment]


def _is_disabled(document: dict[str, Any] | None) -> bool:
    return document is not None and document.get("active") is False
