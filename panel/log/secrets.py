"""Takes out of requests and answers what the log must never hold: passwords, tokens, values that nobody may read."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from panel.log.entries import Entry, to_json
from scim.attributes import Attribute, fold
from scim.events import without_values
from scim.registry import Registry

LEFT_OUT = "(left out)"
_USUAL = "password passwd pwd secret token authorization access_token refresh_token client_secret api_key apikey"
_WORD = re.compile(r"[\w$-]+")
_OWN_TOKEN = re.compile(r"tscim_[\w-]{8,}")
MAX_TEXT = 2_000
MAX_ELEMENTS = 1_000
MAX_DEPTH = 16


class Secrets:
    """What is secret follows from the schemas: attributes that are never returned, and the usual names for such."""

    def __init__(self, registry: Registry) -> None:
        attributes = list(_attributes(registry))
        never = {fold(one.name) for one in attributes if one.returned == "never"}
        readable = {fold(one.name) for one in attributes if one.returned != "never"}
        self._names = never | (set(_USUAL.split()) - readable)
        # Whatever has access_token in it has token in it: fewer signs to look for in each line.
        signs = self._names | {"tscim_", '"filter"'}
        self._signs = [one for one in signs if not any(other in one for other in signs - {one})]

    def clean(self, entry: Entry) -> str:
        """Return the entry's line without what is secret. Most lines show at once that nothing is."""
        line = entry.to_line()
        if not self._may_be_in(line) and not _may_be_large(line, entry.request):
            return line
        return _OWN_TOKEN.sub(LEFT_OUT, _Cleaning(self._names).entry(entry).to_line())

    def _may_be_in(self, line: str) -> bool:
        return any(map(fold(line).__contains__, self._signs))


def _may_be_large(line: str, request: Any) -> bool:
    """Tell whether anything may be over the bounds: within what is short as a whole, no text and no list is."""
    if len(line) <= MAX_TEXT:
        return False
    asked = to_json(request)
    brackets = asked.count("{") + asked.count("[")  # what is stored is no deeper than its schema
    return max(len(asked), len(line) - len(asked)) > MAX_TEXT or brackets > MAX_DEPTH


class _Cleaning:
    """Cleans one entry, and remembers what was left out of the request so that the answer cannot repeat it."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._secrets: set[str] = set()
        self._unreadable = False

    def entry(self, entry: Entry) -> Entry:
        return entry._replace(
            changes={name: tuple(self._cleaned(list(values))) for name, values in entry.changes.items()},
            unknown=tuple(map(without_values, entry.unknown)),
            query={name: self._expression(value) if name == "filter" else value for name, value in entry.query.items()},
            request=self._cleaned(entry.request),
            response=self._response(entry.response),
        )

    def _response(self, value: Any) -> Any:
        """Return an error's body: where it could repeat a secret, without its detail."""
        if not isinstance(value, Mapping):
            return None
        body = dict(value)
        if self._unreadable or self._repeats(str(body.get("detail", ""))):
            body["detail"] = LEFT_OUT
        return body

    def _cleaned(self, value: Any, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            return self._leave_out()
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list):
            kept = [self._cleaned(one, depth + 1) for one in value[:MAX_ELEMENTS]]
            return [*kept, f"(and {len(value) - len(kept)} more)"] if len(kept) < len(value) else kept
        return self._text(value) if isinstance(value, str) else value

    def _object(self, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """Clean an object; in an operation of PATCH, a path that names a secret makes its value one."""
        paths = [one for name, one in value.items() if fold(name) == "path" and isinstance(one, str)]
        about_secret = any(map(self._names_secret, paths))
        result: dict[str, Any] = {}
        for name, one in value.items():
            if self._names_secret(name) or (about_secret and fold(name) == "value"):
                self._remember(one)
                result[without_values(name)[:MAX_TEXT]] = LEFT_OUT
            elif isinstance(one, str) and fold(name) in ("path", "filter"):
                result[name] = self._expression(one if fold(name) == "path" else without_values(one))
            else:
                result[name[:MAX_TEXT]] = self._cleaned(one, depth + 1)
        return result

    def _text(self, text: str) -> str:
        """Shorten a text; JSON in it, as app roles have it, is left out where it names a secret."""
        if text.lstrip().startswith(("{", "[")) and self._names_secret(text):
            return self._leave_out()
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({len(text)} characters)"

    def _expression(self, text: str) -> str:
        """Leave out a filter, or a path with one, that names a secret; the name alone tells nothing."""
        if self._names_secret(text) and not _PLAIN_PATH.fullmatch(text):
            return self._leave_out()
        return self._text(text)

    def _leave_out(self) -> str:
        self._unreadable = True
        return LEFT_OUT

    def _names_secret(self, text: str) -> bool:
        return any(fold(word) in self._names for word in _WORD.findall(text))

    def _remember(self, value: Any) -> None:
        if isinstance(value, Mapping):
            for one in value.values():
                self._remember(one)
        elif isinstance(value, list):
            for one in value:
                self._remember(one)
        elif value is not None and not isinstance(value, bool):
            self._secrets.add(fold(str(value)))

    def _repeats(self, detail: str) -> bool:
        folded = fold(detail)
        return any(_is_in(form, folded) for secret in self._secrets for form in (secret, fold(repr(secret)[1:-1])))


def _is_in(secret: str, text: str) -> bool:
    """Tell whether a text has the secret in it; a very short one, as a word of its own."""
    if len(secret) > 3:
        return secret in text
    return bool(secret and re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text))


_PLAIN_PATH = re.compile(r"[\w$.:-]+")


def _attributes(registry: Registry) -> Iterator[Attribute]:
    for schema in registry.schemas.values():
        yield from _with_subs(schema.attributes)


def _with_subs(attributes: Iterable[Attribute]) -> Iterator[Attribute]:
    for attribute in attributes:
        yield attribute
        yield from attribute.sub_attributes
