"""Private files and folders, and the atomic replacement of files."""

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

_COPY_SIZE = 1 << 20
_ALWAYS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of the data at the offset."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def open_private(path: Path, flags: int) -> int:
    """Open a file, or create it for its owner alone.

    Links are refused, because a user who may change the folder could redirect root to another file.
    """
    while True:
        with suppress(FileExistsError):
            return create_private(path, flags)
        with suppress(FileNotFoundError):  # removed in the meantime, so it can be created
            return open_existing(path, flags)


def create_private(path: Path, flags: int = os.O_WRONLY) -> int:
    """Create a file that only its owner may read. Raises FileExistsError."""
    return os.open(path, flags | _ALWAYS | os.O_CREAT | os.O_EXCL, 0o600)


def open_existing(path: Path, flags: int) -> int:
    """Open a regular file; links are refused. Raises OSError."""
    return _checked(os.open(path, flags | _ALWAYS), path)


def open_to_read(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe is refused and does not block. Raises OSError."""
    return open(path, "rb", opener=lambda name, flags: _checked(os.open(name, flags | os.O_NONBLOCK), path))


def open_output(path: Path) -> int:
    """Open an export's output file, which may be a pipe or a device. Raises OSError."""
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
            raise OSError(
                errno.EMLINK, "the file has a second hard link, and its folder belongs to another user", str(path)
            )
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents, for their owner alone."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(0o700)
    except FileExistsError:
        if not path.is_dir():
            raise


def close_folder(path: Path) -> None:
    """Remove other users' write permission, which a folder may have from an old umask."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_mode & 0o022:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def remove_folder(path: Path) -> None:
    """Remove a folder of files, as far as that is possible."""
    with suppress(OSError):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()


def copy_private(source: Path, copy: Path) -> None:
    """Copy a file and its modification time to a new file. Raises FileExistsError."""
    with open_to_read(source) as old:
        _write_new(copy, iter(partial(old.read, _COPY_SIZE), b""), written=os.fstat(old.fileno()).st_mtime_ns)


def replace_atomically(
    path: Path, pieces: Iterable[bytes], *, new: Path | None = None, keep: bool = False, written: int | None = None
) -> None:
    """Replace a file; at any moment its name stands for all of the old contents or all of the new.

    `new` is the temporary name. With `keep`, the owner and the mode stay as they are. `written` is the modification
    time in nanoseconds since 1970; the default is now.
    """
    new = new or path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        _write_new(new, pieces, written=written, like=path if keep else None)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move(path: Path, to: Path) -> None:
    """Rename a file within its folder, unless another process has done that already."""
    with suppress(FileNotFoundError):
        path.replace(to)


def create_atomically(path: Path, data: bytes) -> None:
    """Create a file with its contents, unless another process has created it first."""
    new = path.with_name(f"{path.name}.{token_hex(8)}.new")
    try:
        _write_new(new, [data])
        with suppress(FileExistsError):
            os.link(new, path, follow_symlinks=False)
    finally:
        new.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write_new(path: Path, pieces: Iterable[bytes], *, written: int | None = None, like: Path | None = None) -> None:
    with os.fdopen(create_private(path), "wb") as file:
        for piece in pieces:
            file.write(piece)
            # Piece by piece, because a journal's fsync waits for everything else that the disk has been given.
            file.flush()
            os.fsync(file.fileno())
        if written is not None:
            os.utime(file.fileno(), ns=(written, written))
        if like:
            _copy_owner(file.fileno(), like)


def _copy_owner(descriptor: int, path: Path) -> None:
    """Give a file the mode and owner of another, after all writes: nothing is written to another user's file."""
    status = path.stat()
    os.fchmod(descriptor, status.st_mode & 0o777)
    with suppress(PermissionError):  # only root may change the owner; a user may choose among their own groups
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
