"""Requests as a whole: addresses, tokens, messages without `schemas`."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from scim.errors import InvalidSyntax, shorten
from scim.protocol.messages import SEARCH_PARAMETERS, SEARCH_REQUEST
from scim.schema.attributes import fold
from scim.schema.resource_types import GROUP, ResourceType

JsonObject = dict[str, Any]


def normalise_url(path: str, query: str, base_path: str) -> tuple[str, str]:
    """Return path and query of a request as they were meant.

    A Tenant URL that ends in a slash gives `//Users`, Microsoft's Postman collection has `/Users/?filter=`, and the
    path comes behind the flag where the Tenant URL ends in one: `?aadOptscim062020/Users?filter=`.
    """
    cleaned = _with_single_slashes(path)
    given, slash, rest = query.partition("/")
    if slash and cleaned == base_path and _ends_a_tenant_url(given):
        appended, _, query = rest.partition("?")
        cleaned = _with_single_slashes(f"{base_path}/{unquote(appended, 'latin-1')}")
    return cleaned, query


def _with_single_slashes(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part)


def _ends_a_tenant_url(query: str) -> bool:
    """Tell whether a query has a flag and nothing of a search, in whose values a slash begins no path."""
    names = {fold(one.partition("=")[0]) for one in query.split("&")}
    return not _FLAGS.isdisjoint(names) and _PARAMETERS.isdisjoint(names)


_FLAGS = {"aadoptscim062020", "azureadscimpatch2017"}
_PARAMETERS = {fold(name) for name in SEARCH_PARAMETERS}


def bearer_token(header: str) -> tuple[str, bool]:
    """Return the token of an Authorization header, and whether its prefix was pasted into Entra along with it."""
    scheme, _, token = header.strip().partition(" ")
    if fold(scheme) != "bearer":
        return "", False
    again, _, rest = token.strip().partition(" ")
    doubled = fold(again) == "bearer" and bool(rest)
    return (rest if doubled else token).strip(), doubled


def answers_patch_with_resource(type: ResourceType) -> bool:
    """Tell whether PATCH answers 200 with the resource; for a group, with all its members, it is 204 [use-scim]."""
    return type.name != GROUP


def search_request(body: Mapping[str, Any]) -> JsonObject:
    """Return the body of a .search; without `schemas` it is taken for what its endpoint expects."""
    return {"schemas": [SEARCH_REQUEST], **drop_empty_schemas(canonicalise_keys(body, *SEARCH_PARAMETERS))}


def bulk_request(body: Mapping[str, Any], urn: str) -> JsonObject:
    """Return the body of a bulk request; without `schemas` it is taken for what its endpoint expects."""
    return {"schemas": [urn], **drop_empty_schemas(canonicalise_keys(body, "Operations", "failOnErrors"))}


def canonicalise_keys(body: Mapping[str, Any], *names: str) -> JsonObject:
    """Return a message with its names spelled like these. Raises InvalidSyntax where one is there twice."""
    known = _by_folded_name(names)
    result: JsonObject = {}
    for key, value in body.items():
        name = known.get(fold(key), key)
        if name in result:
            raise InvalidSyntax(f"{shorten(name)} is there twice.")
        result[name] = value
    return result


@lru_cache
def _by_folded_name(names: tuple[str, ...]) -> dict[str, str]:
    return {fold(name): name for name in (*names, "schemas")}


def drop_empty_schemas(body: Mapping[str, Any]) -> JsonObject:
    """Return the message without a `schemas` that says nothing."""
    return {name: value for name, value in body.items() if value not in (None, []) or fold(name) != "schemas"}
