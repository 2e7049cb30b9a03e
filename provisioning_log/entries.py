"""The entries of the log: what a request did, to which resource, and the old and new values."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from provisioning_log.fitting import TOO_LONG, Budget, fitted, shortened

ACTIONS = (
    *("created", "updated", "disabled", "restored", "deleted", "purged", "joined", "left"),
    *("unchanged", "failed", "lost", "read"),
)
MAX_LINE = 200_000  # bytes
MAX_NAME = 200  # characters of each of a resource's names
MAX_WORD = 100  # characters of an id, a token's name and the like
MAX_PATH = 500
MAX_UNKNOWN = 50
_NOTES = 1_500  # bytes reserved for notes on truncated values: two for each level of nesting
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Subject:
    """The resource that an entry is about; false if it is unknown."""

    id: str = ""
    user_name: str = ""
    display_name: str = ""

    @property
    def name(self) -> str:
        """The name to show."""
        return self.display_name or self.user_name or self.id

    def __bool__(self) -> bool:
        return bool(self.name)


class Entry(NamedTuple):
    """One line of the log, a JSON object with these keys; empty fields are omitted.

    `by` is the name of the token. `changes` has the old and new value of each changed attribute, null for no value.
    `moved` is the number of members that joined or left; `joined` and `left` list the first of them. `reason` says why
    the token was rejected.
    """

    time: str
    id: str
    actions: tuple[str, ...]
    status: int = 0
    method: str = ""
    path: str = ""
    by: str = ""
    ms: float = 0.0
    type: str = ""
    who: Subject = Subject()
    changes: Mapping[str, tuple[Any, Any]] = _EMPTY
    joined: tuple[Subject, ...] = ()
    left: tuple[Subject, ...] = ()
    moved: int = 0
    unknown: tuple[str, ...] = ()
    query: Mapping[str, str] = _EMPTY
    request: Any = None
    response: Any = None
    request_id: str = ""
    client_request_id: str = ""
    cause: str = ""
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether the request failed."""
        return self.status >= 400

    @property
    def result(self) -> str:
        """One of "success", "failure", "rejected" and "read"; any stranger can send a request that is rejected."""
        if self.failed:
            return "rejected" if self.status == 401 and not (self.by or self.cause) else "failure"
        return "read" if self.actions == ("read",) else "success"

    @property
    def people(self) -> Iterator[Subject]:
        """All resources that the entry names."""
        yield self.who
        yield from self.joined
        yield from self.left

    @property
    def unlisted(self) -> tuple[int, int, int]:
        """How many unlisted members joined, left, or did either.

        Both lists are cut at the same length, so a shorter list is complete. If both are equally long, it is unknown
        which one lacks members.
        """
        joined, left = len(self.joined), len(self.left)
        missing = max(self.moved - joined - left, 0) if joined or left else 0
        return (missing * (joined > left), missing * (left > joined), missing * (joined == left))

    def to_line(self) -> str:
        """Return the entry as one line of JSON, its time first."""
        return to_json({name: value for name, value in zip(self._fields, self, strict=True) if value})

    def bounded(self, max_line: int = MAX_LINE) -> "Entry":
        """Return the entry truncated to a line of at most `max_line` bytes.

        The actor and subject come first; then the response, the changes and the request get half of the bytes left
        each, and the members the rest.
        """
        budget = Budget(max_line - _NOTES)
        texts: dict[str, Any] = {
            name: _word(getattr(self, name), budget, length) for name, length in TEXT_FIELDS.items()
        }
        short = self._replace(
            **texts,
            who=_bounded_subject(self.who, budget),
            unknown=tuple(_word(name, budget, MAX_NAME) for name in self.unknown[:MAX_UNKNOWN]),
            query={_word(name, budget): _word(value, budget, MAX_PATH) for name, value in self.query.items()},
        )
        response = _in_half(self.response, budget)
        changes = _bounded_changes(self.changes, budget)
        request = _in_half(self.request, budget)
        joined, left = _bounded_people(self.joined, self.left, budget)
        return short._replace(response=response, changes=changes, request=request, joined=joined, left=left)


TEXT_FIELDS = {"method": 20, "path": MAX_PATH, "by": MAX_WORD, "type": MAX_WORD, "request_id": MAX_WORD}
TEXT_FIELDS |= {"client_request_id": MAX_WORD, "cause": MAX_WORD, "reason": MAX_PATH}


def to_json(value: Any) -> str:
    """Encode a value as JSON."""
    try:
        return orjson.dumps(value, _subject_to_json, orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:  # an integer over 64 bits, or half a surrogate pair
        return _encoder.encode(value)


def timestamp(moment: float) -> str:
    """Return a time in the log's format, which has a fixed length, so that times sort as text."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")[:26] + "Z"


def _subject_to_json(value: Subject) -> dict[str, str]:
    return {name: text for name in ("id", "user_name", "display_name") if (text := getattr(value, name))}


_encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_subject_to_json)


def _word(text: str, budget: Budget, length: int = MAX_WORD) -> str:
    kept = shortened(text, length)
    return kept if budget.takes(kept) else ""


def _bounded_subject(value: Subject, budget: Budget) -> Subject:
    return Subject(*(_word(text, budget, MAX_NAME) for text in (value.id, value.user_name, value.display_name)))


def _in_half(value: Any, budget: Budget) -> Any:
    with budget.half() as half:
        return fitted(value, half)


def _bounded_changes(changed: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    with budget.half() as half:
        for name, (old, new) in changed.items():
            if not half.takes(name):
                kept[f"(and {len(changed) - len(kept)} more)"] = (None, TOO_LONG)
                break
            kept[shortened(name)] = (fitted(old, half, 1), fitted(new, half, 1))
    return kept


def _bounded_people(
    joined: tuple[Subject, ...], left: tuple[Subject, ...], budget: Budget
) -> tuple[tuple[Subject, ...], tuple[Subject, ...]]:
    """Return the first members that joined and left, both lists cut at the same length."""
    kept: tuple[list[Subject], list[Subject]] = ([], [])
    for both in zip_longest(joined, left):
        bounded = [subject and _bounded_subject(subject, budget) for subject in both]
        if not budget.takes("user_name display_name id user_name display_name id"):
            break
        for people, subject in zip(kept, bounded, strict=True):
            if subject is not None:
                people.append(subject)
    return tuple(kept[0]), tuple(kept[1])
