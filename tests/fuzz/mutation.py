"""Changes a real request into one that a careless or hostile client could send."""

import codecs
import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any, cast
from urllib.parse import quote

from tests.fuzz.samples import BASE, FILTERS, HEADERS, MEMBER_OPERATIONS, MESSAGES, OPERATIONS, Request, samples
from tests.fuzz.vocabulary import CONTENT_TYPES, ENCODINGS, METHODS, NUMBERS, WORDS
from tests.support.words import NAMES, PARAMETERS

LONGEST = 1_500_000  # characters of a body

Change = Callable[[Random, Request], None]


def make_request(chance: Random) -> Request:
    """Return a real request with one to four changes, and a few with none."""
    weights, kinds = zip(*samples(), strict=True)
    request = copy.deepcopy(chance.choice(chance.choices(kinds, weights)[0]))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 4))):
        change = chance.choices(list(CHANGES), list(CHANGES.values()))[0]
        with suppress(RecursionError):  # a body may be nested deeper than Python's stack
            change(chance, request)
        if len(data := to_bytes(request.body)) > LONGEST:
            request.body = data[: 2 * LONGEST]
            break
    return request


def _change_body(chance: Random, request: Request) -> None:
    """Change one value in the JSON, or the text of a form."""
    if isinstance(request.body, str):
        request.body = _changed_text(chance, request.body)
    elif isinstance(request.body, dict | list):
        _change_within(chance, request)
    else:
        _change_query(chance, request)


def _change_within(chance: Random, request: Request) -> None:
    container: Any = {"": request.body}
    key: Any = ""
    while isinstance(container[key], dict | list) and container[key] and chance.random() < 0.8:
        container = container[key]
        key = chance.choice(list(container)) if isinstance(container, dict) else chance.randrange(len(container))
    chance.choice((_replace, _replace, _remove, _rename, _double, _deepen))(chance, container, key)
    if not isinstance(request.body, dict | list):
        return
    if chance.random() < 0.1:
        request.body = _any_value(chance, 3)


def _replace(chance: Random, container: Any, key: Any) -> None:
    value = container[key]
    container[key] = (
        _changed_text(chance, value) if isinstance(value, str) and chance.random() < 0.6 else _any_value(chance, 3)
    )


def _remove(chance: Random, container: Any, key: Any) -> None:
    if key != "":
        del container[key]


def _rename(chance: Random, container: Any, key: Any) -> None:
    """Give a value another name, or put a value under a new one."""
    if isinstance(container, dict) and key != "":
        kept = container.pop(key) if chance.random() < 0.5 else _any_value(chance, 2)
        container[chance.choice((_word(chance), key.upper(), f"{key}.{_word(chance)}", _changed_text(chance, key)))] = (
            kept
        )


def _double(chance: Random, container: Any, key: Any) -> None:
    """Repeat the elements of a list, a few times or very often."""
    value = container[key]
    if isinstance(value, list) and value:
        container[key] = _copies(value, len(value) * _times(chance, len(json.dumps(value))))
    elif key != "":
        container[key] = _copies([value], chance.randrange(4))


def _deepen(chance: Random, container: Any, key: Any) -> None:
    for _ in range(chance.choice((1, 2, 10, 48, 60, 1_000 if chance.random() < 0.1 else 5))):
        container[key] = [container[key]] if chance.random() < 0.5 else {_word(chance)[:20]: container[key]}


