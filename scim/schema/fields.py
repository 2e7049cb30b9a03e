"""Attribute -> marshmallow field: each value goes through one, and its errors are marshmallow's."""

from functools import lru_cache
from typing import Any, TypeVar

import marshmallow as ma

from scim.errors import InvalidSyntax
from scim.schema.attributes import Attribute, AttributeMap, Lengths, instant, is_base64
from scim.schema.values import is_storable_text

MAX_INTEGER = 2**63 - 1

_T = TypeVar("_T")


class Field(ma.fields.Field[_T]):
    """The base of our fields, which have no defaults, hooks or validators: `_deserialize` is all."""

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **context: Any) -> Any:
        """Return what is meant by the value; marshmallow's ValidationError."""
        if value is None or value is ma.missing:
            self._validate_missing(value)
            return None
        return self._deserialize(value, attr, data, **context)


class _Text(Field[str]):
    """A text of limited length."""

    def __init__(self, lengths: Lengths, **options: Any) -> None:
        super().__init__(**options)
        self._lengths = lengths
        self._max_length = lengths.max_text_length

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise ma.ValidationError("must be a string")
        if len(value) > self._max_length:
            self._check_length(value)
        if not is_storable_text(value):
            raise ma.ValidationError("must not have NUL characters or halves of surrogate pairs in it")
        return value

    def _check_length(self, value: str) -> None:
        option = "max_binary_length" if self._holds_data(value) else "max_text_length"
        limit = getattr(self._lengths, option)
        if len(value) > limit:
            raise ma.ValidationError(f"must have at most {limit} characters ({option}), not {len(value)}")

    def _holds_data(self, value: str) -> bool:
        return False


class _String(_Text):
    """A string, also where it is a reference: addresses are kept as they were sent, whatever they look like."""

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **context: Any) -> Any:
        """Return the text, without a further call: most values are one."""
        if isinstance(value, str) and len(value) <= self._max_length and is_storable_text(value):
            return value
        return super().deserialize(value, attr, data, **context)


class _Reference(_String):
    """A reference, which may be a `data:` URI: a photo, for example (RFC 7643 section 4.1.2)."""

    def _holds_data(self, value: str) -> bool:
        return value[:5].lower() == "data:"


class _DateTime(_Text):
    """A dateTime, kept as it was sent."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        try:
            instant(text)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        return text


class _Binary(_Text):
    """Binary data as base64, kept as it was sent."""

    def _holds_data(self, value: str) -> bool:
        return True

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if not is_base64(text):
            raise ma.ValidationError("must be base64")
        return text


class _Boolean(Field[bool]):
    """true or false, where marshmallow's own takes words and numbers as well."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("must be true or false")
        return value


