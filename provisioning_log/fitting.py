"""Truncates JSON values to fit a line of the log: texts, lists, depth and the total size are bounded."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import orjson

MAX_TEXT = 2_000
MAX_ELEMENTS = 1_000
MAX_DEPTH = 16
TOO_LONG = "(too long for the log)"
_SEPARATORS = 4  # bytes between two values


class Budget:
    """The number of bytes left. Once a value has not fitted, no further value fits."""

    def __init__(self, size: int) -> None:
        self._left = size

    def takes(self, value: Any) -> bool:
        """Subtract the size of a scalar, and return whether it fitted."""
        self._left -= _size(value) + _SEPARATORS
        return self._left >= 0

    @contextmanager
    def half(self) -> Iterator["Budget"]:
        """Split off half of the bytes left, and take back what is unused in the end."""
        inner = Budget(max(self._left, 0) // 2)
        self._left -= inner._left
        yield inner
        self._left += max(inner._left, 0)


def fitted(value: Any, budget: Budget, depth: int = 0) -> Any:
    """Return as much of a value as fits the budget, with notes where it is truncated."""
    if isinstance(value, Mapping):
        return _object(value, budget, depth + 1) if depth < MAX_DEPTH else TOO_LONG
    if isinstance(value, list | tuple):
        return _list(value, budget, depth + 1) if depth < MAX_DEPTH else TOO_LONG
    kept = shortened(value) if isinstance(value, str) else value
    return kept if budget.takes(kept) else TOO_LONG


def shortened(text: str, length: int = MAX_TEXT) -> str:
    """Truncate a text and note its original length; halves of surrogate pairs become `?`."""
    if len(text) > length:
        text = f"{text[:length]}... ({len(text)} characters)"
    return text if text.isprintable() else text.encode("utf-8", "replace").decode()


def _object(value: Mapping[Any, Any], budget: Budget, depth: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    seen = 0
    for name, item in islice(value.items(), MAX_ELEMENTS):
        short = shortened(str(name))
        if not budget.takes(short):
            break
        kept[short] = fitted(item, budget, depth)
        seen += 1
    return kept if seen == len(value) else {**kept, "...": f"(and {len(value) - seen} more)"}


def _list(value: list[Any] | tuple[Any, ...], budget: Budget, depth: int) -> list[Any]:
    kept: list[Any] = []
    for item in value[:MAX_ELEMENTS]:
        if not budget.takes(""):
            break
        kept.append(fitted(item, budget, depth))
    return kept if len(kept) == len(value) else [*kept, f"(and {len(value) - len(kept)} more)"]


def _size(value: Any) -> int:
    """Return the size of a scalar in bytes of JSON."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # an integer over 64 bits, or half a surrogate pair
        return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
