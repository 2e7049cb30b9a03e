"""The mapping functions of Entra's default mappings, by Microsoft's reference of expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

ROLE_TYPE = "WindowsAzureActiveDirectoryRole"


def switch(source: Any, default: Any, *pairs: Any) -> Any:
    """Give the value that follows the key which equals the source, else the default."""
    wanted = _text(source).casefold()
    keys_and_values = zip(pairs[::2], pairs[1::2], strict=False)
    return next((value for key, value in keys_and_values if _text(key).casefold() == wanted), default)


def coalesce(*values: Any) -> Any:
    """Give the first value that is there."""
    return next((value for value in values if is_present(value)), None)


def join(separator: Any, *values: Any) -> Any:
    """Join what is there with the separator; nothing when nothing is there."""
    return _text(separator).join(_text(v) for v in _flat(values) if is_present(v)) or None


def append(source: Any, suffix: Any) -> Any:
    """Add the suffix to a source that is there."""
    return _text(source) + _text(suffix) if is_present(source) else None


def replace(
    source: Any,
    old: Any = None,
    pattern: Any = None,
    group: Any = None,
    replacement: Any = None,
    attribute: Any = None,
    template: Any = None,
) -> Any:
    """Replace within the source; which arguments are given decides how, as Microsoft's reference tells it."""
    if not is_present(source):
        return source
    text = _text(source)
    if pattern is not None:
        return _replace_pattern(text, _regex(pattern), group, replacement, attribute)
    if old is not None and template is not None:
        return _text(template).replace(_text(old), text)
    return text.replace(_text(old), _text(replacement)) if old else text


def mid(source: Any, start: Any, length: Any) -> Any:
    """Give a part of the source; the first character is number 1."""
    begin = max(int(start) - 1, 0)
    return _text(source)[begin : begin + int(length)] if is_present(source) else None


def to_lower(source: Any, culture: Any = None) -> Any:
    """Lower-case a source that is there."""
    return _text(source).lower() if is_present(source) else None


def is_present(value: Any) -> bool:
    """Say whether there is a value."""
    return value is not None and value != "" and value != []


def negate(value: Any) -> bool:
    """Turn a boolean, or its text, round."""
    return _text(value).casefold() != "true"


def single_role(assignments: Any) -> Any:
    """Give the value of one of the app roles; Entra does not promise which."""
    return next((role["value"] for role in assignments or []), None)


def roles(assignments: Any) -> Any:
    """Give every app role in the form in which a create carries it."""
    return [
        {"primary": False, "type": ROLE_TYPE, "display": role["displayName"], "value": role["value"]}
        for role in assignments or []
    ] or None


def _replace_pattern(text: str, regex: re.Pattern[str], group: Any, replacement: Any, attribute: Any) -> str:
    if group is None:
        return regex.sub(lambda _: _text(replacement), text)
    if replacement is None:
        found = regex.search(_text(attribute))
        return found[group] if found else text
    return regex.sub(lambda match: match[0].replace(match[group], _text(replacement)), text)


def _regex(pattern: Any) -> re.Pattern[str]:
    return re.compile(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", _text(pattern)))  # .NET's named groups


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        yield from value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "switch": switch,
    "coalesce": coalesce,
    "join": join,
    "append": append,
    "replace": replace,
    "mid": mid,
    "tolower": to_lower,
    "ispresent": is_present,
    "not": negate,
    "singleapproleassignment": single_role,
    "approleassignmentscomplex": roles,
    "assertiveapproleassignmentscomplex": roles,
}
