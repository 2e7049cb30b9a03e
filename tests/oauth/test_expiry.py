"""Warnings of tokens and client secrets that expire soon: in the panel, in the log, and by `flask setup --check`."""

from datetime import UTC, datetime, timedelta

import pytest
import tomlkit

from app import create_app
from config.tokens import new_token
from runtime import expiry_warnings
from storage.memory import MemoryStore
from tests.support.oauth_service import make_client
from tests.support.panel_browser import HASH, Browser

PANEL = {"allow": [], "password_hash": HASH, "secret": "s" * 40}
PAGES = ("/panel/", "/panel/integrations/entra", "/panel/integrations/entra/clients")


def ends_in(days):
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days, hours=12)


def token(name, days):
    return {**new_token(name)[1], "expires": ends_in(days)}


def client(*days, name="Entra"):
    secrets = []
    for number, count in enumerate(days):
        (secret,) = make_client()[1]["secrets"]
        secrets.append({**secret, "id": f"secret-{number}", "expires": ends_in(count)})
    return {**make_client()[1], "name": name, "secrets": secrets}


@pytest.fixture
def make_browser(tmp_path):
    def make(*clients, tokens=()):
        path = tmp_path / "config.toml"
        tables = {"connection": {"enabled": True}, "panel": PANEL, "tokens": [new_token("static")[1], *tokens]}
        path.write_text(tomlkit.dumps({**tables, "clients": list(clients)} if clients else tables))
        path.chmod(0o600)
        browser = Browser(create_app(path, store=MemoryStore()), path, "")
        browser.sign_in()
        return browser

    return make


def check(browser):
    return browser.command("setup", "--check")


@pytest.mark.parametrize(
    ("clients", "tokens", "said"),
    [
        ([client(29)], [], "Secret secret-0 of the client “Entra” expires on "),
        ([client(6)], [], "UTC, in 6 days"),
        ([client(0)], [], "UTC, in less than a day"),
        ([client(5, 20)], [], "Secret secret-1 of the client “Entra” expires on "),
        ([], [token("old", 1)], "The token “old” expires on "),
    ],
)
def test_what_expires_within_30_days_is_reported_everywhere(make_browser, caplog, clients, tokens, said):
    browser = make_browser(*clients, tokens=tokens)
    run = check(browser)
    assert run.exit_code == 1
    assert said in run.output
    assert len(run.output.splitlines()) == 1
    for page in PAGES:
        assert said in browser.get(page).text
    browser.app.extensions["tinyscim.expiry_warnings"].run()
    assert said in caplog.text


@pytest.mark.parametrize(
    ("clients", "tokens"),
    [
        ([client(31)], []),
        ([client(5, 300)], []),
        ([client(-1)], []),
        ([client(5, name="connection-test-1")], []),
        ([], [token("old", 31)]),
        ([], [token("old", -1)]),
        ([], [token("connection-test-1", 0)]),
    ],
)
def test_nothing_is_reported_of_what_lasts_was_replaced_or_has_ended(make_browser, caplog, clients, tokens):
    browser = make_browser(*clients, tokens=tokens)
    run = check(browser)
    assert (run.exit_code, run.output) == (0, "OK: no token and no client secret expires within 30 days\n")
    assert not any(" expires on " in browser.get(page).text for page in PAGES)
    browser.app.extensions["tinyscim.expiry_warnings"].run()
    assert " expires on " not in caplog.text


def test_the_last_week_is_marked_as_a_problem(make_browser):
    assert '<p class="warning">Secret' in make_browser(client(8)).get(PAGES[1]).html
    assert '<p class="problem">Secret' in make_browser(client(6)).get(PAGES[1]).html


def test_the_log_warns_once_a_day_for_all_workers(make_browser, caplog, monkeypatch):
    browser = make_browser(client(20))
    workers = [browser.app, create_app(browser.path, store=browser.app.extensions["tinyscim"].store)]
    for worker in workers * 3:
        worker.extensions["tinyscim.expiry_warnings"].run()
    assert caplog.text.count(" expires on ") == 1

    class Tomorrow(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(days=1)

    monkeypatch.setattr(expiry_warnings, "datetime", Tomorrow)
    for worker in workers:
        worker.extensions["tinyscim.expiry_warnings"].run()
    assert caplog.text.count(" expires on ") == 2
