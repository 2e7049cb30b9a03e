"""The configuration, the store and the log never share a file."""

import pytest

from app import create_app
from config import ConfigError
from storage.memory import MemoryStore


@pytest.mark.parametrize("link", ["log", "log-refused"])
@pytest.mark.parametrize("kind", ["symbolic", "to nothing yet", "hard"])
def test_the_log_must_not_be_a_link_to_the_store(tmp_path, link, kind):
    store = tmp_path / "data" / "tinyscim.json"
    store.parent.mkdir()
    if kind != "to nothing yet":
        store.touch()
    if kind == "hard":
        (tmp_path / link).hardlink_to(store)
    else:
        (tmp_path / link).symlink_to("data/tinyscim.json")
    (tmp_path / "config.toml").write_text('[log]\npath = "log"')
    with pytest.raises(ConfigError, match=r"\[log\] path must be a file of its own"):
        create_app(tmp_path / "config.toml")


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
@pytest.mark.parametrize("link", ["tinyscim.json", "tinyscim.json.journal.0"])
def test_the_store_must_not_be_a_link_to_the_configuration(tmp_path, link, kind):
    path = tmp_path / "config.toml"
    path.write_text('[store]\npath = "tinyscim.json"')
    if kind == "hard":
        (tmp_path / link).hardlink_to(path)
    else:
        (tmp_path / link).symlink_to(path)
    with pytest.raises(ConfigError, match=r"\[store\] path must be a file of its own"):
        create_app(path)


@pytest.mark.parametrize("name", ["tinyscim.json.journal.0", "tinyscim.json.locks", "tinyscim.json.new"])
def test_the_configuration_must_not_have_the_name_of_a_store_file(tmp_path, name):
    path = tmp_path / name
    path.write_text('[store]\npath = "tinyscim.json"')
    with pytest.raises(ConfigError, match=r"\[store\] path must be a file of its own"):
        create_app(path)


def test_repair_does_not_touch_a_configuration_that_is_named_as_the_store(flask, config_path):
    config_path.write_text('[store]\npath = "config.toml"\n')
    run = flask("store", "repair")
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
    assert config_path.read_text() == '[store]\npath = "config.toml"\n'
    assert [path.name for path in config_path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("path", ["loop", "loop/log.jsonl"])
def test_a_link_to_itself_does_not_stop_the_start(tmp_path, path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "config.toml").write_text(f'[log]\npath = "{path}"\n')
    (tmp_path / "config.toml").chmod(0o600)
    app = create_app(tmp_path / "config.toml", store=MemoryStore())
    assert app.test_client().get("/api/scim/v2/Users").status_code == 401
    answer = app.test_cli_runner().invoke(args=["log", "tail"])
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
    assert "Too many levels of symbolic links" in answer.stderr


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "config.toml").write_text('[store]\npath = "kept/here.json"')
    app = create_app(tmp_path / "config.toml")
    assert app.test_client().get("/healthz").status_code == 200
    assert (tmp_path / "kept" / "here.json").exists()
    app.extensions["tinyscim"].store.close()


def test_a_shared_store_and_a_shared_log_are_reported_together(tmp_path):
    (tmp_path / "config.toml").write_text('[store]\npath = "config.toml"\n[log]\npath = "config.toml"\n')
    with pytest.raises(ConfigError) as stopped:
        create_app(tmp_path / "config.toml")
    store, log = str(stopped.value).splitlines()
    assert "[store] path must be a file of its own" in store
    assert "[log] path must be a file of its own" in log
