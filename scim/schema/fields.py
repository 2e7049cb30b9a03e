"""marshmallow fields for the simple types of RFC 7643 section 2.3."""

from typing import Any

import marshmallow as ma

from scim.schema.attributes import Attribute, Lengths, instant, is_base64
from scim.schema.values import is_storable_text

MAX_INTEGER = 2**63 - 1
MESSAGES: dict[str, Any] = {"required": "is required", "null": "is required", "invalid": "must be a list"}


class TextField(ma.fields.Field[str]):
    """A string of limited length, also for references: addresses are stored as they were sent."""

    def __init__(self, lengths: Lengths, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._lengths = lengths

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ma.ValidationError("must be a string")
        if len(value) > self._lengths.max_text_length:
            self._check_length(value)
        if self.required and not value.strip():
            raise ma.ValidationError("is required and must not be blank")
        if not is_storable_text(value):
            raise ma.ValidationError("must not have NUL characters or halves of surrogate pairs in it")
        return value

    def _check_length(self, value: str) -> None:
        option = "max_binary_length" if self.holds_data(value) else "max_text_length"
        limit = getattr(self._lengths, option)
        if len(value) > limit:
            raise ma.ValidationError(f"must have at most {limit} characters ({option}), not {len(value)}")

    def holds_data(self, value: str) -> bool:
        """Return whether the limit for binary data applies."""
        return False


class ReferenceField(TextField):
    """A reference, which may be a `data:` URI, such as a photo (RFC 7643 section 4.1.2)."""

    def holds_data(self, value: str) -> bool:
        """Return whether the value is a `data:` URI."""
        return value[:5].lower() == "data:"


class DateTimeField(TextField):
    """A dateTime, stored as it was sent."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data)
        try:
            instant(text)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from None
        return text


class BinaryField(TextField):
    """Binary data as base64, stored as it was sent."""

    def holds_data(self, value: str) -> bool:
        """Return True."""
        return True

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data)
        if not is_base64(text):
            raise ma.ValidationError("must be base64")
        return text


class BooleanField(ma.fields.Field[bool]):
    """true or false; marshmallow's own field accepts words and numbers too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("must be true or false")
        return value


class NumberField(ma.fields.Field[int | float]):
    """A decimal number or, if `whole`, an integer."""

    def __init__(self, *, whole: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._whole = whole

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | float:
        types = int if self._whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, types):
            raise ma.ValidationError("must be a whole number" if self._whole else "must be a number")
        if abs(value) > MAX_INTEGER:
            raise ma.ValidationError("is out of range")
        return value


_TEXT_FIELDS = {"string": TextField, "reference": ReferenceField, "dateTime": DateTimeField, "binary": BinaryField}


def simple_field(attribute: Attribute, **options: Any) -> ma.fields.Field[Any]:
    """Return the field of one value of an attribute that is not complex."""
    if attribute.type in _TEXT_FIELDS:
        return _TEXT_FIELDS[attribute.type](attribute.lengths, **options)
    if attribute.type == "boolean":
        return BooleanField(**options)
    return NumberField(whole=attribute.type == "integer", **options)


def first_error(messages: Any) -> tuple[list[str | int], str]:
    """Return where the first of marshmallow's messages belongs, as names and indexes, and its text."""
    where: list[str | int] = []
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        if key != "_schema":
            where.append(key)
    return where, messages[0].rstrip(".")
