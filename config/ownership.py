"""Which users may change the service's files, and how root takes the identity of the one they belong to.

A user to whom a folder belongs may put a link, a pipe or another folder in the place of anything in it, at any moment.
Root would follow: so a command that root runs becomes that user before it touches the files, and the workers of a
service that root starts do as well. It does so for good (setuid) instead of for a while (seteuid): there is then no
thread and no later line that could act as root again. What that user may not open, the command cannot open either:
root keeps a backup or an export elsewhere by redirecting stdout.
"""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config import Config, ConfigError, read

MAX_LINKS = 40  # as the kernel has it
READ, WRITE = stat.S_IROTH, stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Owner:
    """A user other than root, and the first place that belongs to the user."""

    uid: int
    gid: int
    place: Path

    @property
    def name(self) -> str:
        """Return the user's name, or the number if there is none."""
        with suppress(KeyError):
            return pwd.getpwuid(self.uid).pw_name
        return str(self.uid)

    def groups(self) -> list[int]:
        """Return the user's groups."""
        with suppress(KeyError):
            return os.getgrouplist(pwd.getpwuid(self.uid).pw_name, self.gid)
        return [self.gid]

    def become(self) -> None:
        """Give this process the user's identity for good."""
        os.setgroups(self.groups())
        os.setgid(self.gid)
        os.setuid(self.uid)
        os.umask(0o077)


@dataclass(frozen=True, slots=True)
class Step:
    """A folder, link or file that a path leads through."""

    place: Path
    status: os.stat_result

    def is_open_before(self, following: "Step | None") -> bool:
        """Return whether other users could put something else in the place of what follows."""
        if not stat.S_ISDIR(self.status.st_mode):
            return not stat.S_ISLNK(self.status.st_mode) and others_may(WRITE, self.status)
        # In a sticky folder, such as /tmp, what is there stays, but all users may add to it.
        is_kept = following and self.status.st_mode & stat.S_ISVTX and not stat.S_ISREG(following.status.st_mode)
        return others_may(WRITE, self.status) and not is_kept


def read_checked(path: Path) -> Config:
    """Read the configuration unless other users may change it. Raises ConfigError."""
    _refuse_irregular(path)
    settings = read(path)
    _refuse_open(path, "change this file, and with it the tokens and the panel's password")
    return settings


def check_folders(folders: Iterable[Path]) -> None:
    """Refuse folders in which other users may replace the service's files. Raises ConfigError."""
    for folder in folders:
        _refuse_open(folder, "replace the service's files in this folder")


def warning(path: Path | None) -> str:
    """Return what an administrator should know of the configuration's mode, or ""."""
    with suppress(OSError):
        status = path.stat() if path else None
        # Root's file is in a group for the service to read it.
        in_common = 0 if status and status.st_uid else READ << 3
        if path and status and others_may(READ, status, but=in_common):
            return (
                f"{path}: other users may read this file, and with it the secret that the panel's sessions are signed"
                f" with. Type: chmod go-rwx {shlex.quote(str(path))}"
            )
    return ""


def others_may(right: int, status: os.stat_result, but: int = 0) -> bool:
    """Return whether users other than the owner, and root, have a right; a group of the owner alone is nobody else."""
    in_group = status.st_mode & right << 3 & ~but
    return bool(status.st_mode & right) or bool(in_group and not _is_private(status))


def owner_of(paths: Iterable[Path]) -> Owner | None:
    """Return the user whom root has to become to use these paths, None if they are root's alone.

    Every folder on the way counts, since a user to whom one belongs controls all that is below. Raises ConfigError if
    there are several such users, or if it is root's and others may change it.
    """
    owners: dict[int, Owner] = {}
    is_open: list[Step] = []
    for path in paths:
        steps = list(_steps(path))
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if step.status.st_uid:
                owners.setdefault(step.status.st_uid, _owner(step))
            elif step.is_open_before(following):
                is_open.append(step)
    if len(owners) > 1:
        one, other, *_ = owners.values()
        raise ConfigError(
            f"{one.place} belongs to {one.name} and {other.place} to {other.name}, so root uses neither:"
            f" run this as one of them, for example with sudo -u {other.name}"
        )
    if not owners and is_open:
        raise ConfigError(_open(is_open[0].place, "lead root to other files here"))
    return next(iter(owners.values()), None)


def of_others(path: Path) -> Path | None:
    """Return the first place on the way to a file, or the file, that users other than root could change.

    It does not count that other users may add files to a sticky folder, such as /tmp: a link there is not followed.
    """
    for place, status in ((step.place, step.status) for step in _steps(path)):
        is_open = stat.S_ISDIR(status.st_mode) and not status.st_mode & stat.S_ISVTX and others_may(WRITE, status)
        if is_open or (status.st_uid and not stat.S_ISCHR(status.st_mode)):
            return place
    return None


def _owner(step: Step) -> Owner:
    uid = step.status.st_uid
    try:
        gid = pwd.getpwuid(uid).pw_gid
    except KeyError:
        gid = step.status.st_gid or uid  # never root's group, which a folder has if root made it
    return Owner(uid, gid, step.place)


def _steps(path: Path) -> Iterator[Step]:
    """Yield what a path leads through, links and what they lead to included, as far as it exists."""
    place, links = Path("/"), 0
    yield Step(place, place.stat())
    todo = list(reversed(path.absolute().parts[1:]))
    while todo:
        name = todo.pop()
        if name == "..":
            place = place.parent
            continue
        try:
            status = (place / name).lstat()
        except OSError:
            return
        yield Step(place / name, status)
        if not stat.S_ISLNK(status.st_mode):
            place /= name
            continue
        links += 1
        if links > MAX_LINKS:
            return
        target = (place / name).readlink()
        place = Path("/") if target.is_absolute() else place
        todo += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _is_private(status: os.stat_result) -> bool:
    """Return whether the group is the owner's own, as many systems make one for each user."""
    try:
        user, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and user.pw_gid == group.gr_gid and set(group.gr_mem) <= {user.pw_name}


def _refuse_irregular(path: Path) -> None:
    with suppress(OSError):  # what is missing is told when it is read
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise ConfigError(f"{path}: this is not a regular file")


def _refuse_open(path: Path, what: str) -> None:
    with suppress(OSError):
        status = path.stat()
        is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if others_may(WRITE, status) and not is_sticky:
            raise ConfigError(_open(path, what))


def _open(path: Path, what: str) -> str:
    return f"{path}: other users may {what}. Type: chmod go-w {shlex.quote(str(path))}"
