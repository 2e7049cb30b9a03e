"""The protocol's errors, with status, scimType and detail (RFC 7644 section 3.12)."""

from typing import Any

ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"

SHOWN = 100  # characters of a request's text that a message quotes
_MAX_DETAIL = 600


def shorten(text: str, length: int = SHOWN) -> str:
    """Return a text cut to the length that messages quote; a request can send megabytes."""
    return text if len(text) <= length else text[: length - 1] + "…"


class ScimError(Exception):
    """An error response; `detail` is written for the administrator.

    The provisioning log chooses its advice by the words of some details; tests/log/test_advice.py lists those.
    """

    status = 400
    scim_type: str | None = None

    def __init__(self, detail: str) -> None:
        self.detail = shorten(detail, _MAX_DETAIL)
        super().__init__(self.detail)

    def to_body(self) -> dict[str, Any]:
        """Return the message of RFC 7644 section 3.12."""
        return error_body(self.status, self.detail, self.scim_type)


def error_body(status: int, detail: str, scim_type: str | None = None) -> dict[str, Any]:
    """Return the message of RFC 7644 section 3.12."""
    body = {"schemas": [ERROR_SCHEMA], "status": str(status), "detail": detail}
    if scim_type:
        body["scimType"] = scim_type
    return body


class InvalidSyntax(ScimError):
    """The body is not JSON, or not the expected message."""

    scim_type = "invalidSyntax"


class InvalidFilter(ScimError):
    """The filter's syntax is invalid, or it compares incompatible values."""

    scim_type = "invalidFilter"


class TooMany(ScimError):
    """The request needs more work than the limit allows; the detail says how to narrow it."""

    scim_type = "tooMany"


class InvalidPath(ScimError):
    """A path's syntax is invalid, or it names no attribute."""

    scim_type = "invalidPath"


class InvalidValue(ScimError):
    """A value is missing or does not fit the attribute."""

    scim_type = "invalidValue"


class NoTarget(ScimError):
    """A path selects no element to change."""

    scim_type = "noTarget"


class Mutability(ScimError):
    """The change is not compatible with the attribute's mutability."""

    scim_type = "mutability"


class InvalidCursor(ScimError):
    """The cursor was not issued by this service for this query (RFC 9865 section 2.1)."""

    scim_type = "invalidCursor"


class InvalidCount(ScimError):
    """The count differs from the cursor's (RFC 9865 section 2.1)."""

    scim_type = "invalidCount"


class Unauthorized(ScimError):
    """The request has no valid token.

    The `reason` is missing, unknown, expired or revoked; `token` is the name of one that was valid once.
    """

    status = 401

    def __init__(self, detail: str, reason: str = "unknown", token: str = "") -> None:
        super().__init__(detail)
        self.reason, self.token = reason, token


class TokenExpired(Unauthorized):
    """The access token has expired, and the client gets another."""


class Forbidden(ScimError):
    """The token does not permit this request."""

    status = 403


class InsufficientScope(Forbidden):
    """The token may only read."""


class NotFound(ScimError):
    """The resource does not exist."""

    status = 404


class Uniqueness(ScimError):
    """Another resource has this value of a unique attribute."""

    status = 409
    scim_type = "uniqueness"


class Conflict(ScimError):
    """The operation depends on another one that failed."""

    status = 409


class PreconditionFailed(ScimError):
    """The resource's version does not match the precondition."""

    status = 412


class TooLarge(ScimError):
    """The request exceeds a limit, which the detail names."""

    status = 413


class UnsupportedMediaType(ScimError):
    """The body's Content-Type is not JSON."""

    status = 415


class InternalError(ScimError):
    """An unexpected failure; only the log has the traceback."""

    status = 500


class NotImplementedHere(ScimError):
    """SCIM defines the endpoint, but this service does not offer it."""

    status = 501


class ServiceUnavailable(ScimError):
    """The store is unavailable; nothing changed."""

    status = 503


class InsufficientStorage(ScimError):
    """The disk is full; nothing changed."""

    status = 507
