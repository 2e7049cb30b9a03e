"""How Entra interprets a response: what its client does not tolerate becomes an ExportError."""

from typing import Any

from entra.exchange import Exchange
from entra.targets import Resource

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SCIM = "SystemForCrossDomainIdentityManagement"
INCOMPATIBLE = f"{SCIM}ServiceIncompatible"
MULTIPLE = f"{SCIM}MultipleEntriesInResponse"
SINGLE_VALUED = ("userName", "displayName", "externalId", "title", "id")


class ExportError(Exception):
    """An object could not be provisioned; `code` is the error code that the portal shows."""

    def __init__(self, code: str, detail: str, *, transient: bool = False) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.transient = transient


def parse_resource(exchange: Exchange) -> Resource:
    """Return the resource in a response. Raises ExportError if Entra would not accept it."""
    raise_for_status(exchange)
    return check_resource(exchange.response)


def check_resource(found: Any) -> Resource:
    """Return a resource that Entra can link to. Raises ExportError if it cannot."""
    _check_types(found)
    if not isinstance(found.get("id"), str) or not found["id"]:
        raise ExportError(INCOMPATIBLE, 'the resource has no string "id" to link to')
    return dict(found)


def parse_list(exchange: Exchange) -> list[Resource]:
    """Return the resources in a search response. Raises ExportError if it is not a ListResponse."""
    if exchange.status == 404:
        raise ExportError(INCOMPATIBLE, "a search returned 404 instead of 200 and an empty list")
    raise_for_status(exchange)
    try:
        found = resources_of(exchange.response)
    except ValueError as error:
        raise ExportError(INCOMPATIBLE, str(error)) from None
    for resource in found:
        _check_types(resource)
    return found


def resources_of(body: Any) -> list[Resource]:
    """Return the resources of a ListResponse. Raises ValueError if it is not one."""
    schemas = body.get("schemas") if isinstance(body, dict) else None
    if not isinstance(schemas, list) or LIST_RESPONSE not in schemas:
        raise ValueError("the response to a search is not a ListResponse")
    found = body.get("Resources")
    if found is None and not body.get("totalResults"):
        return []  # RFC 7644 section 3.4.2 allows an empty list to omit it
    if not isinstance(found, list):
        raise ValueError('the ListResponse has no "Resources" array')
    if not all(isinstance(item, dict) for item in found):
        raise ValueError("a resource in the list is not an object")
    return found


def raise_for_status(exchange: Exchange) -> None:
    """Raise the ExportError for a failed request or an unsuccessful status."""
    status = exchange.status
    if status is None:
        code = "Unreachable" if exchange.unreachable else "Timeout"
        raise ExportError(code, exchange.fault or "no response", transient=True)
    if not 200 <= status < 300:
        code, transient = _error_code(status, exchange.method)
        raise ExportError(code, f"{exchange.method} returned {status}{_detail(exchange)}", transient=transient)


def _error_code(status: int, method: str) -> tuple[str, bool]:
    if status == 429:
        return "TooManyRequests", True
    if status >= 500 and status != 501:
        return f"{SCIM}BadResponse", True
    if status == 404 and method != "POST":
        return "InvalidAnchor", False
    codes = {401: "InvalidCredentials", 403: "InvalidCredentials", 409: f"{SCIM}Conflict"}
    return codes.get(status, INCOMPATIBLE if status in (404, 405, 501) else f"{SCIM}BadRequest"), False


def _detail(exchange: Exchange) -> str:
    body = exchange.response
    if isinstance(body, dict) and isinstance(body.get("detail"), str):
        return f": {body['detail'][:300]}"
    return f" ({exchange.fault})" if exchange.fault else ""


def _check_types(item: Any) -> None:
    if not isinstance(item, dict):
        raise ExportError(INCOMPATIBLE, "the response is not a SCIM resource")
    for name, value in item.items():
        extension = value if name.lower().startswith("urn:") and isinstance(value, dict) else {}
        if isinstance(extension.get("manager"), str):
            raise ExportError(f"{SCIM}DeserializationError", '"manager" is a string instead of {"value": id}')
        if name in SINGLE_VALUED and isinstance(value, dict | list):
            raise ExportError(f"{SCIM}DeserializationError", f'"{name}" is not a single value')
