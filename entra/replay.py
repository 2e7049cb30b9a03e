"""Sending a captured log again: JSON lines of exchanges, or a HAR file, and comparing the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from entra import texts
from entra.client import Endpoint, Exchange

VOLATILE = frozenset({"id", "meta", "$ref", "location", "detail", "groups"})
_RESOURCE = re.compile(r"/+(Users|Groups|Schemas|ResourceTypes|ServiceProviderConfig|Bulk|\.search)(?=[/?]|$).*")


class LogError(ValueError):
    """The log cannot be read; the message says where."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request of the log and the answer that it had then."""

    method: str
    path: str
    query: list[tuple[str, str]]
    request: Any
    status: int | None
    response: Any


@dataclass(slots=True)
class Comparison:
    """One request sent again, and how its answer differs from the recorded one."""

    recorded: Recorded
    exchange: Exchange
    differences: list[str] = field(default_factory=list)


def read(text: str) -> list[Recorded]:
    """Read a log: HAR, JSON lines, or this program's own `--log`. Raises LogError when it is none."""
    found = [recorded for raw in _raw(text) for recorded in _recorded(raw)]
    if not found:
        raise LogError("no request to a SCIM resource is in this log")
    return found


def replay(endpoint: Endpoint, log: Iterable[Recorded]) -> Iterator[Comparison]:
    """Send every request in order, writing the ids of this run where the log has those of its own."""
    ids: dict[str, str] = {}
    for recorded in log:
        query = [(name, _translate(value, ids)) for name, value in recorded.query]
        body = json.loads(_translate(json.dumps(recorded.request), ids))
        exchange = endpoint.send(recorded.method, _translate(recorded.path, ids), query, body)
        _learn(ids, recorded.response, exchange.response)
        yield Comparison(recorded, exchange, list(_compare(recorded, exchange, ids)))


def _raw(text: str) -> Iterator[dict[str, Any]]:
    try:
        whole = texts.parse(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get("log"), dict):
        entries = whole["log"].get("entries")
        yield from map(_har, entries if isinstance(entries, list) else [])
    elif whole is not None:
        yield from whole if isinstance(whole, list) else [whole]
    else:
        yield from _lines(text)


def _lines(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):  # U+2028 and its like may stand in a text
        if line.strip():
            try:
                yield texts.parse(line)
            except ValueError as error:
                raise LogError(f"line {number} is not JSON: {error}") from None


def _har(entry: Any) -> dict[str, Any]:
    request, response = _part(entry, "request"), _part(entry, "response")
    return {
        "method": request.get("method"),
        "path": request.get("url"),
        "request": _part(request, "postData").get("text"),
        "status": response.get("status"),
        "response": _part(response, "content").get("text"),
    }


def _part(whole: Any, name: str) -> dict[str, Any]:
    found = whole.get(name) if isinstance(whole, dict) else None
    return found if isinstance(found, dict) else {}


def _recorded(raw: Any) -> Iterator[Recorded]:
    if not isinstance(raw, dict):
        return
    if isinstance(raw.get("requests"), list):  # an entry of the provisioning log holds its requests
        for inner in raw["requests"]:
            yield from _recorded(inner)
        return
    parts = urlsplit(str(raw.get("path") or raw.get("url") or ""))
    path = _RESOURCE.search(parts.path)
    if path is None or not raw.get("method"):
        return
    method = str(raw["method"]).upper()
    if not method.isascii():
        raise LogError(f"{method!r} is no method of HTTP")
    query = _query(raw.get("query")) or parse_qsl(parts.query, keep_blank_values=True)
    request, response = _parsed(raw.get("request")), _parsed(raw.get("response"))
    yield Recorded(method, path[0], query, request, raw.get("status"), response)


def _query(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [(str(name), str(inner)) for name, inner in value.items()]
    return parse_qsl(str(value or ""), keep_blank_values=True)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return texts.parse(value) if value.strip() else None
    except ValueError:
        return value


def _translate(text: str, ids: dict[str, str]) -> str:
    for old, new in ids.items():
        text = text.replace(old, new)
    return text


def _learn(ids: dict[str, str], old: Any, new: Any) -> None:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return
    if isinstance(old.get("id"), str) and isinstance(new.get("id"), str) and old["id"] != new["id"]:
        ids[old["id"]] = new["id"]
    listed = old.get("Resources"), new.get("Resources")
    if isinstance(listed[0], list) and isinstance(listed[1], list) and len(listed[0]) == len(listed[1]) == 1:
        _learn(ids, listed[0][0], listed[1][0])


def _compare(recorded: Recorded, exchange: Exchange, ids: dict[str, str]) -> Iterator[str]:
    if recorded.status is not None and recorded.status != exchange.status:
        yield f"status {recorded.status} -> {exchange.status or exchange.fault}"
    elif recorded.response is not None:
        then = json.loads(_translate(json.dumps(recorded.response), ids))
        yield from _differences("", then, exchange.response)


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new} - VOLATILE):
            yield from _differences(f"{path}.{key}" if path else key, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        if sorted(map(_stable, old)) != sorted(map(_stable, new)):
            yield f"{path}: {_short(old)} -> {_short(new)}"
    elif old != new:
        yield f"{path}: {_short(old)} -> {_short(new)}"


def _stable(value: Any) -> str:
    if isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if key not in VOLATILE}
    return json.dumps(value, sort_keys=True)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
