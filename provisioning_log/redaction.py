"""Redacts secrets before they reach the log: passwords, tokens, and attributes that are never returned."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from provisioning_log.entries import MAX_LINE, Entry, Subject
from provisioning_log.fitting import MAX_DEPTH, MAX_TEXT
from runtime.redact import LEFT_OUT, SecretNames, redact
from scim.directory.events import without_values
from scim.schema.attributes import Attribute, fold
from scim.schema.resource_types import Registry

_ABOUT = ("path", "name", "key", "type", "attribute")  # members that name the attribute of the `value` beside them
_MAX_SECRETS = 100
_MAX_DETAIL = 5_000  # characters of a response's detail


class Secrets:
    """Recognises secrets by the schemas (attributes that are never returned) and by common names and formats.

    Entries are redacted before they are truncated, because a truncated secret could not be recognised.
    """

    def __init__(self, registry: Registry, max_line: int = MAX_LINE) -> None:
        attributes = list(_attributes(registry))
        self._names = SecretNames(
            never=(item.name for item in attributes if item.returned == "never"),
            readable=(item.name for item in attributes if item.returned != "never"),
            urns=registry.schemas,
        )
        self._max_line = max_line

    def clean(self, entry: Entry) -> str:
        """Return the entry's line without secrets, with at most `max_line` bytes."""
        line = entry.to_line()
        if self._names.may_be_in(line):
            entry = _Cleaning(self._names).entry(entry)
            line = entry.to_line()
        # If the whole line is short, no part needs truncation.
        return line if len(line) <= MAX_TEXT else entry.bounded(self._max_line).to_line()


class _Cleaning:
    """Redacts one entry, and remembers the secrets of the request, because the response may repeat them."""

    def __init__(self, names: SecretNames) -> None:
        self._names = names
        self._secrets: set[str] = set()
        self._unreadable = False

    def entry(self, entry: Entry) -> Entry:
        # A response may quote any part of the request.
        self._unreadable = any(LEFT_OUT in text for text in (entry.path, *entry.query.values()))
        return entry._replace(
            method=redact(entry.method),
            path=redact(entry.path),
            client_request_id=redact(entry.client_request_id),
            who=_redacted_subject(entry.who),
            joined=tuple(map(_redacted_subject, entry.joined)),
            left=tuple(map(_redacted_subject, entry.left)),
            changes={redact(name): tuple(self._cleaned(list(values))) for name, values in entry.changes.items()},
            unknown=tuple(redact(without_values(name)) for name in entry.unknown),
            query={name: self._expression(value) for name, value in entry.query.items()},
            request=self._cleaned(entry.request),
            response=self._response(entry.response),
        )

    def _response(self, value: Any) -> Any:
        """Return an error's body, without its detail if that could repeat a secret."""
        if not isinstance(value, Mapping):
            return None
        body = dict(value)
        detail = str(body.get("detail", ""))
        if self._unreadable or self._repeats(detail[:_MAX_DETAIL]) or len(detail) > _MAX_DETAIL:
            body["detail"] = LEFT_OUT
        return {name: redact(item) if isinstance(item, str) else item for name, item in body.items()}

    def _cleaned(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self._text(value, depth)
        if isinstance(value, Mapping | list) and depth > MAX_DEPTH:
            return self._leave_out()
        if isinstance(value, Mapping):
            return self._object(value, depth)
        return [self._cleaned(item, depth + 1) for item in value] if isinstance(value, list) else value

    def _object(self, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """Redact an object; if a member such as the path of a PATCH names a secret, its `value` is one."""
        about_secret = any(self._is_about_secret(name, item) for name, item in value.items())
        result: dict[str, Any] = {}
        for name, item in value.items():
            known = fold(name)
            if self._names.are_in(name) or (about_secret and known == "value"):
                self._remember(item)
                # Null and booleans reveal nothing.
                kept = item if item is None or isinstance(item, bool) else LEFT_OUT
                result[redact(without_values(name))] = kept
            elif isinstance(item, str) and known in ("path", "filter"):
                result[name] = self._expression(item if known == "path" else without_values(item))
            else:
                result[redact(name)] = self._cleaned(item, depth + 1)
        return result

    def _is_about_secret(self, name: str, value: Any) -> bool:
        if not isinstance(value, str) or fold(name) not in _ABOUT:
            return False
        return (fold(name) == "path" or bool(_PLAIN_PATH.fullmatch(value))) and self._names.are_in(
            without_values(value)
        )

    def _text(self, text: str, depth: int) -> str:
        """Redact a text; JSON in a text, as in app roles, is left out if it contains a secret."""
        if text.lstrip()[:1] in ("{", "["):
            try:
                inner = orjson.loads(text)
            except orjson.JSONDecodeError:
                return self._leave_out() if self._names.are_in(text) else self._redacted(text)
            return text if self._cleaned(inner, depth + 1) == inner else self._leave_out()
        return self._redacted(text)

    def _redacted(self, text: str) -> str:
        """Redact a text, and remember it: a response may repeat it in lower case."""
        kept = redact(text)
        if kept != text:
            self._remember(text)
        return kept

    def _expression(self, text: str) -> str:
        """Leave out a filter, or a path with one, that names a secret; a plain name reveals nothing."""
        if self._names.are_in(without_values(text)) and not _PLAIN_PATH.fullmatch(text):
            return self._leave_out()
        kept = redact(text)
        self._unreadable |= kept != text
        return kept

    def _leave_out(self) -> str:
        self._unreadable = True
        return LEFT_OUT

    def _remember(self, value: Any) -> None:
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, Mapping):
                waiting += item.values()
            elif isinstance(item, list):
                waiting += item
            elif item is not None and not isinstance(item, bool):
                self._secrets.add(fold(str(item)))
        if len(self._secrets) > _MAX_SECRETS:
            self._unreadable = True
            self._secrets.clear()

    def _repeats(self, detail: str) -> bool:
        folded = fold(detail)
        return any(_is_in(form, folded) for secret in self._secrets for form in (secret, fold(repr(secret)[1:-1])))


def _redacted_subject(value: Subject) -> Subject:
    return Subject(redact(value.id), redact(value.user_name), redact(value.display_name))


def _is_in(secret: str, text: str) -> bool:
    """Return whether a text contains a secret; very short secrets must be whole words."""
    if len(secret) > 3:
        return secret in text or (len(secret) > _ECHOED and secret[:_ECHOED] in text)
    return bool(secret and re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text))


_ECHOED = 40  # characters of a long secret that identify it: a response may contain only its beginning
_PLAIN_PATH = re.compile(r"[\w$.:-]+")


def _attributes(registry: Registry) -> Iterator[Attribute]:
    for schema in registry.schemas.values():
        for attribute in schema.attributes:
            yield attribute
            yield from attribute.sub_attributes
