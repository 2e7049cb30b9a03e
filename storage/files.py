"""Which files make up a store, and how one of them is replaced."""

import errno
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from storage.base import Unavailable

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Files:
    """The snapshot, the journals that follow it, and the folder of locks, all beside each other."""

    snapshot: Path

    def journal(self, generation: int) -> Path:
        """Return the journal of a generation."""
        return self._beside(f".journal.{generation}")

    def generations(self) -> list[int]:
        """Return the generations whose journals are there, in order."""
        first = self._beside(".journal.").name
        folder = self.snapshot.parent
        names = [path.name for path in folder.iterdir() if path.name.startswith(first)] if folder.exists() else []
        return sorted(int(name[len(first) :]) for name in names if name[len(first) :].isdecimal())

    def exist(self) -> bool:
        """Tell whether any of them is there."""
        return self.snapshot.exists() or bool(self.generations())

    def lock(self, name: str) -> Path:
        """Return a lock file."""
        return self._beside(".locks") / name

    def owns(self, path: Path) -> bool:
        """Tell whether a path has the name of one of these files."""
        own = self.snapshot.name
        ours = path.name in (own, f"{own}.new") or path.name.startswith((f"{own}.journal.", f"{own}.locks"))
        return ours and os.path.realpath(path.parent) == os.path.realpath(self.snapshot.parent)

    def aside(self, label: str) -> Path:
        """Return a name beside the snapshot that nothing has yet."""
        for number in range(1, 10_000):
            path = self._beside(f".{label}.{number}")
            if not path.exists():
                return path
        raise Unavailable(f"there are too many files like {path}: remove those that nobody needs")

    def _beside(self, suffix: str) -> Path:
        return self.snapshot.with_name(self.snapshot.name + suffix)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of the data at the offset."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def give(descriptor: int, like: Path) -> None:
    """Give what root makes to whom another file belongs: what a command writes as root, the service has to open."""
    if os.geteuid() == 0:
        with suppress(OSError):
            owner = like.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def make_private(path: Path, flags: int) -> int:
    """Make a file of the owner's alone; root's belongs to whom the folder does. Raises FileExistsError."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    give(descriptor, path.parent)
    return descriptor


def open_private(path: Path, flags: int) -> int:
    """Open a file of the owner's alone, which is made if there is none; one that is there is not given away."""
    while True:
        with suppress(FileExistsError):
            return make_private(path, flags)
        try:
            # Not made here: a link is followed, and whoever put it there would choose where root makes a file.
            return os.open(path, flags | os.O_CLOEXEC)
        except FileNotFoundError:  # removed meanwhile, so that it can be made, unless it is a link to nothing
            if path.is_symlink():
                raise


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder, and those above it, where there is none; root's belongs to whom the folder above does."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    # Whoever owns the folder above could have put a link in the new one's place.
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        give(descriptor, path.parent)
    finally:
        os.close(descriptor)


def put_in_place(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file so that its name stands, at any moment, for all of the old contents or all of the new."""
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(make_private(new, os.O_WRONLY), "wb") as file:
            give(file.fileno(), path)
            for piece in pieces:
                file.write(piece)
                # Piece by piece, since a journal's fsync waits for whatever else the disk has been given.
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _OSErrorsAsUnavailable:
    """Raises Unavailable for what the operating system refuses."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            where = f" ({error.filename})" if error.filename else ""
            raise Unavailable(f"{error.strerror or error}{where}", full=error.errno in NO_ROOM) from error


_OS_ERRORS_AS_UNAVAILABLE = _OSErrorsAsUnavailable()


def os_errors_as_unavailable() -> AbstractContextManager[None]:
    """Raise Unavailable for what the operating system refuses."""
    return _OS_ERRORS_AS_UNAVAILABLE
