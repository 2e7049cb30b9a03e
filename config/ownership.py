"""Which users may change the service's files, and how root becomes their owner.

The owner of a folder may replace anything in it by a link, a pipe or another folder at any moment, and root would
follow. So a command that root runs becomes the owner before it touches the files, and so do the workers of a service
that root starts. The change is permanent (setuid, not seteuid), so that no thread and no later line acts as root.
The command then cannot write where the owner may not: root writes a backup or an export elsewhere by redirecting
stdout.
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

MAX_LINKS = 40  # as in the Linux kernel
READ, WRITE = stat.S_IROTH, stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Owner:
    """A user other than root, and the first path that the user owns."""

    uid: int
    gid: int
    place: Path

    @property
    def name(self) -> str:
        """The user's name, or the UID if it has no name."""
        with suppress(KeyError):
            return pwd.getpwuid(self.uid).pw_name
        return str(self.uid)

    def groups(self) -> list[int]:
        """Return the user's groups."""
        with suppress(KeyError):
            return os.getgrouplist(pwd.getpwuid(self.uid).pw_name, self.gid)
        return [self.gid]

    def become(self) -> None:
        """Change this process to the user permanently."""
        os.setgroups(self.groups())
        os.setgid(self.gid)
        os.setuid(self.uid)
        os.umask(0o077)


@dataclass(frozen=True, slots=True)
class Step:
    """A folder, link or file on a path."""

    place: Path
    status: os.stat_result

    def is_open_before(self, following: "Step | None") -> bool:
        """Return whether other users could replace what follows on the path."""
        if not stat.S_ISDIR(self.status.st_mode):
            return not stat.S_ISLNK(self.status.st_mode) and others_may(WRITE, self.status)
        # In a sticky folder, such as /tmp, users may add files but not replace those of others.
        is_kept = following and self.status.st_mode & stat.S_ISVTX and not stat.S_ISREG(following.status.st_mode)
        return others_may(WRITE, self.status) and not is_kept


def read_checked(path: Path) -> Config:
    """Read the configuration unless other users may change it. Raises ConfigError."""
    _check_regular(path)
    settings = read(path)
    _check_closed_to_others(path, "change this file, and with it the tokens and the panel's password")
    return settings


def check_folders(folders: Iterable[Path]) -> None:
    """Refuse folders in which other users may replace the service's files. Raises ConfigError."""
    for folder in folders:
        _check_closed_to_others(folder, "replace the service's files in this folder")


def warning(path: Path | None) -> str:
    """Return a warning if other users may read the configuration, else ""."""
    with suppress(OSError):
        status = path.stat() if path else None
        # A file of root's is in a group so that the service can read it.
        in_common = 0 if status and status.st_uid else READ << 3
        if path and status and others_may(READ, status, but=in_common):
            return (
                f"{path}: other users may read this file, including the secret that signs the panel's sessions."
                f" Run: chmod go-rwx {shlex.quote(str(path))}"
            )
    return ""


def others_may(right: int, status: os.stat_result, but: int = 0) -> bool:
    """Return whether users other than root and the owner have a right; the owner's private group does not count."""
    in_group = status.st_mode & right << 3 & ~but
    return bool(status.st_mode & right) or bool(in_group and not _is_private(status))


def owner_of(paths: Iterable[Path]) -> Owner | None:
    """Return the user that root has to become to use these paths, or None if only root owns them.

    Every folder on the path counts, because its owner controls everything below it. Raises ConfigError if there are
    several owners, or if other users may change what root owns.
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
            f"{one.name} owns {one.place} and {other.name} owns {other.place}, so root cannot safely use both:"
            f" run this as one of them, for example with sudo -u {other.name}"
        )
    if not owners and is_open:
        raise ConfigError(_open(is_open[0].place, "redirect root to other files here"))
    return next(iter(owners.values()), None)


def of_others(path: Path) -> Path | None:
    """Return the first part of a path that users other than root could change, or None.

    Sticky folders, such as /tmp, do not count: links in them are not followed.
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
        gid = step.status.st_gid or uid  # never root's group, which a folder has if root created it
    return Owner(uid, gid, step.place)


def _steps(path: Path) -> Iterator[Step]:
    """Yield each existing part of a path, including links and their targets."""
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
    """Return whether the group is the owner's private group, as many systems create one per user."""
    try:
        user, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and user.pw_gid == group.gr_gid and set(group.gr_mem) <= {user.pw_name}


def _check_regular(path: Path) -> None:
    with suppress(OSError):  # reading the file reports that it is missing
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise ConfigError(f"{path}: this is not a regular file")


def _check_closed_to_others(path: Path, what: str) -> None:
    with suppress(OSError):
        status = path.stat()
        is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if others_may(WRITE, status) and not is_sticky:
            raise ConfigError(_open(path, what))


def _open(path: Path, what: str) -> str:
    return f"{path}: other users may {what}. Run: chmod go-w {shlex.quote(str(path))}"
