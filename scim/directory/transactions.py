"""Transactions on the store: its errors become SCIM errors, and each write saves a new version."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from scim.directory import disabled
from scim.errors import InsufficientStorage, NotFound, ScimError, ServiceUnavailable, Uniqueness, shorten
from scim.protocol.preconditions import Preconditions, new_version, now
from scim.schema.resource_types import ResourceType
from storage.base import Document, Duplicate, Reader, StoreCorrupted, Unavailable, Writer

R = TypeVar("R", bound=Reader)


@contextmanager
def transaction(open: Callable[[], AbstractContextManager[R]], *, writes: bool = False) -> Iterator[R]:
    """Open a reader or a writer; the errors of the store become SCIM errors."""
    try:
        with open() as opened:
            yield opened
    except (Duplicate, Unavailable, StoreCorrupted) as error:
        raise _scim_error(error, writes=writes) from error


def _scim_error(error: Duplicate | Unavailable | StoreCorrupted, *, writes: bool) -> ScimError:
    if isinstance(error, Duplicate):
        return Uniqueness(f'Another {error.kind} has the {error.index} "{shorten(error.key)}".')
    kind = InsufficientStorage if isinstance(error, Unavailable) and error.full else ServiceUnavailable
    if isinstance(error, Unavailable) and error.is_unknown:
        return kind("The store was lost while it saved the change; read the resource before you try again.")
    nothing_changed = " and nothing was changed" if writes else ""  # a reader may render what was just written
    return kind(f"The store cannot be used at the moment{nothing_changed}; try again later.")


def not_found(type: ResourceType, id: str) -> NotFound:
    """Return the error for an id that no resource of the type has."""
    return NotFound(f"There is no {type.name} with the id {shorten(id)}.")


def existing(writer: Writer, type: ResourceType, id: str, preconditions: Preconditions) -> Document:
    """Return the stored resource that a write changes. Raises NotFound, PreconditionFailed."""
    stored = writer.get(type.name, id)
    if stored is None:
        raise not_found(type, id)
    preconditions.check_write(stored.data)
    return stored.data


def save(writer: Writer, type: ResourceType, before: Document, after: Document, *, members_changed: bool) -> Document:
    """Write the resource in a new version and return it; if nothing changed, return the old one."""
    if after == before and not members_changed:
        return before
    version = new_version(before["meta"]["version"])
    saved = {**after, "meta": {**before["meta"], "lastModified": now(), "version": version}}
    writer.replace(type.name, saved)
    disabled.track(writer, before["id"], before, saved)
    return saved
