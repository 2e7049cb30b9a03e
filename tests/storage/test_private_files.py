"""Files are opened and created without following links, waiting for pipes or overwriting others."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from fileio.atomic import open_private, open_to_read
from storage.engine.paths import Files


@pytest.mark.parametrize("target", ["there", "none", "link"])
def test_a_private_file_is_not_what_a_link_leads_to(tmp_path, target):
    (tmp_path / "there").write_bytes(b"kept")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        open_private(tmp_path / "link", os.O_RDWR)
    assert {path.name for path in tmp_path.iterdir()} == {"there", "link"}


@pytest.mark.parametrize("opened", [open_to_read, lambda path: open_private(path, os.O_RDWR)])
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path, opened):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        opened(tmp_path / "pipe")


def test_a_folder_for_files_put_aside_is_never_one_that_is_there(tmp_path, monkeypatch):
    files, free = Files(tmp_path / "data"), Files.aside
    (tmp_path / "elsewhere").mkdir()

    def aside(self, label):
        path = free(self, label)
        if path.name.endswith(".1"):
            path.symlink_to("elsewhere")
        return path

    monkeypatch.setattr(Files, "aside", aside)
    assert files.make_aside("aside").name == "data.aside.2"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_private_file_that_is_removed_while_it_is_opened_is_created_again(tmp_path, monkeypatch):
    path, usual, tried = tmp_path / "file", os.open, []

    def removing(name, flags, *mode):
        tried.append(flags)
        if len(tried) == 2:
            path.unlink()
        return usual(name, flags, *mode)

    path.touch()
    monkeypatch.setattr(os, "open", removing)
    descriptor = open_private(path, os.O_RDWR)
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    os.close(descriptor)


def test_processes_that_make_a_private_file_at_once_share_it(tmp_path):
    def opened(name):
        descriptor = open_private(tmp_path / name, os.O_RDWR)
        try:
            return os.fstat(descriptor).st_ino
        finally:
            os.close(descriptor)

    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            assert len(set(pool.map(opened, [str(number)] * 8))) == 1
