"""Small JSON objects that the processes of a service share, beside its documents."""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

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
        self._read: tuple[tuple[int, int], Document] = (0, 0), {}

    def read(self) -> Document:
        """Return the object; the file is read only if it was replaced."""
        with suppress(OSError, ValueError, RecursionError):
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_ino
            if stamp != self._read[0]:
                with open_to_read(self._path) as file:
                    value = json.load(file)
                self._read = stamp, value if isinstance(value, dict) else {}
            return self._read[1]
        return {}

    @contextmanager
    def changing(self) -> Iterator[Document]:
        """Yield the object for changes, while no other process changes it. Raises OSError."""
        make_folder(self._path.parent)
        with locked(self._path.with_name(self._path.name + ".lock")):
            value = copy.deepcopy(self.read())
            yield value
            if value != self.read():
                replace_atomically(self._path, [json.dumps(value).encode()])
