"""Small JSON objects that the processes of a service share, beside its documents."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import orjson

from fileio.atomic import make_folder, open_to_read, replace_atomically
from fileio.locks import locked
from storage.base import Document


class MemoryState:
    """An object in the memory of this process."""

    def __init__(self) -> None:
        self._value: Document = {}
        self._lock = Lock()

    def read(self) -> Document:
        """Return the object."""
        return self._value

    @contextmanager
    def changing(self) -> Iterator[Document]:
        """Yield the object for changes, while no other thread changes it."""
        with self._lock:
            value = copy.deepcopy(self._value)
            yield value
            self._value = value


class FileState:
    """An object in a file that all processes of this machine share; a damaged file counts as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[object, Document] = None, {}

    def read(self) -> Document:
        """Return the object; the file is read only if it was replaced."""
        with suppress(OSError):
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_ino
            if stamp != self._known[0]:
                self._known = stamp, _parsed(self._load())
            return self._known[1]
        return {}

    @contextmanager
    def changing(self) -> Iterator[Document]:
        """Yield the object for changes, while no other process changes it. Raises OSError."""
        make_folder(self._path.parent)
        with locked(self._path.with_name(self._path.name + ".lock")):
            before = self._load()
            value = _parsed(before)
            yield value
            if (data := orjson.dumps(value)) != before:
                replace_atomically(self._path, [data])

    def _load(self) -> bytes:
        with suppress(OSError), open_to_read(self._path) as file:
            return file.read()
        return b""


def _parsed(data: bytes) -> Document:
    with suppress(ValueError):
        value = orjson.loads(data)
        return value if isinstance(value, dict) else {}
    return {}
