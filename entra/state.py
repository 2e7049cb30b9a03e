"""What the service remembers between cycles: links, watermark, exported references, escrow, quarantine."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from entra import texts

VERSION = 1
Kind = TypeVar("Kind")


class StateError(ValueError):
    """The state file cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Link:
    """A source object's counterpart at the endpoint."""

    target: str
    kind: str
    managed: bool = True
    active: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """An object in escrow: what failed, how often, and when it is tried again (seconds since the epoch)."""

    code: str
    detail: str
    attempts: int
    first: float
    next: float
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Why the job is slowed down, and since when."""

    reason: str
    detail: str
    since: float


@dataclass(slots=True)
class State:
    """Everything that the next cycle starts from."""

    url: str = ""
    settings: str = ""
    cycles: int = 0
    links: dict[str, Link] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    references_seen: dict[str, str] = field(default_factory=dict)
    managers: dict[str, str] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    escrow: dict[str, Failure] = field(default_factory=dict)
    staged: list[str] = field(default_factory=list)
    quarantine: Quarantine | None = None
    path: Path | None = None

    def restart(self, *, full: bool = False) -> None:
        """Make the next cycle an initial one; `full` (Graph's resetScope=Full) forgets the links too."""
        self.cycles = 0
        self.seen.clear()
        self.references_seen.clear()
        self.escrow.clear()
        self.quarantine = None
        if full:
            self.links.clear()
            self.managers.clear()
            self.members.clear()

    def link(self, source: str, **changes: Any) -> None:
        """Change an object's link."""
        self.links[source] = replace(self.links[source], **changes)

    def forget(self, source: str) -> None:
        """Drop all that is known of an object that no longer exists."""
        for part in (self.links, self.seen, self.references_seen, self.managers, self.members, self.escrow):
            part.pop(source, None)
        for members in list(self.members.values()):
            members.discard(source)

    def save(self) -> None:
        """Write the state file, whole or not at all. Raises OSError, which names it."""
        if self.path is None:
            return
        text = json.dumps(self._to_json(), indent=1, ensure_ascii=False)
        try:
            _replace(Path(os.path.realpath(self.path)), text)  # a link stays, and leads to the new contents
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "url": self.url,
            "settings": self.settings,
            "cycles": self.cycles,
            "links": {key: asdict(link) for key, link in list(self.links.items())},
            "seen": dict(self.seen),
            "references_seen": dict(self.references_seen),
            "managers": dict(self.managers),
            "members": {key: sorted(list(found)) for key, found in list(self.members.items())},  # noqa: C414
            "escrow": {key: asdict(failure) for key, failure in list(self.escrow.items())},
            "staged": list(self.staged),
            "quarantine": asdict(self.quarantine) if self.quarantine else None,
        }


def load(path: Path | None, url: str) -> State:
    """Read a state file, or start an empty one. Raises StateError when it belongs to another endpoint or is none."""
    if path is None or not path.exists():
        return State(url=url, path=path)
    try:
        state = _from_json(texts.parse(path.read_text(encoding="utf-8")))
    except (TypeError, KeyError, AttributeError, OverflowError):  # what these say is for programmers
        raise StateError(f"{path} is not a state file of this program") from None
    except (OSError, ValueError) as error:
        raise StateError(f"{path} is not a state file of this program: {error}") from None
    if state.url != url:
        raise StateError(f"{path} holds the links of {state.url}, not of {url}; use another --state")
    state.path = path
    return state


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _from_json(raw: dict[str, Any]) -> State:
    if raw["version"] != VERSION:
        raise ValueError(f"its version is {raw['version']}, not {VERSION}")
    return State(
        url=_of(str, raw["url"]),
        settings=_of(str, raw["settings"]),
        cycles=_of(int, raw["cycles"]),
        links={key: _record(Link, link) for key, link in raw["links"].items()},
        seen={key: _of(str, text) for key, text in raw["seen"].items()},
        references_seen={key: _of(str, text) for key, text in raw["references_seen"].items()},
        managers={key: _of(str, text) for key, text in raw["managers"].items()},
        members={key: set(_ids(found)) for key, found in raw["members"].items()},
        escrow={key: _record(Failure, failure) for key, failure in raw["escrow"].items()},
        staged=_ids(raw["staged"]),
        quarantine=None if raw["quarantine"] is None else _record(Quarantine, raw["quarantine"]),
    )


def _record(kind: type[Kind], raw: dict[str, Any]) -> Kind:
    types = get_type_hints(kind)
    return kind(**{name: _of(types[name], value) for name, value in raw.items()})


def _ids(raw: Any) -> list[str]:
    return [_of(str, text) for text in _of(list, raw)]


def _of(kind: type[Kind], value: Any) -> Kind:
    """Take a value of this type. Raises TypeError for another."""
    if kind is float and isinstance(value, int):
        value = float(value)  # other programs write a whole number without its ".0"
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
