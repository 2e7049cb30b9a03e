"""One entry of the provisioning log: its changes, request and response, and the resources that it names."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import url_for

from panel.names import Names
from provisioning_log.advice import advice
from provisioning_log.entries import Entry, Subject
from provisioning_log.export import as_exchange, detail, flat, people_of, shown
from provisioning_log.fitting import TOO_LONG
from runtime.redact import LEFT_OUT
from scim.errors import ScimError
from scim.filters import Compare
from scim.protocol.projection import Projection
from scim.protocol.query import Query
from scim.schema.resource_types import ResourceType
from scim.web.request import MEDIA_TYPE, base_url, service

_MAX_RESOURCES = 20  # that the page names for the IDs in a request
_CONFLICT = re.compile(r'Another (\w+) has the (\S+) "(.*)"\.', re.DOTALL)
_ID = re.compile(r'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')
_NAMES = Projection(("id", "userName", "displayName"))


def details(entry: Entry) -> dict[str, Any]:
    """Return what the page of an entry shows."""
    response = as_exchange(entry, service().registry).get("response")
    return {
        "entry": entry,
        "conflict": _conflict(entry),
        "request_body": _pretty(entry.request),
        "response_body": _pretty(response),
        "resources": list(_resources_in(entry.request)),
        "curl": _curl(entry),
        "is_complete": LEFT_OUT not in entry.to_line() and TOO_LONG not in entry.to_line(),
    }


def helpers() -> dict[str, Callable[..., Any]]:
    """Return the functions that templates call."""
    return {
        "changes_of": _changes,
        "advice_on": advice,
        "detail_of": detail,
        "people_of": people_of,
        "address_of": _url_of,
        "resource_with": _resource_with,
    }


def _changes(entry: Entry) -> Iterator[tuple[str, str, str, str]]:
    """Yield the display name, SCIM name, old value and new value of each changed attribute."""
    type, names = service().registry.types.get(entry.type), Names(service().live_config.current)
    for whole, values in entry.changes.items():
        for name, old, new in flat(whole, values):
            target = type.resolve(name) if type else None
            yield (names.label(target) if target and target.attribute else name), name, shown(old), shown(new)


def _conflict(entry: Entry) -> tuple[str, Subject] | None:
    """Return the type and names of the resource that has the value already."""
    found = _CONFLICT.fullmatch(detail(entry)) if entry.status == 409 else None
    type = service().registry.types.get(found[1]) if found else None
    if found is None or type is None:
        return None
    query = Query(Compare(found[2], "eq", found[3]), count=1)
    resources = orjson.loads(service().resources("").query([type], query, b"", _NAMES))["Resources"]
    return (type.name, _subject(resources[0])) if resources else None


def _resources_in(body: Any) -> Iterator[tuple[str, Subject]]:
    """Yield the type and names of the stored resources whose IDs are in a request."""
    for id in list(dict.fromkeys(_ID.findall(json.dumps(body))))[:_MAX_RESOURCES]:
        if found := _resource_with(id):
            yield found


def _resource_with(id: str) -> tuple[str, Subject] | None:
    """Return the type and names of the stored resource with an ID."""
    found = ((type.name, _stored(type, id)) for type in service().registry.types.values()) if id else ()
    return next(((name, subject) for name, subject in found if subject), None)


def _stored(type: ResourceType, id: str) -> Subject | None:
    try:
        return _subject(orjson.loads(service().resources("").get(type, id, _NAMES).text))
    except ScimError:
        return None


def _subject(resource: dict[str, Any]) -> Subject:
    return Subject(resource["id"], resource.get("userName", ""), resource.get("displayName", ""))


def _url_of(type: str, who: Subject) -> str:
    """Return the URL of a resource's page, or an empty string if the resource is not stored."""
    known = service().registry.types.get(type)
    if known is None or not who.id or not _stored(known, who.id):
        return ""
    return url_for("panel.resource", kind=known.endpoint.strip("/"), id=who.id)


def _curl(entry: Entry) -> str:
    """Return a command that sends the request again, with $TOKEN in place of the token."""
    base_path = service().startup_config.server.base_path
    if not entry.method.isalpha() or entry.cause or not entry.path.startswith(base_path):
        return ""
    query = f"?{urlencode(entry.query)}" if entry.query else ""
    url = shlex.quote(f"{base_url()}{entry.path.removeprefix(base_path)}{query}")
    lines = [f"curl -X {entry.method} {url}", '-H "Authorization: Bearer $TOKEN"']
    if entry.request is not None:
        body = json.dumps(entry.request, ensure_ascii=False)
        lines += [f"-H 'Content-Type: {MEDIA_TYPE}'", f"--data-raw {shlex.quote(body)}"]
    return " \\\n  ".join(lines)


def _pretty(body: Any) -> str:
    return "" if body is None else json.dumps(body, ensure_ascii=False, indent=2)
