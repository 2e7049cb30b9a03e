"""The files of a store, and how errors of the operating system are reported."""

import errno
import os
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from storage.base import Unavailable

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Files:
    """The snapshot, the journals that follow it, those kept as the log, and the folder of locks, beside each other."""

    snapshot: Path
    link: Path | None = None

    @classmethod
    def at(cls, path: Path) -> "Files":
        """Return the files of a store, beside the target of `path` if that is a link."""
        return cls(Path(os.path.realpath(path)), path) if path.is_symlink() else cls(path)

    def check_links(self) -> None:
        """Raise Unavailable for a link without a target, and for a file that is mounted by itself."""
        if self.link and not self.snapshot.exists():
            raise Unavailable(
                f"{self.link} is a link to {self.snapshot}, which does not exist. Mount the volume that it is on, or"
                " remove the link to start with an empty store."
            )
        if _is_mount_point(self.snapshot):
            raise Unavailable(
                f"{self.snapshot} is mounted by itself, so it cannot be replaced. Mount its folder instead: the"
                " journal and the locks are beside it."
            )

    def journal(self, generation: int) -> Path:
        """Return the journal of a generation."""
        return self._beside(f".journal.{generation}")

    def generations(self) -> list[int]:
        """Return the generations whose journals exist, in order."""
        return self._numbers(".journal.")

    def log(self, generation: int) -> Path:
        """Return the journal of a generation that is in the snapshot, and kept for its entries."""
        return self._beside(f".log.{generation}")

    def logs(self) -> list[int]:
        """Return the generations that are kept for their entries, in order."""
        return self._numbers(".log.")

    def exist(self) -> bool:
        """Return whether any of them exists."""
        return self.snapshot.exists() or bool(self.generations())

    def lock(self, name: str) -> Path:
        """Return a lock file."""
        return self._beside(".locks") / name

    def owns(self, path: Path) -> bool:
        """Return whether a path has the name of one of these files."""
        own = self.snapshot.name
        families = tuple(f"{own}.{family}" for family in ("journal.", "log.", "locks"))
        ours = path.name in (own, f"{own}.new") or path.name.startswith(families)
        return ours and os.path.realpath(path.parent) == os.path.realpath(self.snapshot.parent)

    def aside(self, label: str) -> Path:
        """Return an unused path beside the snapshot."""
        for number in range(1, 10_000):
            path = self._beside(f".{label}.{number}")
            if not os.path.lexists(path):
                return path
        raise Unavailable(f"there are too many files like {path}: remove those that are not needed any more")

    def make_aside(self, label: str) -> Path:
        """Create a folder at such a path; one that another user has created meanwhile is left alone."""
        while True:
            with suppress(FileExistsError):
                path = self.aside(label)
                path.mkdir(0o700)
                return path

    def _numbers(self, suffix: str) -> list[int]:
        first, folder = self._beside(suffix).name, self.snapshot.parent
        names = [path.name for path in folder.iterdir() if path.name.startswith(first)] if folder.exists() else []
        return sorted(int(name[len(first) :]) for name in names if name[len(first) :].isdecimal())

    def _beside(self, suffix: str) -> Path:
        return self.snapshot.with_name(self.snapshot.name + suffix)


def _is_mount_point(path: Path) -> bool:
    """Return whether something is mounted at a file, which `os.path.ismount` knows of folders alone."""
    mounts = Path("/proc/self/mountinfo")
    name = os.fsencode(path.absolute()).replace(b" ", b"\\040")
    return mounts.exists() and any(line.split()[4] == name for line in mounts.read_bytes().splitlines())


@dataclass(frozen=True, slots=True)
class _OSErrorsAsUnavailable:
    """Raises Unavailable for an OSError, with the file that it names or else this one."""

    path: Path | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            path = error.filename or self.path
            where = f" ({path})" if path else ""
            raise Unavailable(f"{error.strerror or error}{where}", full=error.errno in NO_ROOM) from error


_OS_ERRORS_AS_UNAVAILABLE = _OSErrorsAsUnavailable()


def os_errors_as_unavailable(path: Path | None = None) -> AbstractContextManager[None]:
    """Raise Unavailable for an OSError. It names the file that the error names, or else this one."""
    return _OSErrorsAsUnavailable(path) if path else _OS_ERRORS_AS_UNAVAILABLE
