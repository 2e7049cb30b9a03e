"""How far the delivery to each webhook has come, kept so that another process can go on from there."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from uuid import uuid4

from storage.base import State

MAX_ATTEMPTS = 20  # the latest, that are kept


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to a webhook. `status` is 0 if there was no answer; `problem` says why it counts as failed."""

    id: str
    type: str
    time: float
    status: int = 0
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the event was delivered."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one webhook.

    `cursor` is None before the first look at the feed. `failures` counts the attempts that failed in a row, since
    `failing_since`; after too many, `stopped` is the time of the last. `lost` is the time at which events had been
    removed from the feed before they were delivered. Each change by an administrator gives it another `epoch`.
    """

    cursor: str | None = None
    failures: int = 0
    failing_since: float = 0.0
    next_attempt: float = 0.0
    stopped: float = 0.0
    lost: float = 0.0
    epoch: str = ""
    attempts: tuple[Attempt, ...] = ()

    def after(self, attempt: Attempt, **changes: Any) -> "Progress":
        """Return the progress after an attempt."""
        return replace(self, attempts=(attempt, *self.attempts)[:MAX_ATTEMPTS], **changes)

    def restarted(self, **changes: Any) -> "Progress":
        """Return the progress after an administrator's change, with no failure to wait for."""
        epoch = uuid4().hex
        return replace(self, failures=0, failing_since=0.0, next_attempt=0.0, stopped=0.0, epoch=epoch, **changes)


class Progresses:
    """The progress of all webhooks by their names, in the state that `find` returns."""

    def __init__(self, find: Callable[[], State]) -> None:
        self._find = find

    def get(self, name: str) -> Progress:
        """Return the progress of a webhook."""
        return _loaded(self._find().read().get(name))

    def change(self, name: str, change: Callable[[Progress], Progress]) -> Progress:
        """Change the progress of a webhook, and return it."""
        with self._find().changing() as documents:
            changed = change(_loaded(documents.get(name)))
            documents[name] = asdict(changed)
        return changed

    def save(self, name: str, progress: Progress) -> Progress:
        """Save the progress unless an administrator has changed or removed it meanwhile; return what is kept."""
        with self._find().changing() as documents:
            saved = _loaded(documents.get(name))
            if saved.epoch != progress.epoch:
                return saved
            documents[name] = asdict(progress)
        return progress

    def remove(self, name: str) -> None:
        """Forget the progress of a webhook."""
        with self._find().changing() as documents:
            documents.pop(name, None)


def _loaded(document: Any) -> Progress:
    """Return the progress in a document; a damaged one counts as none."""
    try:
        known = {one.name for one in fields(Progress)}
        given = {name: value for name, value in (document or {}).items() if name in known}
        return Progress(**{**given, "attempts": tuple(Attempt(**one) for one in given.get("attempts", ()))})
    except (TypeError, AttributeError):
        return Progress()