class _Number(Field[int | float]):
    """A number, whole where `whole`."""

    def __init__(self, *, whole: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._whole = whole

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> int | float:
        wanted = int if self._whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise ma.ValidationError("must be a whole number" if self._whole else "must be a number")
        if abs(value) > MAX_INTEGER:
            raise ma.ValidationError("is out of range")
        return value


class _Complex(Field[dict[str, Any]]):
    """An object of attributes, read in one loop over its members.

    Names get the schema's spelling. Left out are unknown names, which are noted in `unknown`; attributes that are
    readOnly or never returned; and what has no value. Nothing is required where PATCH sends a part (`partial`) or,
    unless the object is `whole`, where it is empty. With `nulls`, null is kept: it names what to remove.
    """

    def __init__(self, attributes: tuple[Attribute, ...], *, whole: bool, partial: bool, nulls: bool, **options: Any):
        super().__init__(**options)
        writable = [one for one in attributes if one.mutability != "readOnly"]
        self._find = AttributeMap(attributes).get
        self._order = [one.name for one in writable]
        self._required = [one.name for one in writable if one.required and not partial]
        self._fields = {
            one.name: field_of(one, many=one.multi_valued, partial=partial)
            for one in writable
            if one.returned != "never"
        }
        self._whole, self._nulls = whole, nulls

    def _deserialize(self, value: Any, attr: Any, data: Any, **context: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ma.ValidationError("must be an object")
        loaded, errors = self._read(value, **context)
        if loaded or errors or self._whole:  # else it is no value, of which nothing is required
            errors |= {name: ["is required"] for name in self._required if name not in loaded and name not in errors}
        if errors:
            raise ma.ValidationError({name: errors[name] for name in self._order if name in errors})
        return {name: loaded[name] for name in self._order if name in loaded}

    def _read(self, value: dict[str, Any], *, prefix: str, unknown: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values and the errors, in the order in which they were sent."""
        loaded: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for key, part in value.items():
            attribute = self._find(key)
            if attribute is None:
                unknown.append(prefix + key)
                continue
            name = attribute.name
            if name in loaded or name in errors:
                raise InvalidSyntax(f"{prefix}{name} is there twice.")
            inside = attribute.sub_attributes
            if inside and isinstance(part, list):
                part = [one for one in part if one not in (None, {})]
            field = self._fields.get(name)
            if field is None or (part in _NO_VALUE and not self._nulls):
                continue
            try:
                if inside:
                    found = field.deserialize(part, prefix=f"{prefix}{key}.", unknown=unknown)
                else:
                    found = field.deserialize(part)
            except ma.ValidationError as error:
                errors[name] = error.messages
            else:
                if found not in _NO_VALUE or self._nulls:
                    loaded[name] = found
        return loaded, errors


def first_error(messages: Any) -> tuple[list[str | int], str]:
    """Return where the first of marshmallow's messages belongs, by names and places, and its text."""
    where: list[str | int] = []
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        if key != "_schema":
            where.append(key)
    return where, messages[0].rstrip(".")


_NO_VALUE: tuple[Any, ...] = (None, [], {})  # RFC 7643 section 2.5


class _Elements(Field[list[Any]]):
    """The elements of a multi-valued complex attribute; what has no value is none."""

    def __init__(self, element: _Complex, **options: Any) -> None:
        super().__init__(**options)
        self._element = element

    def _deserialize(self, value: Any, attr: Any, data: Any, **context: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        loaded: list[Any] = []
        errors: dict[int, Any] = {}
        for one in value:
            try:
                found = None if one is None else self._element.deserialize(one, **context)
            except ma.ValidationError as error:
                errors.setdefault(len(loaded), error.messages)
            else:
                loaded += [found] if found else []
        if errors:
            raise ma.ValidationError(errors)
        return loaded


_TEXT_FIELDS: dict[str, type[_Text]] = {
    "string": _String,
    "reference": _Reference,
    "dateTime": _DateTime,
    "binary": _Binary,
}
_OTHER_FIELDS: dict[str, Any] = {
    "boolean": _Boolean,
    "decimal": _Number,
    "integer": lambda **options: _Number(whole=True, **options),
}


@lru_cache(maxsize=4096)
def field_of(attribute: Attribute, *, many: bool, partial: bool) -> ma.fields.Field[Any]:
    """Return the field of an attribute, or of one element of it; `partial` where PATCH changes what there is."""
    options: dict[str, Any] = {
        "allow_none": partial,
        "error_messages": {"null": "is required", "invalid": "must be a list"},
    }
    if attribute.type == "complex":
        nulls = partial and not many
        one = _Complex(attribute.sub_attributes, whole=False, partial=partial, nulls=nulls, **options)
        return _Elements(one, **options) if many else one
    if many:
        return ma.fields.List(field_of(attribute, many=False, partial=partial), **options)
    if attribute.type in _TEXT_FIELDS:
        return _TEXT_FIELDS[attribute.type](attribute.lengths, **options)
    return _OTHER_FIELDS[attribute.type](**options)  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def field_of_object(attributes: tuple[Attribute, ...]) -> _Complex:
    """Return the field of a whole resource without its extensions, or of a whole extension."""
    return _Complex(attributes, whole=True, partial=False, nulls=False)
