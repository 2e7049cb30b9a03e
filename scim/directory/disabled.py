"""Since when resources are disabled.

It is kept beside them, in the transaction that disables them: no attribute of SCIM has it, `meta.lastModified` moves
with every later change, and the provisioning log forgets.
"""

from typing import Any

from scim.schema.resource_types import DISABLED
from storage.base import Document, Reader, Writer


def track(writer: Writer, id: str, before: Document | None, after: Document | None) -> None:
    """Note that a resource was disabled, or that it no longer is."""
    if _is_disabled(before) == _is_disabled(after):
        return
    noted = writer.get(DISABLED, id)
    if after is not None and _is_disabled(after):
        put = writer.replace if noted else writer.insert
        put(DISABLED, {"id": id, "since": after["meta"]["lastModified"]})
    elif noted:
        writer.delete(DISABLED, id)


def since(reader: Reader, document: Document) -> str | None:
    """Return when a resource was disabled, None if it is not.

    Of one that came into the store by another way it is the latest time that it can have been.
    """
    if not _is_disabled(document):
        return None
    noted = reader.get(DISABLED, document["id"])
    return str(noted.data["since"] if noted else document["meta"]["lastModified"])


def before(reader: Reader, moment: str) -> list[str]:
    """Return the ids of what was disabled before a moment, as far as its time is known for certain."""
    return [noted.data["id"] for noted in reader.scan(DISABLED) if noted.data["since"] < moment]


def _is_disabled(document: dict[str, Any] | None) -> bool:
    return document is not None and document.get("active") is False
