"""What root may use: the files of one owner, and outputs that no other user can redirect."""

import os

import pytest

from tests.support.unprivileged import (
    COMMANDS,
    OTHER,
    SECRET,
    SERVICE,
    as_user,
    flask,
    make_folder,
    names,
    plant,
    run_flask,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user's identity")


def test_root_does_not_write_to_a_store_elsewhere_that_the_owner_configured(folder, victim):
    """The user to whom the configuration belongs chooses where the data is."""
    as_user(SERVICE, lambda: (folder / "config.toml").write_text(f'[store]\npath = "{victim}/tinyscim.json"\n'))
    run = flask(folder, "store", "compact")
    assert run.returncode == 1
    assert "Permission denied" in run.stderr
    assert names(victim) == ["file"]


def test_root_refuses_files_of_several_owners(folder):
    assert flask(folder, "store", "compact").returncode == 0
    os.chown(folder / "kept" / "data", OTHER, OTHER)
    run = flask(folder, "store", "compact")
    assert run.returncode == 1
    assert "so root cannot safely use both" in run.stderr
    assert "sudo -u 65533" in run.stderr


def test_root_does_not_use_a_folder_of_its_own_that_others_may_change(top):
    folder = make_folder(top / "roots")
    for path in (folder, *folder.iterdir()):
        os.chown(path, 0, 0)
    (folder / "kept").mkdir()
    os.chown(folder / "kept", 0, SERVICE)
    (folder / "kept").chmod(0o770)
    run = flask(folder, "store", "compact")
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert f"chmod go-w {folder}/kept" in run.stderr
    assert names(folder / "kept") == []
    assert flask(folder, "token", "new", "--name", "entra").returncode == 0  # which does not touch the data


def test_root_keeps_the_owner_and_the_mode_of_a_configuration_in_its_own_folder(top):
    """As it is under /etc: the service reads the file by its group, and cannot change it."""
    folder = make_folder(top / "etc")
    for path in (folder, *folder.iterdir()):
        os.chown(path, 0, 0)
    folder.chmod(0o755)
    os.chown(folder / "config.toml", 0, SERVICE)
    (folder / "config.toml").chmod(0o640)
    run = flask(folder, "token", "new", "--name", "entra")
    assert (run.returncode, run.stderr) == (0, "")
    status = (folder / "config.toml").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, SERVICE, 0o640)


@pytest.mark.parametrize("name", ["store backup", "store export", "log export"])
def test_root_keeps_an_export_elsewhere_by_redirecting_stdout(folder, victim, name):
    *words, _ = COMMANDS[name]
    run = flask(folder, *words, str(victim / "out"))
    assert run.returncode == 1
    assert "Permission denied" in run.stderr
    assert f"this command acts as nobody, who owns {folder}" in run.stderr
    with (victim / "out").open("w") as out:
        run = run_flask(folder / "config.toml", *words, "-", stdout=out)
    assert run.returncode == 0, run.stderr


def test_files_that_only_root_may_read_are_not_imported(folder, victim):
    (victim / "file").write_text('{"kind":"User","document":{"id":"1"}}\n')
    (victim / "file").chmod(0o600)
    as_user(SERVICE, lambda: plant(folder / "in.jsonl", lambda path: path.symlink_to(victim / "file")))
    run = flask(folder, "store", "import", "{folder}/in.jsonl")
    assert run.returncode != 0
    assert flask(folder, "store", "export").stdout == ""


@pytest.mark.parametrize("name", ["store backup", "store export", "log export"])
def test_root_writes_no_export_where_another_user_could_redirect_it(top, victim, name):
    folder, home = make_folder(top / "roots"), top / "home"
    for path in (folder, *folder.iterdir()):
        os.chown(path, 0, 0)
    home.mkdir(0o755)
    os.chown(home, OTHER, OTHER)
    as_user(OTHER, lambda: (home / "out").symlink_to(victim / "file"))
    *words, _ = COMMANDS[name]
    run = flask(folder, *words, str(home / "out"))
    assert run.returncode == 1
    assert (victim / "file").read_bytes() == SECRET
    assert (home / "out").is_symlink()
    assert flask(folder, *words, str(folder / "out")).returncode == 0
    home.rename(top / "sticky")
    os.chown(top / "sticky", 0, 0)
    (top / "sticky").chmod(0o1777)  # as /tmp is
    assert flask(folder, *words, str(top / "sticky" / "out")).returncode == 1
    assert (victim / "file").read_bytes() == SECRET
    assert flask(folder, *words, str(top / "sticky" / "new")).returncode == 0
