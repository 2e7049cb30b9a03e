"""The job's state between cycles: links, watermark, exported references, escrow, quarantine."""

import copy
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from entra import strict_json

VERSION = 1


class StateError(ValueError):
    """The state file cannot be used; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Link:
    """The resource at the endpoint that belongs to a source object."""

    target: str
    kind: str
    managed: bool = True
    active: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """An escrow entry: the error, the number of attempts, and the next one (seconds since the epoch)."""

    code: str
    detail: str
    attempts: int
    first: float
    next: float
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Why and since when the job is in quarantine."""

    reason: str
    detail: str
    since: float


@dataclass(slots=True)
class State:
    """What the next cycle starts from. `seen` is the watermark: a digest of each object processed."""

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
        """Make the next cycle an initial one; `full` (Graph's resetScope=Full) removes the links too."""
        self.cycles = 0
        self.quarantine = None
        cleared = ["seen", "references_seen", "escrow", *(["links", "managers", "members"] if full else [])]
        for name in cleared:
            getattr(self, name).clear()

    def update_link(self, source: str, **changes: Any) -> None:
        """Change an object's link."""
        self.links[source] = replace(self.links[source], **changes)

    def remove(self, source: str) -> None:
        """Remove an object that no longer exists."""
        for part in (self.links, self.seen, self.references_seen, self.managers, self.members, self.escrow):
            part.pop(source, None)
        for members in list(self.members.values()):
            members.discard(source)

    def save(self) -> None:
        """Replace the state file atomically. Raises OSError with the file's name."""
        if self.path is None:
            return
        # Copies, since worker threads change the originals.
        content = {name: copy.copy(getattr(self, name)) for name in _SAVED}
        text = json.dumps({"version": VERSION, **content}, indent=1, ensure_ascii=False, default=_encode)
        try:
            _replace_atomically(Path(os.path.realpath(self.path)), text)  # a symbolic link is kept
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error


_SAVED = [f.name for f in fields(State) if f.name != "path"]


def load(path: Path | None, url: str) -> State:
    """Read a state file, or return an empty state. Raises StateError if the file cannot be used for this URL."""
    if path is None or not path.exists():
        return State(url=url, path=path)
    try:
        state = _from_json(strict_json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, KeyError, AttributeError, OverflowError):  # their messages would not help a user
        raise StateError(f"{path} is not a state file of this program") from None
    except (OSError, ValueError) as error:
        raise StateError(f"{path} is not a state file of this program: {error}") from None
    if state.url != url:
        raise StateError(f"{path} holds the links of {state.url}, not of {url}. Use another --state file.")
    state.path = path
    return state


def _replace_atomically(path: Path, text: str) -> None:
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
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # make the new name durable
    finally:
        os.close(descriptor)


def _encode(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else asdict(value)


def _from_json(raw: dict[str, Any]) -> State:
    if raw["version"] != VERSION:
        raise ValueError(f"its version is {raw['version']}, not {VERSION}")
    types = get_type_hints(State)
    return State(**{name: _decode(types[name], raw[name]) for name in _SAVED})


def _decode(kind: Any, value: Any) -> Any:
    """Check a JSON value against a type and convert it. Raises TypeError if it does not fit."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if value is None else _decode(arguments[0], value)
    if origin is dict:
        return {key: _decode(arguments[1], inner) for key, inner in _check(dict, value).items()}
    if origin in (list, set):
        return origin(_decode(arguments[0], item) for item in _check(list, value))
    if is_dataclass(kind):
        types = get_type_hints(kind)
        return kind(**{name: _decode(types[name], inner) for name, inner in _check(dict, value).items()})  # type: ignore[operator]
    if kind is float and isinstance(value, int):
        value = float(value)  # other programs write a whole number without ".0"
    return _check(kind, value)


def _check(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value
