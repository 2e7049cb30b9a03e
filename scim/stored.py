"""Holds documents that come from elsewhere, such as an import, to the form in which they are stored here."""

import re

from scim.attributes import instant
from scim.errors import ScimError
from scim.inactive import DISABLED
from scim.members import MEMBERSHIP, membership_id
from scim.registry import Registry, ResourceType
from scim.validation import load_resource
from storage.base import Document

_VERSION = re.compile(r'W/"[0-9a-f]{1,32}"')


def check_stored(registry: Registry, kind: str, document: Document) -> None:
    """Raise ValueError, which says why, if the document could not have been stored here."""
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        raise ValueError('a document needs an "id"')
    type = registry.types.get(kind)
    if type:
        _check_resource(type, document)
    elif kind == MEMBERSHIP:
        if document["id"] != membership_id(str(document.get("group")), str(document.get("member"))):
            raise ValueError("a membership needs its group and its member")
    elif kind == DISABLED:
        instant(str(document.get("since")))
    else:
        raise ValueError(f"there is no resource type {kind}; there are {', '.join(registry.types)}")


def _check_resource(type: ResourceType, document: Document) -> None:
    id = document["id"]
    if not id.isprintable() or "/" in id or id in ("", ".", "..", ".search"):
        raise ValueError(f"the id {id!r} cannot stand in an address")
    meta = document.get("meta")
    if not isinstance(meta, dict) or meta.get("resourceType") != type.name:
        raise ValueError(f'a {type.name} needs "meta" with its resourceType')
    for name in ("created", "lastModified"):
        instant(str(meta.get(name)))
    if not _VERSION.fullmatch(str(meta.get("version"))):
        raise ValueError(f'{meta.get("version")} is no version like W/"1a2b"')
    try:
        load_resource(type, document)
    except ScimError as error:
        raise ValueError(error.detail) from None
