"""Replay a recorded log (JSON Lines or HAR) and compare the responses."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from entra import strict_json
from entra.client import Endpoint
from entra.exchange import Exchange, parse_body

IGNORED = frozenset({"id", "meta", "$ref", "location", "detail", "groups"})
_RESOURCE = re.compile(r"/+(Users|Groups|Schemas|ResourceTypes|ServiceProviderConfig|Bulk|\.search)(?=[/?]|$).*")


class LogError(ValueError):
    """The log cannot be read; the message names the place."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request in the log and its recorded response."""

    method: str
    path: str
    query: list[tuple[str, str]]
    request: Any
    status: int | None
    response: Any


@dataclass(slots=True)
class Comparison:
    """A replayed request and the differences from the recorded response."""

    recorded: Recorded
    exchange: Exchange
    differences: list[str] = field(default_factory=list)


def read(text: str) -> list[Recorded]:
    """Read a log: HAR, JSON Lines, or the `--log` of this program. Raises LogError if it is invalid."""
    found = [recorded for raw in _records(text) for recorded in _parse(raw)]
    if not found:
        raise LogError("the log contains no request to a SCIM resource")
    return found


def replay(endpoint: Endpoint, log: Iterable[Recorded]) -> Iterator[Comparison]:
    """Send every request in order; ids of the log are replaced by those that the endpoint returned."""
    ids: dict[str, str] = {}
    for recorded in log:
        query = [(name, _translate(value, ids)) for name, value in recorded.query]
        body = _translate_json(recorded.request, ids)
        exchange = endpoint.send(recorded.method, _translate(recorded.path, ids), query, body)
        _learn_ids(ids, recorded.response, exchange.response)
        yield Comparison(recorded, exchange, list(_compare(recorded, exchange, ids)))


def _records(text: str) -> Iterator[dict[str, Any]]:
    try:
        whole = strict_json.loads(text)
    except ValueError:
        yield from _lines(text)
        return
    if isinstance(whole, dict) and isinstance(whole.get("log"), dict):
        entries = whole["log"].get("entries")
        yield from map(_from_har, entries if isinstance(entries, list) else [])
    else:
        yield from whole if isinstance(whole, list) else [whole]


def _lines(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines(): a string may contain U+2028
        if line.strip():
            try:
                yield strict_json.loads(line)
            except ValueError as error:
                raise LogError(f"line {number} is not JSON: {error}") from None


def _from_har(entry: Any) -> dict[str, Any]:
    request, response = _object(entry, "request"), _object(entry, "response")
    return {
        "method": request.get("method"),
        "path": request.get("url"),
        "request": _object(request, "postData").get("text"),
        "status": response.get("status"),
        "response": _object(response, "content").get("text"),
    }


def _object(whole: Any, name: str) -> dict[str, Any]:
    found = whole.get(name) if isinstance(whole, dict) else None
    return found if isinstance(found, dict) else {}


def _parse(raw: Any) -> Iterator[Recorded]:
    if not isinstance(raw, dict):
        return
    if isinstance(raw.get("requests"), list):  # an entry of the provisioning log
        for inner in raw["requests"]:
            yield from _parse(inner)
        return
    parts = urlsplit(str(raw.get("path") or raw.get("url") or ""))
    path = _RESOURCE.search(parts.path)
    if path is None or not raw.get("method"):
        return
    method = str(raw["method"]).upper()
    if not method.isascii():
        raise LogError(f"{method!r} is not an HTTP method")
    query = _query(raw.get("query")) or parse_qsl(parts.query, keep_blank_values=True)
    request, response = (parse_body(b) if isinstance(b, str) else b for b in (raw.get("request"), raw.get("response")))
    yield Recorded(method, path[0], query, request, raw.get("status"), response)


def _query(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [(str(name), str(inner)) for name, inner in value.items()]
    return parse_qsl(str(value or ""), keep_blank_values=True)


def _translate(text: str, ids: dict[str, str]) -> str:
    for old, new in ids.items():
        text = text.replace(old, new)
    return text


def _translate_json(value: Any, ids: dict[str, str]) -> Any:
    return json.loads(_translate(json.dumps(value), ids))


def _learn_ids(ids: dict[str, str], old: Any, new: Any) -> None:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return
    if isinstance(old.get("id"), str) and isinstance(new.get("id"), str) and old["id"] != new["id"]:
        ids[old["id"]] = new["id"]
    lists = old.get("Resources"), new.get("Resources")
    if all(isinstance(found, list) and len(found) == 1 for found in lists):
        _learn_ids(ids, old["Resources"][0], new["Resources"][0])


def _compare(recorded: Recorded, exchange: Exchange, ids: dict[str, str]) -> Iterator[str]:
    if recorded.status is not None and recorded.status != exchange.status:
        yield f"status {recorded.status} -> {exchange.outcome}"
    elif recorded.response is not None:
        yield from _differences("", _translate_json(recorded.response, ids), exchange.response)


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new} - IGNORED):
            yield from _differences(f"{path}.{key}" if path else key, old.get(key), new.get(key))
        return
    if isinstance(old, list) and isinstance(new, list):
        is_equal = sorted(map(_comparable, old)) == sorted(map(_comparable, new))
    else:
        is_equal = old == new or (old in _NO_VALUE and new in _NO_VALUE)
    if not is_equal:
        yield f"{path}: {_shorten(old)} -> {_shorten(new)}"


_NO_VALUE: tuple[Any, ...] = (None, [])  # RFC 7643 section 2.5


def _comparable(value: Any) -> str:
    if isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if key not in IGNORED}
    return json.dumps(value, sort_keys=True)


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
