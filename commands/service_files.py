"""The service's own files, which no command, store or log may overwrite."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from config import Config, ConfigError
from provisioning_log.archive import Archive
from storage.engine.paths import Files

STATES = ("assertions", "sessions", "warnings", "webhooks")
"""The names that are given to `Store.state` of a TinyDB store, which has a file for each."""


class ServiceFiles:
    """The configuration, the store with the files beside it, and the log, which is None if it is off."""

    def __init__(self, settings: Config, store: Files | None = None) -> None:
        path, log = settings.resolve(settings.store.path), settings.log
        self._settings = settings
        self.store = store or Files(path)
        self.secret = path.with_suffix(".secret")
        self.failures, self.client_failures = path.with_suffix(".signin.json"), path.with_suffix(".clients.json")
        self.counts, self.keys = path.with_suffix(".counts.json"), path.with_suffix(".keys.json")
        self.agreed_config = path.with_suffix(".agreed.json")
        self.last_backup = path.with_suffix(".backup.json")
        is_on = log.path and (settings.path or log.path.startswith("/"))
        self.log = Archive(settings.resolve(log.path), log.max_bytes, log.days) if is_on else None
        single = [self.secret, self.counts, self.failures, self.client_failures, self.keys, self.last_backup]
        single += [self.agreed_config]
        single += [path.with_suffix(f".{state}.json") for state in STATES]
        single += filter(None, [settings.path])
        # Each may have its lock and its replacement beside it.
        self._single = {_placed(one.with_name(one.name + end)) for one in single for end in ("", ".lock", ".new")}

    def has(self, path: Path) -> bool:
        """Return whether a path leads to one of the files, directly or by a link."""
        return self._has_another(path) or (self.log is not None and _leads_to(path, self.log.owns, self.log.files))

    def folders(self) -> list[Path]:
        """Return the folders of the files, or none if the configuration is not a file."""
        path = self._settings.path
        if path is None:
            return []
        log = [self.log.path.parent] if self.log else []
        return list(dict.fromkeys([path.parent, _real(path).parent, self.store.snapshot.parent, *log]))

    def paths(self) -> list[Path]:
        """Return the configuration, the store and the log, each by the name that leads to it."""
        log = list(self.log.paths) if self.log else []
        return [*filter(None, [self._settings.path]), self.store.snapshot, *log]

    def check_separate(self) -> None:
        """Check that neither the store nor the log would overwrite another file. Raises ConfigError."""
        source = self._settings.path or "configuration"
        errors = []
        if self._has_shared_store():
            errors.append(
                f"{source}: [store] path must be a file of its own, and so must those beside it that begin with its"
                f" name, not {self._settings.store.path}"
            )
        if self.log and (any(map(self._is_taken, self.log.paths)) or any(map(self.log.owns, self._others()))):
            errors.append(
                f"{source}: [log] path must be a file of its own, and so must"
                f" {self.log.paths[1].name} beside it, not {self._settings.log.path}"
            )
        if errors:
            raise ConfigError(*errors)

    def _has_shared_store(self) -> bool:
        snapshot = self.store.snapshot
        is_another = any(_leads_to(one, self.store.owns, self._of_store) for one in self._single)
        return is_another or _is_folder(snapshot) or _leads_to(snapshot, self._is_single, lambda: ())

    def _is_taken(self, path: Path) -> bool:
        is_above = _real(path) in _real(self.store.snapshot).parents  # which need not be there yet
        return is_above or _is_folder(path) or self._has_another(path)

    def _has_another(self, path: Path) -> bool:
        return _leads_to(path, lambda one: self._is_single(one) or self.store.owns(one), self._others)

    def _is_single(self, path: Path) -> bool:
        return _placed(path) in self._single

    def _others(self) -> Iterator[Path]:
        yield from self._single
        yield from self._of_store()

    def _of_store(self) -> Iterator[Path]:
        yield self.store.snapshot
        with suppress(OSError):
            yield from map(self.store.journal, self.store.generations())


def _real(path: Path) -> Path:
    # Path.resolve() raises RuntimeError for a link that leads to itself.
    with suppress(OSError):
        return Path(os.path.realpath(path))
    return path.absolute()  # a link on the way was removed or replaced while it was read


def _placed(path: Path) -> Path:
    return _real(path.parent) / path.name


def _is_folder(path: Path) -> bool:
    with suppress(OSError):
        return path.is_dir()
    return False


def _leads_to(path: Path, owns: Callable[[Path], bool], files: Callable[[], Iterable[Path]]) -> bool:
    """Return whether a path is owned, is below an owned path, or is another name of one of the files."""
    target = _real(path)
    return any(map(owns, (path, target, *target.parents))) or any(_is_same(path, one) for one in files())


def _is_same(path: Path, other: Path) -> bool:
    with suppress(OSError):  # one of them does not exist, or no longer exists
        return path.samefile(other)
    return False
