"""Functions of mapping expressions, as Microsoft's expression reference defines them."""

import re
from collections.abc import Callable
from typing import Any

ROLE_TYPE = "WindowsAzureActiveDirectoryRole"


def as_text(value: Any) -> str:
    """Return a value as text; no value is an empty text."""
    return "" if value is None else str(value)


def is_present(value: Any) -> bool:
    """Return whether there is a value."""
    return value is not None and value != "" and value != []


def _switch(source: Any, default: Any, *pairs: Any) -> Any:
    wanted = as_text(source).casefold()
    keys_and_values = zip(pairs[::2], pairs[1::2], strict=False)
    return next((value for key, value in keys_and_values if as_text(key).casefold() == wanted), default)


def _join(separator: Any, *values: Any) -> Any:
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return as_text(separator).join(as_text(item) for item in flat if is_present(item)) or None


def _replace(
    source: Any, old: Any = None, pattern: Any = None, group: Any = None,
    replacement: Any = None, attribute: Any = None, template: Any = None,
) -> Any:  # fmt: skip
    # As in Microsoft's reference, the arguments given select the variant.
    if not is_present(source):
        return source
    text = as_text(source)
    if pattern is not None:
        return _replace_pattern(text, _regex(pattern), group, replacement, attribute)
    if old is not None and template is not None:
        return as_text(template).replace(as_text(old), text)
    return text.replace(as_text(old), as_text(replacement)) if old else text


def _mid(source: Any, start: Any, length: Any) -> Any:
    begin = max(int(start) - 1, 0)  # the first character is number 1
    return as_text(source)[begin : begin + int(length)] if is_present(source) else None


def _roles(assignments: Any) -> Any:
    return [
        {"primary": False, "type": ROLE_TYPE, "display": role["displayName"], "value": role["value"]}
        for role in assignments or []
    ] or None


def _replace_pattern(text: str, regex: re.Pattern[str], group: Any, replacement: Any, attribute: Any) -> str:
    if group is None:
        return regex.sub(lambda _: as_text(replacement), text)
    if replacement is None:
        found = regex.search(as_text(attribute))
        return found[group] if found else text
    return regex.sub(lambda match: match[0].replace(match[group], as_text(replacement)), text)


def _regex(pattern: Any) -> re.Pattern[str]:
    return re.compile(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", as_text(pattern)))  # .NET's named groups


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "switch": _switch,
    "coalesce": lambda *values: next((value for value in values if is_present(value)), None),
    "join": _join,
    "append": lambda source, suffix: as_text(source) + as_text(suffix) if is_present(source) else None,
    "replace": _replace,
    "mid": _mid,
    "tolower": lambda source, culture=None: as_text(source).lower() if is_present(source) else None,
    "ispresent": is_present,
    "not": lambda value: as_text(value).casefold() != "true",
    # Entra does not define which of several roles this returns.
    "singleapproleassignment": lambda roles: next((role["value"] for role in roles or []), None),
    "approleassignmentscomplex": _roles,
    "assertiveapproleassignmentscomplex": _roles,
}
