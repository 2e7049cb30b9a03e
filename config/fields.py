"""marshmallow fields for TOML's types, and the base of the tables' schemas.

Nothing is converted, and errors show the value unless it may be a secret.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from config.credentials import NEVER

UNKNOWN = "is unknown"

_Check = Callable[[Any], bool]


def _anything(_: object) -> bool:
    return True


class Option(fields.Field[Any]):
    """A value of one TOML type that fulfils a check."""

    kinds: tuple[type, ...] = ()
    wanted = ""
    default_error_messages = {"required": "is missing", "null": "must not be null"}

    def __init__(
        self, must: str = "", check: _Check = _anything, *, is_secret: bool = False, missing: str = "", **options: Any
    ) -> None:
        if missing:
            options |= {"required": True, "error_messages": {"required": f"is missing{missing}"}}
        super().__init__(**options)
        self._must, self._check, self._is_secret = must, check, is_secret

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        if type(value) not in self.kinds:  # a bool is an int, and not a number here
            raise self._must_be(self.wanted, value)
        value = self._converted(value)
        if value is not None and not self._check(value):
            raise self._must_be(self._must, value)
        return value

    def _converted(self, value: Any) -> Any:
        return value

    def _must_be(self, wanted: str, value: Any) -> ValidationError:
        return ValidationError(f"must be {wanted}" + ("" if self._is_secret else f", not {_shown(value)}"))


class Switch(Option):
    """A boolean."""

    kinds, wanted = (bool,), "true or false"


class Text(Option):
    """A string."""

    kinds, wanted = (str,), "text"


class Number(Option):
    """An integer within bounds."""

    kinds, wanted = (int,), "a whole number"

    def __init__(self, least: int, most: int | None = None) -> None:
        bounds = f"{least} or more" if most is None else f"from {least} to {most}"
        super().__init__(validate=validate.Range(least, most, error=f"must be {bounds}, not {{input}}"))


class Names(Option):
    """An array of strings that each fulfil the check."""

    kinds, wanted = (list, tuple), "a list"

    def __init__(self, must: str, check: _Check = _anything, *, least: int = 0, **options: Any) -> None:
        def are_valid(names: tuple[Any, ...]) -> bool:
            return len(names) >= least and all(isinstance(name, str) and check(name) for name in names)

        super().__init__(must, are_valid, **options)

    def _converted(self, value: Any) -> Any:
        return tuple(value)


class Numbers(Option):
    """An array of integers within bounds."""

    kinds, wanted = (list, tuple), "a list"

    def __init__(self, must: str, least: int, most: int, longest: int) -> None:
        def are_valid(numbers: tuple[Any, ...]) -> bool:
            return len(numbers) <= longest and all(type(one) is int and least <= one <= most for one in numbers)

        super().__init__(must, are_valid)

    def _converted(self, value: Any) -> Any:
        return tuple(value)


class Moment(Option):
    """A date with a time, or None for "never" if that is an option."""

    kinds = (datetime,)

    def __init__(self, must: str, check: _Check = _anything, *, is_never: bool = False, missing: str = "") -> None:
        super().__init__(must, check, missing=missing, allow_none=True)
        self.wanted, self._is_never = must, is_never

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        return None if self._is_never and value == NEVER else super()._deserialize(value, attr, data)


class TableSchema(Schema):
    """One table; a subclass names the dataclass that it loads as `target`."""

    class Meta:  # noqa: D106
        unknown = RAISE

    error_messages = {"unknown": UNKNOWN, "type": "must be a table"}
    target: Any = None

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Any:
        """Return the dataclass."""
        return self.target(**data)


def _shown(value: Any) -> str:
    is_json = isinstance(value, str | bool | int | list | tuple | dict)
    return json.dumps(value, ensure_ascii=False, default=str) if is_json else str(value)
