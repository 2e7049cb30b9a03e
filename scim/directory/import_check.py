"""Checks that an imported document is one that this service could have stored."""

import re
from collections.abc import Iterator
from typing import Any

from scim.directory.memberships import membership_id
from scim.errors import ScimError, shorten
from scim.schema.attributes import Schema, fold, instant
from scim.schema.resource_types import DISABLED, GROUP, MEMBERSHIP, Registry, ResourceType
from scim.schema.validation import load_resource
from scim.schema.values import is_unassigned
from storage.base import Document

_VERSION = re.compile(r'W/"[0-9a-f]{1,32}"')


def check_importable(registry: Registry, kind: str, document: Document) -> None:
    """Raise ValueError, with the reason, if the document could not have been stored here."""
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        raise ValueError('a document needs an "id"')
    type = registry.types.get(kind)
    if type:
        _check_resource(type, document)
    elif kind == MEMBERSHIP:
        group, member = str(document.get("group")), str(document.get("member"))
        if "." in group or document["id"] != membership_id(group, member):
            raise ValueError("a membership needs its group, without a dot, and its member")
    elif kind == DISABLED:
        instant(str(document.get("since")))
    else:
        raise ValueError(f'unknown resource type "{shorten(kind)}" (try {", ".join(registry.types)})')


def _check_resource(type: ResourceType, document: Document) -> None:
    id = document["id"]
    if type.name == GROUP and "." in id:
        raise ValueError(
            f"the group id {shorten(repr(id))} contains a dot, which separates the ids in a membership's id"
        )
    if not id.isprintable() or "/" in id or id in ("", ".", "..", ".search"):
        raise ValueError(f"the id {shorten(repr(id))} cannot be part of a URL")
    meta = document.get("meta")
    if not isinstance(meta, dict) or meta.get("resourceType") != type.name:
        raise ValueError(f'a {type.name} needs "meta" with its resourceType')
    for name in ("created", "lastModified"):
        instant(str(meta.get(name)))
    if not _VERSION.fullmatch(str(meta.get("version"))):
        raise ValueError(f'{shorten(str(meta.get("version")))} is not a version (expected, for example, W/"1a2b")')
    try:
        loaded, _ = load_resource(type, document)
    except ScimError as error:
        raise ValueError(error.detail) from None
    known = {name: value for name, value in document.items() if not _is_former_extension(type, name, value)}
    for name in _names_not_loaded(loaded | {"schemas": [], "id": id, "meta": meta}, known):
        raise ValueError(f"{shorten(name)} is not an attribute of {type.name}, or not spelled as in its schema")


def _is_former_extension(type: ResourceType, name: str, value: Any) -> bool:
    """Return whether this may be an extension removed from the configuration: its values stay in the store."""
    if not (isinstance(value, dict) and fold(name).startswith("urn:")) or type.urn(name):
        return False
    return not any(_is_inside(schema, name) for schema in type.schemas.values())


def _is_inside(schema: Schema, name: str) -> bool:
    """Return whether a name is the path of one of the schema's attributes."""
    urn, rest = fold(name[: len(schema.id)]), name[len(schema.id) :]
    return urn == fold(schema.id) and rest[:1] in (":", ".") and bool(schema.by_name.get(re.split("[:.]", rest[1:])[0]))


def _names_not_loaded(loaded: Any, document: Any) -> Iterator[str]:
    """Yield the names in a document that have a value of which nothing was loaded."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in loaded:
                yield from _names_not_loaded(loaded[name], value)
            elif not is_unassigned(value):
                yield name
    elif isinstance(document, list):
        for one, other in zip(loaded, document, strict=False):
            yield from _names_not_loaded(one, other)
