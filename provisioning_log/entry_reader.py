"""Reads entries from the log's lines, whatever a line contains."""

import json
import math
import re
from datetime import datetime
from typing import Any

from provisioning_log.entries import MAX_LINE, MAX_PATH, MAX_UNKNOWN, TEXT_FIELDS, Entry, Subject
from provisioning_log.fitting import Budget, fitted


def read_entry(line: str | bytes) -> Entry:
    """Parse a line. Raises ValueError if it has no valid time and id.

    Other programs and versions may write to the file, so fields of the wrong type are read as empty.
    """
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    try:
        body = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("the line is nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("the line is not an object")
    if _is_unusual(text):
        body = fitted(body, Budget(2 * MAX_LINE))
    time, id = body.get("time"), body.get("id")
    if not (isinstance(time, str) and _is_time(time) and isinstance(id, str) and _ID.fullmatch(id)):
        raise ValueError("the line has no valid time and id")
    return Entry(
        time,
        id,
        _read_texts(body.get("actions")),
        status=int(_read_number(body.get("status"), 999)),
        ms=_read_number(body.get("ms"), _MAX_NUMBER),
        who=_read_subject(body.get("who")),
        changes={name: pair for name, pair in _read_object(body.get("changes")).items() if _is_pair(pair)},
        joined=_read_subjects(body.get("joined")),
        left=_read_subjects(body.get("left")),
        moved=int(_read_number(body.get("moved"), _MAX_NUMBER)),
        unknown=_read_texts(body.get("unknown"))[:MAX_UNKNOWN],
        query={
            name: parameter for name, parameter in _read_object(body.get("query")).items() if isinstance(parameter, str)
        },
        request=body.get("request"),
        response=body.get("response"),
        **{name: _read_text(body.get(name)) for name in TEXT_FIELDS},
    )


def _is_time(text: str) -> bool:
    """Return whether a text is a valid `timestamp`."""
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_MAX_NUMBER = 10**12
_MAX_BRACKETS = 100  # lines with more are checked for their depth


def _reject_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _reject_constant(text[:20])


_DECODER = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_finite)


def _is_unusual(text: str) -> bool:
    """Return whether a line is too long, may be nested too deeply, or may contain half a surrogate pair."""
    return len(text) > MAX_LINE or text.count("{") + text.count("[") > _MAX_BRACKETS or "\\u" in text


def _read_text(value: Any) -> str:
    return value[:MAX_PATH] if isinstance(value, str) else ""


def _read_texts(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(_read_text, value))) if isinstance(value, list) else ()


def _read_number(value: Any, maximum: int) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= maximum else 0


def _read_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_subject(value: Any) -> Subject:
    given = _read_object(value)
    return Subject(*(_read_text(given.get(name)) for name in ("id", "user_name", "display_name")))


def _read_subjects(value: Any) -> tuple[Subject, ...]:
    return tuple(filter(None, map(_read_subject, value))) if isinstance(value, list) else ()


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2
