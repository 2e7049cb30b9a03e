"""marshmallow fields for the values in messages."""

import re
from typing import Any

import marshmallow as ma

from scim.filters import Filter, PathText, parse_filter, parse_path
from scim.filters.lexer import cut_strings

_INTEGER = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_IN_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_MAX_NAMES = 1_000


def one_of(*words: str) -> ma.validate.OneOf:
    """Return the validator of a field that has one of a few words."""
    *others, last = words
    return ma.validate.OneOf(words, error=f"must be {', '.join(others)} or {last}")


class KeywordField(ma.fields.String):
    """A word whose case does not matter."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).lower()


class FilterField(ma.fields.String):
    """A filter, parsed. Raises InvalidFilter."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Filter:  # type: ignore[override]
        return parse_filter(super()._deserialize(value, attr, data, **kwargs))


class PathField(ma.fields.String):
    """A PATCH path, parsed; an empty one is None. Raises InvalidPath."""

    def _deserialize(  # type: ignore[override]
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> PathText | None:
        text = super()._deserialize(value, attr, data, **kwargs)
        return parse_path(text) if text else None


class AttributeNamesField(ma.fields.Field[tuple[str, ...]]):
    """Attribute names: a list in a body, separated by commas in a URL. Of `emails[type eq "work"]` the name counts."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        names = _without_filters(value).split(",") if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ma.ValidationError("must list names of attributes")
        if len(names) > _MAX_NAMES:
            raise ma.ValidationError(f"must list at most {_MAX_NAMES} names")
        return tuple(bare for name in names if (bare := _without_filters(name).strip()))


def _without_filters(names: str) -> str:
    return _IN_BRACKETS.sub("", cut_strings(names)[0]) if "[" in names else names


class IntegerField(ma.fields.Field[int]):
    """An integer: a JSON number in a body, text in a URL."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ma.ValidationError("must be a whole number")
        return value
