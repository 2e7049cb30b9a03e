"""Makes JSON values fit into a line of the log: texts, lists and depth are bounded, and so is the whole."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

MAX_TEXT = 2_000
MAX_ELEMENTS = 1_000
MAX_DEPTH = 16
TOO_LONG = "(too long for the log)"
_AROUND = 4  # bytes: quotes of JSON are counted with a text, what separates values is not


class Room:
    """How many bytes are left. Once something has not fitted, nothing does."""

    def __init__(self, size: int) -> None:
        self._left = size

    def takes(self, value: Any) -> bool:
        """Take what a scalar needs, and return whether there was as much."""
        self._left -= _size(value) + _AROUND
        return self._left >= 0

    def half(self) -> "Room":
        """Take half of what is left, as a room of its own. What it leaves free is lost unless given back."""
        inner = Room(max(self._left, 0) // 2)
        self._left -= inner._left
        return inner

    def give_back(self, inner: "Room") -> None:
        """Add what a half has left."""
        self._left += max(inner._left, 0)


def fitted(value: Any, room: Room, depth: int = 0) -> Any:
    """Return as much of a value as there is room for, with a note where something is missing."""
    if isinstance(value, Mapping):
        return _object(value, room, depth + 1) if depth < MAX_DEPTH else TOO_LONG
    if isinstance(value, list | tuple):
        return _list(value, room, depth + 1) if depth < MAX_DEPTH else TOO_LONG
    kept = shortened(value) if isinstance(value, str) else value
    return kept if room.takes(kept) else TOO_LONG


def shortened(text: str, length: int = MAX_TEXT) -> str:
    """Return a text that is at most so long, and says how long it was; halves of surrogate pairs become `?`."""
    if len(text) > length:
        text = f"{text[:length]}... ({len(text)} characters)"
    return text if text.isprintable() else text.encode("utf-8", "replace").decode()


def _object(value: Mapping[Any, Any], room: Room, depth: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    seen = 0
    for name, one in islice(value.items(), MAX_ELEMENTS):
        short = shortened(str(name))
        if not room.takes(short):
            break
        kept[short] = fitted(one, room, depth)
        seen += 1
    return kept if seen == len(value) else {**kept, "...": f"(and {len(value) - seen} more)"}


def _list(value: list[Any] | tuple[Any, ...], room: Room, depth: int) -> list[Any]:
    kept: list[Any] = []
    for one in value[:MAX_ELEMENTS]:
        if not room.takes(""):
            break
        kept.append(fitted(one, room, depth))
    return kept if len(kept) == len(value) else [*kept, f"(and {len(value) - len(kept)} more)"]


def _size(value: Any) -> int:
    """Return how many bytes a scalar takes in a line."""
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
