"""Rewrites URLs and Authorization headers."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from scim.protocol.messages import parameter_name
from scim.schema.attributes import fold


def normalise_url(path: str, query: str, base_path: str, endpoints: Mapping[str, str]) -> tuple[str, str]:
    """Return the path and query that the client meant; `endpoints` has each endpoint by its folded name.

    A Tenant URL that ends in a slash gives `//Users`, and Microsoft's Postman collection sends `/Users/?filter=` and
    `/users`. If the Tenant URL ends in a flag, the path follows it: `?aadOptscim062020/Users?filter=`.
    """
    cleaned = _with_single_slashes(path)
    given, slash, rest = query.partition("/")
    if slash and cleaned == base_path and _ends_a_tenant_url(given):
        appended, _, query = rest.partition("?")
        cleaned = _with_single_slashes(f"{base_path}/{unquote(appended, 'latin-1')}")
    return _spelled(cleaned, base_path, endpoints), query


def _spelled(path: str, base_path: str, endpoints: Mapping[str, str]) -> str:
    """Return the path with its endpoint as it is spelled here."""
    if not path.startswith(f"{base_path}/"):
        return path
    endpoint, slash, rest = path[len(base_path) + 1 :].partition("/")
    return f"{base_path}/{endpoints.get(fold(endpoint), endpoint)}{slash}{rest}"


def _with_single_slashes(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part)


def _ends_a_tenant_url(query: str) -> bool:
    """Return whether a query has a flag and no search parameter, whose value may contain a slash."""
    names = {fold(parameter.partition("=")[0]) for parameter in query.split("&")}
    return not _FLAGS.isdisjoint(names) and not any(map(parameter_name, names))


_FLAGS = {"aadoptscim062020", "azureadscimpatch2017"}


def bearer_token(header: str) -> tuple[str, bool]:
    """Return the token in an Authorization header, and whether "Bearer" was pasted into Entra along with it."""
    scheme, _, token = header.strip().partition(" ")
    if fold(scheme) != "bearer":
        return "", False
    again, _, rest = token.strip().partition(" ")
    doubled = fold(again) == "bearer" and bool(rest)
    return (rest if doubled else token).strip(), doubled


def is_probe(filter: str) -> bool:
    """Return whether a filter is that of Entra's Test Connection, which also begins each cycle [use-scim].

    It has the matching attribute. externalId is left out: other clients look for GUIDs there.
    """
    return bool(_PROBE.fullmatch(filter))


_PROBE = re.compile(
    r"(?!externalId|id\b)[\w.:\[\]\" -]{1,200}? eq \"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\"",
    re.IGNORECASE | re.ASCII,
)
