"""What Entra makes of an answer: what its client does not tolerate, as errors with its codes."""

from __future__ import annotations

from typing import Any

from entra.client import Exchange
from entra.targets import Resource

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SCIM = "SystemForCrossDomainIdentityManagement"
INCOMPATIBLE = f"{SCIM}ServiceIncompatible"
MULTIPLE = f"{SCIM}MultipleEntriesInResponse"
CREDENTIALS = f"{SCIM}CredentialValidationUnavailable"


class ExportError(Exception):
    """One object could not be provisioned; the code is the one that the portal shows."""

    def __init__(self, code: str, detail: str, *, transient: bool = False) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.transient = transient


def resource(exchange: Exchange) -> Resource:
    """Take the resource out of a 200 or 201 answer."""
    raise_for_status(exchange)
    found = _deserialised(exchange.response)
    if not isinstance(found.get("id"), str) or not found["id"]:
        raise ExportError(INCOMPATIBLE, 'the resource has no string "id", so nothing to link it by')
    return found


def listing(exchange: Exchange) -> list[Resource]:
    """Take the resources out of a search; anything but a ListResponse is not understood."""
    if exchange.status == 404:
        raise ExportError(INCOMPATIBLE, "a search answered 404; an empty list with 200 was expected")
    raise_for_status(exchange)
    body = exchange.response
    if not is_list_response(body):
        raise ExportError(INCOMPATIBLE, "a search answered something that is not a ListResponse")
    found = body.get("Resources")
    if found is None and not body.get("totalResults"):
        return []  # RFC 7644 3.4.2 lets an empty list leave it out
    if not isinstance(found, list):
        raise ExportError(INCOMPATIBLE, 'the ListResponse has no "Resources" array')
    return [_deserialised(item) for item in found]


def is_list_response(body: Any) -> bool:
    """Say whether an answer's body is what a search has to answer."""
    schemas = body.get("schemas") if isinstance(body, dict) else None
    return isinstance(schemas, list) and LIST_RESPONSE in schemas


def raise_for_status(exchange: Exchange) -> None:
    """Raise what a fault on the way or an unsuccessful status means to Entra."""
    status = exchange.status
    if status is None:
        code = "Unreachable" if exchange.unreachable else "Timeout"
        raise ExportError(code, exchange.fault or "no answer", transient=True)
    if 200 <= status < 300:
        return
    detail = f"{exchange.method} answered {status}{_reason(exchange)}"
    if status == 429:
        raise ExportError("TooManyRequests", detail, transient=True)
    if status >= 500 and status != 501:
        raise ExportError(f"{SCIM}BadResponse", detail, transient=True)
    if status in (401, 403):
        raise ExportError("InvalidCredentials", detail)
    if status == 404 and exchange.method != "POST":
        raise ExportError("InvalidAnchor", detail)
    if status == 409:
        raise ExportError(f"{SCIM}Conflict", detail)
    raise ExportError(INCOMPATIBLE if status in (404, 405, 501) else f"{SCIM}BadRequest", detail)


def _reason(exchange: Exchange) -> str:
    body = exchange.response
    if isinstance(body, dict) and isinstance(body.get("detail"), str):
        return f": {body['detail'][:300]}"
    return f" ({exchange.fault})" if exchange.fault else ""


def _deserialised(item: Any) -> Resource:
    if not isinstance(item, dict):
        raise ExportError(INCOMPATIBLE, "the answer is not a SCIM resource")
    for name, value in item.items():
        _check_manager(name, value)
        if name in ("userName", "displayName", "externalId", "title", "id") and isinstance(value, dict | list):
            raise ExportError(f"{SCIM}DeserializationError", f'"{name}" is not a single value')
    return item


def _check_manager(name: str, value: Any) -> None:
    inner = value.get("manager") if name.lower().startswith("urn:") and isinstance(value, dict) else None
    if isinstance(inner, str):
        raise ExportError(f"{SCIM}DeserializationError", '"manager" is a string; {"value": id} was expected')
