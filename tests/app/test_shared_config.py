"""Several hosts with a configuration file each: what is changed on one is changed on all."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest.mock import Mock

import pytest
import tomlkit

from app import create_app
from config import client_edit, edit, read, webhook_edit
from config.reload import MAX_AGE
from config.shared import SharedConfig
from config.tokens import new_token
from storage.base import Unavailable
from storage.memory import MemoryStore
from storage.state import FileState
from tests.support.past import settle


class Host:
    """A host of the store, with its own file and folder."""

    def __init__(self, folder, store, **tables):
        folder.mkdir(exist_ok=True)
        self.path = folder / "config.toml"
        if not self.path.exists():
            settle(self.path, tomlkit.dumps({"server": {"bind": f"127.0.0.1:{len(folder.name)}"}, **tables}))
            self.path.chmod(0o600)
        self.shared = SharedConfig(
            self.path, FileState(folder / "shared.json"), lambda: store.state("config"), lambda: None
        )
        self.agree = self.shared.agree

    @property
    def config(self):
        return read(self.path)

    @property
    def tokens(self):
        return sorted(token.name for token in self.config.tokens)


def agree(*hosts):
    for host in hosts * 2:
        host.agree()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def hosts(tmp_path, store):
    _, table = new_token("entra")
    one = Host(tmp_path / "one", store, connection={"enabled": True}, tokens=[table])
    other = Host(tmp_path / "other", store)
    agree(one, other)
    return one, other


def test_a_new_host_takes_over_what_the_others_have(hosts):
    one, other = hosts
    assert other.tokens == ["entra"]
    assert other.config.tokens == one.config.tokens
    assert other.config.server.bind == "127.0.0.1:5"


def test_a_new_host_brings_none_of_its_own_tokens(hosts, tmp_path, store):
    _, stale = new_token("stale")
    third = Host(tmp_path / "third", store, connection={"enabled": False}, tokens=[stale])
    agree(third, *hosts)
    assert [host.tokens for host in (third, *hosts)] == [["entra"]] * 3
    assert third.config.connection.enabled


def test_what_the_panel_and_the_commands_change_is_changed_on_all_hosts(hosts):
    one, other = hosts
    edit.add_token(one.path, "second", lifetime=timedelta(days=9))
    id, _ = client_edit.add_client(one.path, "client")
    client_edit.add_secret(one.path, id)
    webhook_edit.add_webhook(one.path, "crm", "https://crm.example/")
    edit.set_enabled(one.path, False)
    edit.set_password(one.path, "correct horse battery")
    edit.set_attribute_names(one.path, {"extraAttribute1": "Cost centre"})
    edit.set_metrics_token(one.path)
    agree(one, other)
    for table in ("tokens", "clients", "webhooks", "connection", "panel", "attribute_names", "metrics"):
        assert getattr(other.config, table) == getattr(one.config, table), table
    assert other.config.server.bind == "127.0.0.1:5"
    edit.revoke_token(other.path, "second")
    client_edit.remove_client(other.path, id)
    edit.set_enabled(other.path, True)
    agree(other, one)
    assert one.config.revoked_tokens == other.config.revoked_tokens != ()
    assert (one.tokens, one.config.clients, one.config.connection.enabled) == (["entra"], (), True)


def test_changes_of_two_hosts_at_once_are_both_kept(hosts):
    one, other = hosts
    edit.add_token(one.path, "first")
    edit.add_token(other.path, "second")
    edit.set_enabled(other.path, False)
    agree(one, other)
    assert one.tokens == other.tokens == ["entra", "first", "second"]
    assert not one.config.connection.enabled


def test_a_token_that_one_host_revoked_is_not_kept_by_a_change_on_another(hosts):
    one, other = hosts
    edit.add_token(other.path, "new", replaces="entra", overlap=timedelta(hours=1))  # which changes both
    edit.revoke_token(one.path, "entra")
    agree(one, other)
    assert one.tokens == other.tokens == ["new"]


def test_a_host_that_was_away_learns_what_was_changed_meanwhile(hosts, tmp_path, store):
    one, other = hosts
    edit.revoke_token(one.path, "entra")
    for number in range(22):
        edit.add_token(one.path, f"token {number}")
        edit.revoke_token(one.path, f"token {number}")
        one.agree()
    back = Host(other.path.parent, store)
    agree(back)
    assert back.tokens == []
    assert set(back.config.revoked_tokens) == set(one.config.revoked_tokens)


def test_what_a_restored_database_has_lost_comes_back_from_the_hosts(hosts, store):
    one, other = hosts
    edit.add_token(one.path, "revoked later")
    agree(one, other)
    backup = dict(store.state("config").read())
    edit.revoke_token(one.path, "revoked later")
    edit.add_token(other.path, "later")
    agree(one, other)
    with store.state("config").changing() as value:
        value.clear()
        value |= backup
    agree(other, one)
    assert one.tokens == other.tokens == ["entra", "later"]
    assert one.config.revoked_tokens == other.config.revoked_tokens != ()


def test_a_token_stays_revoked_if_a_database_lost_that_and_was_changed_since(hosts, store, tmp_path):
    one, other = hosts
    backup = dict(store.state("config").read())
    edit.revoke_token(one.path, "entra")
    agree(one)
    with store.state("config").changing() as value:
        value.clear()
        value |= backup
    for number in range(3):
        edit.add_token(other.path, f"later {number}")
        agree(other)
    agree(one, other)
    assert one.tokens == other.tokens == ["later 0", "later 1", "later 2"]


def test_a_host_takes_over_what_the_hosts_of_another_database_have(hosts, tmp_path):
    one, _ = hosts
    edit.add_token(one.path, "staging")
    agree(one)
    production = MemoryStore()
    _, table = new_token("production")
    agree(Host(tmp_path / "production", production, connection={"enabled": True}, tokens=[table]))
    moved = Host(one.path.parent, production)
    agree(moved)
    assert moved.tokens == ["production"]


def test_comments_and_options_of_a_host_stay(hosts):
    one, other = hosts
    other.path.write_text(f"# of this host\n{other.path.read_text()}\n# at the end\n[limits]\npage_size = 7\n")
    settle(other.path)
    edit.add_token(one.path, "second")
    agree(one, other)
    assert (text := other.path.read_text()).startswith("# of this host\n")
    assert "# at the end\n[limits]\npage_size = 7\n" in text
    assert one.config.limits.page_size != 7


def test_an_unchanged_file_is_not_written_again(hosts):
    before = [(host.path.stat(), host.shared._agreed._path.stat()) for host in hosts]
    agree(*hosts)
    assert [(host.path.stat(), host.shared._agreed._path.stat()) for host in hosts] == before


def test_a_file_with_an_error_changes_nothing_elsewhere(hosts):
    one, other = hosts
    sound = one.path.read_text()
    one.path.write_text("[[tokens]]\n")
    edit.add_token(other.path, "second")
    other.agree()
    with pytest.raises(Unavailable, match="was not changed"):
        one.agree()
    assert other.tokens == ["entra", "second"]
    settle(one.path, sound)
    agree(one, other)
    assert one.tokens == ["entra", "second"]


def test_what_only_a_newer_version_shares_is_left_alone(hosts, store):
    one, other = hosts
    with store.state("config").changing() as value:
        value["entries"]["later thing"] = "thing = 1\n"
    edit.add_token(one.path, "second")
    agree(one, other)
    assert store.state("config").read()["entries"]["later thing"] == "thing = 1\n"
    assert "thing" not in other.path.read_text()


def test_hosts_that_change_their_files_without_a_pause_agree_in_the_end(hosts):
    def change(host):
        for number in range(5):
            edit.add_token(host.path, f"{host.path.parent.name} {number}")
            host.agree()

    with ThreadPoolExecutor() as pool:
        list(pool.map(change, hosts))
    agree(*hosts)
    assert hosts[0].tokens == hosts[1].tokens
    assert len(hosts[0].tokens) == 11


def test_a_running_service_uses_what_another_host_changed(hosts, store):
    one, other = hosts
    app = create_app(other.path, store=store)
    text = edit.add_token(one.path, "second")

    def status():
        time.sleep(MAX_AGE)
        return app.test_client().get("/api/scim/v2/Users", headers={"Authorization": f"Bearer {text}"}).status_code

    assert status() == 401
    agree(one, other)
    assert status() == 200
    edit.revoke_token(one.path, "second")
    agree(one, other)
    assert status() == 401


def test_a_file_in_a_folder_that_cannot_be_written_is_left_alone(hosts, monkeypatch):
    one, other = hosts
    edit.add_token(one.path, "second")
    monkeypatch.setattr("config.shared.os.access", lambda path, _: path != one.path.parent)
    agree(one, other)
    assert other.tokens == ["entra"]


def test_a_host_whose_folder_can_no_longer_be_written_stops_once_another_host_revokes_a_token(hosts, monkeypatch):
    one, other = hosts

    def refuse(*_, **__):
        raise OSError("Read-only file system")

    edit.revoke_token(one.path, "entra")
    agree(one)
    monkeypatch.setattr("config.shared.os.access", lambda *_: False)
    monkeypatch.setattr("config.edit.replace_atomically", refuse)
    with pytest.raises(Unavailable, match="Read-only"):
        other.agree()
    assert "cannot follow" in other.shared.problem


def test_a_host_that_cannot_change_the_store_stops_once_another_host_revokes_a_token(hosts, store, monkeypatch):
    one, other = hosts
    edit.revoke_token(one.path, "entra")
    agree(one)
    monkeypatch.setattr("storage.state.MemoryState.changing", Mock(side_effect=Unavailable("read-only")))
    with pytest.raises(Unavailable, match="read-only"):
        other.agree()
    assert "cannot follow" in other.shared.problem


def test_a_host_whose_file_has_an_error_serves_until_another_host_changes_something(hosts, store, caplog):
    one, other = hosts
    app = create_app(other.path, store=store)
    app.extensions["tinyscim"].problem = lambda: other.shared.problem

    def status():
        return app.test_client().get("/healthz").status_code

    sound = other.path.read_text()
    other.path.write_text("[[tokens]]\n")
    with pytest.raises(Unavailable):
        other.agree()
    assert status() == 200
    edit.revoke_token(one.path, "entra")
    one.agree()
    with pytest.raises(Unavailable):
        other.agree()
    assert status() == 503
    settle(other.path, sound)
    agree(other)
    assert status() == 200
    assert other.tokens == []