def _times(chance: Random, size: int) -> int:
    wanted = chance.choice((2, 3, 5, 10, 20, chance.choice((50, 200, 1_000, 5_000))))
    return max(1, min(wanted, LONGEST // max(size, 1)))


def _any_value(chance: Random, depth: int) -> Any:
    kind = chance.randrange(10 if depth else 7)
    if kind < 3:
        return _word(chance)
    if kind < 7:
        return chance.choice((None, True, False, "", "True", chance.choice(NUMBERS), chance.choice(FILTERS)))
    if kind == 7:
        return [_any_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    if kind == 8:
        return copy.deepcopy(chance.choice(OPERATIONS + MEMBER_OPERATIONS))
    return {_word(chance): _any_value(chance, depth - 1) for _ in range(chance.randrange(4))}


def _word(chance: Random) -> str:
    if chance.random() < 0.85:
        return chance.choice(chance.choice(WORDS))
    return "".join(
        chr(chance.choice((chance.randrange(128), chance.randrange(0x3000)))) for _ in range(chance.randrange(8))
    )


def _changed_text(chance: Random, text: str) -> str:
    """Return a text with a piece put in, taken out, or repeated."""
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.randrange(12))
    kind = chance.randrange(6)
    if kind == 0:
        return text[:start] + text[end:]
    if kind == 1:
        piece = text[start:end] or _word(chance)
        return text[:start] + piece * _times(chance, len(piece)) + text[end:]
    if kind == 2:
        return text[:start] + _word(chance) * _times(chance, 20)
    if kind == 3:
        return chance.choice((f" {chance.choice(('and', 'or', ','))} ", ",", "")).join(
            [text] * _times(chance, len(text))
        )
    return text[:start] + _word(chance) + text[end if kind == 4 else start :]


def _change_query(chance: Random, request: Request) -> None:
    """Add a parameter, or change the query as it is."""
    if chance.random() < 0.4:
        request.query = _changed_text(chance, request.query)
        return
    value = chance.choice((chance.choice(FILTERS), _word(chance), _changed_text(chance, chance.choice(FILTERS))))
    name = chance.choice((*PARAMETERS, "aadOptscim062020", _word(chance)))
    one = f"{_quoted(name)}={_quoted(value)}"
    request.query += "".join(f"&{one}" for _ in range(_times(chance, 5_000) if chance.random() < 0.1 else 1))


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="{}")


def _change_filter(chance: Random, request: Request) -> None:
    """Join many terms, or nest one deeply."""
    terms = [chance.choice(FILTERS) for _ in range(chance.choice((1, 2, 3)))]
    joint = f" {chance.choice(('and', 'or'))} "
    most = max(1, 16_384 // len(joint.join([*terms, ""])))  # which is as long as a filter may be
    text = joint.join((terms * chance.choice((1, 2, 10, most, most, most + 1)))[: chance.choice((1_000, 1_001))])
    if chance.random() < 0.2:
        depth = chance.choice((1, 5, 49, 51, 500))
        text = "not (" * depth + text + ")" * depth
    operations = request.body.get("Operations") if isinstance(request.body, dict) else None
    if isinstance(operations, list):
        for one in operations[:5]:
            if isinstance(one, dict):
                one["path"] = f"{chance.choice(NAMES)}[{text}]" + chance.choice(("", ".value"))
    elif isinstance(request.body, dict) and ".search" in request.path:
        request.body["filter"] = text
    elif len(text) > 5_000:  # too long for an address
        request.method, request.path = "POST", BASE + chance.choice(("/Users", "/Groups", "")) + "/.search"
        request.body = {"schemas": [f"{MESSAGES}:SearchRequest"], "filter": text}
    else:
        request.query = f"filter={_quoted(text)}"


def _add_name(chance: Random, request: Request) -> None:
    """Put an attribute of any name into a resource."""
    if isinstance(request.body, dict):
        operations = request.body.get("Operations")
        inner = operations if isinstance(operations, list) else []
        values = [one.get("data", one.get("value")) for one in inner if isinstance(one, dict)]
        holders = [one for one in (request.body, *values) if isinstance(one, dict)]
        chance.choice(holders)[_word(chance)] = _any_value(chance, 1)


def _change_size(chance: Random, request: Request) -> None:
    """Make a list or a text of the body as long as the limits allow, or longer."""
    found = list(_long(request.body))
    if not found:
        _change_filter(chance, request)
        return
    container, key = chance.choice(found)
    wanted = (
        chance.choice((100, 999, 1_001, 5_000)) if isinstance(container[key], list) else chance.choice((3_000, LONGEST))
    )
    value = container[key]
    if isinstance(value, str):
        container[key] = (value * (wanted // len(value) + 1))[:wanted]
    else:
        container[key] = _copies(value, min(wanted, LONGEST * len(value) // len(json.dumps(value))))


def _copies(values: list[Any], count: int) -> list[Any]:
    """Return so many elements, none of which is another one: a later change is to one of them alone."""
    repeated = (values * (count // len(values) + 1))[:count]
    try:
        return cast(list[Any], json.loads(json.dumps(repeated)))
    except RecursionError:
        return values


def _long(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where lists and texts stand that are not empty."""
    waiting = [value]  # no recursion: a body may be nested deeper than Python's stack
    while waiting:
        outer = waiting.pop()
        for key in outer if isinstance(outer, dict) else range(len(outer)) if isinstance(outer, list) else ():
            if isinstance(outer[key], list | str) and outer[key]:
                yield outer, key
            if isinstance(outer[key], dict | list):
                waiting.append(outer[key])


def _change_path(chance: Random, request: Request) -> None:
    parts = request.path.split("/")
    place = chance.randrange(len(parts))
    parts[place] = chance.choice((_changed_text(chance, parts[place]), _word(chance), "", "..", parts[place].upper()))
    request.path = "/" + "/".join(parts).lstrip("/") if chance.random() < 0.9 else "/".join(parts)


def _change_header(chance: Random, request: Request) -> None:
    name = chance.choice([*HEADERS, "Authorization", "Content-Type", "Content-Length", _word(chance)])
    value = HEADERS.get(name, "Bearer {token}")
    if name == "Content-Type":
        value = chance.choice(CONTENT_TYPES)
    elif name == "Content-Length":
        value = chance.choice(("0", "5", "", "2000000", "2000001", "999999999999"))
    elif chance.random() < 0.7:
        value = _changed_text(chance, value)
    request.headers[name] = value


def _change_method(chance: Random, request: Request) -> None:
    request.method = chance.choice(METHODS)


def _change_bytes(chance: Random, request: Request) -> None:
    """Break the body where it is only bytes: its encoding, its end, a bit."""
    data = to_bytes(request.body)
    place = chance.randrange(len(data) + 1)
    text = data.decode("utf-8", "replace")
    request.body = chance.choice(
        (
            data[:place],
            data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :],
            data + data,
            codecs.BOM_UTF8 + data,
            text.encode(chance.choice(ENCODINGS), "replace"),
            text.replace('"', "'", 3).encode(),
            text.replace("{", '{"schemas":1,', 1).encode(),
            text.replace(":", chance.choice((":[", ":1e999,", ":\\u0000", ":NaN,")), 1).encode(),
            b"[" * _times(chance, 1) + data,
            b"\x1f\x8b" + data,
            b"",
        )
    )


def _change_sample(chance: Random, request: Request) -> None:
    """Send the body of another request."""
    request.body = copy.deepcopy(chance.choice(chance.choice([kind for _, kind in samples()])).body)


CHANGES: dict[Change, int] = {
    _change_body: 40,
    _change_query: 12,
    _change_filter: 4,
    _change_size: 4,
    _add_name: 8,
    _change_path: 8,
    _change_header: 10,
    _change_method: 3,
    _change_bytes: 8,
    _change_sample: 3,
}


def to_bytes(body: Any) -> bytes:
    """Return what a body is sent as."""
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    try:
        return json.dumps(body).encode()
    except RecursionError:
        return b'{"a":' * 5_000
