"""The protocol's errors: each knows its status, its scimType and its message (RFC 7644 section 3.12)."""

from typing import Any

ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"

SHOWN = 100  # characters of a request's text that a message repeats
_MAX_DETAIL = 600


def shorten(text: str, length: int = SHOWN) -> str:
    """Return a text as messages show it: what a request sends can be megabytes long."""
    return text if len(text) <= length else text[: length - 1] + "…"


class ScimError(Exception):
    """A request that is answered with an error; `detail` is written for the administrator who reads it.

    The provisioning log chooses its advice by the words of some details: tests/log/test_advice.py holds those.
    """

    status = 400
    scim_type: str | None = None

    def __init__(self, detail: str) -> None:
        self.detail = shorten(detail, _MAX_DETAIL)
        super().__init__(self.detail)

    def to_body(self) -> dict[str, Any]:
        """Return the error as the message of RFC 7644 section 3.12, the status as a string."""
        return error_body(self.status, self.detail, self.scim_type)


def error_body(status: int, detail: str, scim_type: str | None = None) -> dict[str, Any]:
    """Return the message of RFC 7644 section 3.12."""
    body = {"schemas": [ERROR_SCHEMA], "status": str(status), "detail": detail}
    if scim_type:
        body["scimType"] = scim_type
    return body


class InvalidSyntax(ScimError):
    """The body is not JSON, or not a message of the expected form."""

    scim_type = "invalidSyntax"


class InvalidFilter(ScimError):
    """The filter cannot be read, or compares what cannot be compared."""

    scim_type = "invalidFilter"


class TooMany(ScimError):
    """The request asks for more work than one request may; the detail says what to narrow."""

    scim_type = "tooMany"


class InvalidPath(ScimError):
    """A path cannot be read or names no attribute."""

    scim_type = "invalidPath"


class InvalidValue(ScimError):
    """A value is missing or does not fit the attribute."""

    scim_type = "invalidValue"


class NoTarget(ScimError):
    """A path selects nothing that could be changed."""

    scim_type = "noTarget"


class Mutability(ScimError):
    """The change is not compatible with the attribute's mutability."""

    scim_type = "mutability"


class InvalidCursor(ScimError):
    """The cursor was not made here, or not for this query (RFC 9865 section 2.1)."""

    scim_type = "invalidCursor"


class InvalidCount(ScimError):
    """The count does not go with the cursor (RFC 9865 section 2.1)."""

    scim_type = "invalidCount"


class Unauthorized(ScimError):
    """No token, or none that is known here."""

    status = 401


class Forbidden(ScimError):
    """The token is known but may not do this."""

    status = 403


class NotFound(ScimError):
    """There is no such resource."""

    status = 404


class Uniqueness(ScimError):
    """Another resource has this value of a unique attribute."""

    status = 409
    scim_type = "uniqueness"


class Conflict(ScimError):
    """The operation depends on another one that failed."""

    status = 409


class PreconditionFailed(ScimError):
    """The resource is not in the version that the client asked for."""

    status = 412


class TooLarge(ScimError):
    """The request is over a limit, which the detail names."""

    status = 413


class UnsupportedMediaType(ScimError):
    """The body is declared to be something else than JSON."""

    status = 415


class InternalError(ScimError):
    """The service failed in a way that nobody foresaw; the traceback is in the log alone."""

    status = 500


class NotImplementedHere(ScimError):
    """The endpoint is defined by SCIM and not offered by this service."""

    status = 501


class ServiceUnavailable(ScimError):
    """The store could not take the write; nothing changed."""

    status = 503


class InsufficientStorage(ScimError):
    """The store has no room for the write; nothing changed."""

    status = 507
