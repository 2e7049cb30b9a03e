"""Files and folders that are private to their owner, and are replaced as a whole."""

import errno
import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

_ALWAYS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of the data at the offset."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def open_private(path: Path, flags: int) -> int:
    """Open a file that only its owner may read, and create it if it is missing.

    A link is refused: otherwise a user who may change the folder would choose what is opened.
    """
    while True:
        with suppress(FileExistsError):
            return create_private(path, flags)
        with suppress(FileNotFoundError):  # removed meanwhile, so it can be created
            return open_existing(path, flags)


def create_private(path: Path, flags: int = os.O_WRONLY) -> int:
    """Create a file that only its owner may read. Raises FileExistsError."""
    return os.open(path, flags | _ALWAYS | os.O_CREAT | os.O_EXCL, 0o600)


def open_existing(path: Path, flags: int) -> int:
    """Open a file that is neither a link nor anything else but a regular file. Raises OSError."""
    return _checked(os.open(path, flags | _ALWAYS), path)


def open_to_read(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe is refused instead of waited for. Raises OSError."""
    return open(path, "rb", opener=lambda name, flags: _checked(os.open(name, flags | os.O_NONBLOCK), path))


def open_output(path: Path) -> int:
    """Open a file that an administrator named, for an export; it may also be a pipe or a device. Raises OSError."""
    is_link = path.is_symlink()  # root gets here only if the link is root's own
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | (0 if is_link else os.O_NOFOLLOW), 0o600)


def _checked(descriptor: int, path: Path) -> int:
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "this is not a regular file", str(path))
        if status.st_nlink > 1 and os.geteuid() == 0 and path.parent.stat().st_uid:
            raise OSError(errno.EMLINK, "the file has a second name, and its folder is another user's", str(path))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_folder(path: Path) -> None:
    """Create a folder that only its owner may use, and its missing parents alike."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(0o700)
    except FileExistsError:
        if not path.is_dir():
            raise


def close_folder(path: Path) -> None:
    """Take the right to write into one of the store's own folders from other users, who may have it by an old umask."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_mode & 0o022:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def copy_private(source: Path, copy: Path) -> None:
    """Copy a file with its times to a new one. Raises FileExistsError."""
    with open_to_read(source) as old, os.fdopen(create_private(copy), "wb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())
        status = os.fstat(old.fileno())
        os.utime(new.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_atomically(
    path: Path, pieces: Iterable[bytes], *, new: Path | None = None, keep: bool = False, written: int | None = None
) -> None:
    """Write a file so that its name stands, at any moment, for all of the old contents or all of the new.

    `new` is the name until then. With `keep`, the owner and the mode stay as they are. `written` is the time of the
    last write that the file shows, in nanoseconds since 1970; by default it is now.
    """
    new = new or path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(create_private(new), "wb") as file:
            for piece in pieces:
                file.write(piece)
                # Piece by piece, since a journal's fsync waits for whatever else the disk has been given.
                file.flush()
                os.fsync(file.fileno())
            if written is not None:
                os.utime(file.fileno(), ns=(written, written))
            if keep:
                _make_alike(file.fileno(), path)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def put_first(path: Path, data: bytes) -> None:
    """Write a whole file unless there is one, as another process may have written it meanwhile."""
    new = path.with_name(f"{path.name}.{token_hex(8)}.new")
    with os.fdopen(create_private(new), "wb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(new, path, follow_symlinks=False)
        finally:
            new.unlink()
    sync_folder(path.parent)


def _make_alike(descriptor: int, path: Path) -> None:
    """Give a file the mode and the owner of another, last of all: nothing is written to what was given away."""
    like = path.stat()
    os.fchmod(descriptor, like.st_mode & 0o777)
    with suppress(PermissionError):  # only root gives files away; a user may choose among the own groups
        os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
