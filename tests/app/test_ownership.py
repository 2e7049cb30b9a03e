"""What root runs leaves files that the service, which is another user, can open."""

import os

import pytest

from app import create_app
from panel.log import log_of
from scim.events import Event

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")

SERVICE, OTHER = 65_534, 65_533
STORE = {"config.toml.lock", "kept", "data", "tinyscim.json", "tinyscim.json.locks"}


@pytest.fixture
def folder(config_path):
    """The service's own folder, with the configuration and nothing else."""
    config_path.write_text('[store]\npath = "kept/data/tinyscim.json"\n[log]\npath = "logs/log.jsonl"\n')
    for path in (config_path.parent, config_path):
        os.chown(path, SERVICE, SERVICE)
    return config_path.parent


def owners(folder):
    return {path.name: (path.stat().st_uid, path.stat().st_gid) for path in folder.rglob("*")}


@pytest.mark.parametrize("command", ["compact", "export", "import", "restore --yes"])
def test_what_root_writes_belongs_to_the_service(flask, folder, command):
    (folder / "in").write_text("{}" if "restore" in command else "")
    os.chown(folder / "in", SERVICE, SERVICE)
    assert flask("token", "new", "--name", "entra").returncode == 0
    run = flask("store", *command.split(), *([] if command in ("compact", "export") else [str(folder / "in")]))
    assert run.returncode == 0, run.stderr
    found = owners(folder)
    assert found.keys() >= STORE
    assert set(found.values()) == {(SERVICE, SERVICE)}


def test_the_folder_of_the_log_belongs_to_the_service(folder, config_path):
    log = log_of(create_app(config_path))
    log.observe(Event("GET", "/api/scim/v2/Users", 401))
    log.flush()
    found = owners(folder)
    assert found.keys() >= {"logs", "log-refused.jsonl", "log-refused.jsonl.lock"}
    assert set(found.values()) == {(SERVICE, SERVICE)}


def test_what_a_repair_puts_aside_is_in_a_folder_of_the_services(flask, folder):
    assert flask("store", "compact").returncode == 0
    (folder / "kept" / "data" / "tinyscim.json").write_text("nonsense")
    assert flask("store", "repair").returncode == 0
    (aside,) = (folder / "kept" / "data").glob("*.aside.*")
    assert (aside.stat().st_uid, aside.stat().st_mode & 0o777) == (SERVICE, 0o700)


def test_what_is_there_already_is_not_given_away(flask, folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    elsewhere.touch()
    (folder / "config.toml.lock").symlink_to(elsewhere)
    (folder / "kept").mkdir()
    assert flask("token", "new", "--name", "entra").returncode == 0
    assert flask("store", "compact").returncode == 0
    assert elsewhere.stat().st_uid == (folder / "kept").stat().st_uid == 0


def test_a_link_to_nothing_does_not_choose_where_root_makes_a_file(flask, folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    (folder / "config.toml.lock").symlink_to(elsewhere)
    run = flask("token", "new", "--name", "entra")
    assert run.returncode == 1
    assert "No such file or directory" in run.stderr
    assert not elsewhere.exists()


def test_a_file_that_is_replaced_keeps_its_owner(flask, folder):
    assert flask("store", "compact").returncode == 0
    data = folder / "kept" / "data" / "tinyscim.json"
    os.chown(data, OTHER, OTHER)
    before = data.stat().st_ino
    assert flask("store", "compact").returncode == 0
    assert (data.stat().st_uid, data.stat().st_gid) == (OTHER, OTHER)
    assert data.stat().st_ino != before


def test_a_service_that_root_has_tried_is_not_locked_to_another_user(config_path, folder):
    service = create_app(config_path).extensions["tinyscim"]
    service.open()
    service.store.close()
    assert owners(folder)["tinyscim.secret"] == (SERVICE, SERVICE)
