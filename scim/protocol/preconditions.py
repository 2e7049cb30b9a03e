"""Versions and preconditions (RFC 7644 section 3.14, RFC 9110 section 13)."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from scim.errors import PreconditionFailed
from storage.base import Document

_TAG = re.compile(r'(?:W/)?("[^"]*")|([^\s,"]+)')


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The values of `If-Match` and `If-None-Match`."""

    if_match: str = ""
    if_none_match: str = ""

    def check_write(self, document: Document) -> None:
        """Raise PreconditionFailed if the preconditions rule out a change of the resource's version."""
        version = version_of(document)
        self._check_match(version)
        if self.if_none_match and _names(self.if_none_match, version):
            raise PreconditionFailed(f"The resource is in version {version}, which If-None-Match rules out.")

    def is_unchanged(self, version: str) -> bool:
        """Return whether the client's copy is current, so that a GET answers 304. Raises PreconditionFailed."""
        self._check_match(version)
        return bool(self.if_none_match) and _names(self.if_none_match, version)

    def _check_match(self, version: str) -> None:
        if self.if_match and not _names(self.if_match, version):
            raise PreconditionFailed(f"The resource has changed: it is in version {version}.")


UNCONDITIONAL = Preconditions()


def version_of(document: Document) -> str:
    """Return the version of a stored resource: a weak entity tag, since responses vary with the request."""
    return str(document["meta"]["version"])


def new_version(previous: str | None = None) -> str:
    """Return a version that the resource never had, made from the time in nanoseconds."""
    last = int(previous[3:-1], 16) if previous else 0
    return f'W/"{max(time.time_ns(), last + 1):x}"'


def now() -> str:
    """Return the current time as a dateTime in UTC, in microseconds."""
    return dated(datetime.now(UTC))


def dated(moment: datetime) -> str:
    """Return a time in UTC as a dateTime of fixed length, so that it sorts as text."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _names(header: str, version: str) -> bool:
    """Return whether the header names the version, by weak comparison (RFC 7644 section 3.14)."""
    opaque = version.removeprefix("W/")
    named = {quoted or f'"{bare}"' for quoted, bare in _TAG.findall(header)}
    return header.strip() == "*" or opaque in named
