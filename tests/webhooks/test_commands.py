"""`flask webhook`."""

import errno
import re
import tomllib
from contextlib import closing

import pytest

from app import create_app
from config.tokens import new_token
from storage.memory import MemoryStore
from storage.tinydb_store import TinyDBStore
from tests.support.storage import KEPT
from tests.support.webhook_receiver import Reply

EVENTS = "[events]\nenabled = true"
URL = "https://crm.example.com/hook"


@pytest.fixture
def path(tmp_path):
    _, table = new_token("entra")
    path = tmp_path / "config.toml"
    lines = [f'{name} = "{table[name]}"' for name in ("name", "sha256", "scope", "expires")]
    path.write_text("\n".join((EVENTS, "[connection]", "enabled = true", "[[tokens]]", *lines, "")))
    path.chmod(0o600)
    return path


@pytest.fixture
def app(path):
    return create_app(path, store=MemoryStore())


@pytest.fixture
def command(app):
    return lambda *words: app.test_cli_runner().invoke(args=["webhook", *words])


@pytest.fixture
def configured(path):
    return lambda: tomllib.loads(path.read_text()).get("webhooks", [])


@pytest.fixture
def made(command):
    """A webhook that was created: its secret."""
    return command("new", "--name", "crm", "--url", URL).stdout.strip()


def test_new_prints_the_secret_and_stores_it_in_the_configuration(made, configured):
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made)
    (webhook,) = configured()
    assert (webhook["name"], webhook["url"], webhook["types"], webhook["paused"]) == ("crm", URL, [], False)
    assert [one["secret"] for one in webhook["secrets"]] == [made]


def test_types_can_be_chosen_and_unknown_ones_are_refused(command, configured):
    assert command("new", "--name", "a", "--url", URL, "--type", "user.created").exit_code == 0
    assert configured()[0]["types"] == ["user.created"]
    run = command("new", "--name", "b", "--url", URL, "--type", "user.eaten")
    assert run.exit_code == 2
    assert "There are no events of the type user.eaten. The types are " in run.stderr
    assert len(configured()) == 1


@pytest.mark.parametrize(
    "url", ["http://crm.example.com/", "ftp://crm.example.com", "crm.example.com", "https://a@crm.example.com/", ""]
)
def test_a_url_without_tls_is_refused(command, configured, url):
    run = command("new", "--name", "crm", "--url", url)
    assert "url must be an https URL" in run.stderr
    assert configured() == []


def test_a_name_is_used_once(command, made):
    run = command("new", "--name", "crm", "--url", URL)
    assert (run.exit_code, run.stderr) == (
        1,
        'Error: There is a webhook "crm" already. Choose another name.\n',
    )


def test_there_are_at_most_20_webhooks(command, configured):
    for number in range(20):
        assert command("new", "--name", f"crm-{number}", "--url", URL).exit_code == 0
    run = command("new", "--name", "one-more", "--url", URL)
    assert "There are at most 20 webhooks." in run.stderr
    assert len(configured()) == 20


def test_the_list_shows_the_state_and_no_secret(command, made):
    run = command("list")
    assert [line.split() for line in run.stdout.splitlines()] == [
        ["Name", "State", "Last", "event", "Types", "URL"],
        ["crm", "active", "never", "all", URL],
    ]
    assert made not in run.stdout
    command("pause", "crm")
    assert "paused" in command("list").stdout


def test_without_webhooks_the_list_says_how_to_create_one(command):
    assert "flask webhook new --name NAME --url URL" in command("list").stderr


def test_rotating_keeps_the_old_secret_for_a_day_by_default(command, made, configured):
    new = command("rotate", "crm").stdout.strip()
    old, last = configured()[0]["secrets"]
    assert [old["secret"], last["secret"]] == [made, new]
    assert (old["expires"] - last["created"]).total_seconds() == 86_400
    assert last["expires"] == "never"
    third = command("rotate", "crm", "--hours", "0").stdout.strip()
    assert [one["secret"] for one in configured()[0]["secrets"]] == [third]


def test_a_webhook_has_at_most_five_secrets(command, made, configured):
    for _ in range(4):
        assert command("rotate", "crm").exit_code == 0
    assert "A webhook has at most 5 secrets." in command("rotate", "crm").stderr
    assert len(configured()[0]["secrets"]) == 5


@pytest.mark.parametrize("words", [("new", "--name", "b", "--url", URL), ("rotate", "crm")])
def test_a_secret_that_cannot_be_shown_is_not_kept(command, made, path, monkeypatch, words):
    before = path.read_text()

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("click.echo", fail)
    run = command(*words)
    assert run.exit_code == 1
    assert path.read_text() == before


def test_pause_and_resume_change_the_configuration(command, made, configured):
    assert command("pause", "crm").exit_code == 0
    assert configured()[0]["paused"] is True
    assert command("resume", "crm").exit_code == 0
    assert configured()[0]["paused"] is False


def test_remove_leaves_nothing(command, made, configured):
    assert command("remove", "crm").exit_code == 0
    assert configured() == []


@pytest.mark.parametrize("word", ["rotate", "pause", "resume", "remove", "test"])
def test_an_unknown_name_is_reported(command, made, word):
    run = command(word, "erp")
    assert (run.exit_code, run.stderr) == (
        1,
        'Error: No such webhook: "erp". List them with: flask webhook list\n',
    )


def test_a_test_event_reports_the_answer(command, receiver):
    command("new", "--name", "crm", "--url", receiver.url)
    assert command("test", "crm").stdout == "OK: the answer is 204\n"
    assert receiver.events[0]["type"] == "webhook.test"
    receiver.reply = lambda _: Reply(404, body=b"no such hook")
    run = command("test", "crm")
    assert (run.exit_code, run.stderr) == (1, "Error: the answer is 404: no such hook.\n")


def test_resend_needs_a_time_or_an_event(command, made):
    for words in ((), ("--since", "2h", "--event", "x")):
        assert "Give either --since or --event." in command("resend", "crm", *words).stderr
    assert '"yesterday" is not a date.' in command("resend", "crm", "--since", "yesterday").stderr
    assert "The feed has no such event." in command("resend", "crm", "--event", "nothing").stderr


def test_resend_opens_the_data_file(path, made, tmp_path):
    store = TinyDBStore(tmp_path / "data.json", durability="os", retention=KEPT)
    with closing(store):
        app = create_app(path, store=store)
        run = app.test_cli_runner().invoke(args=["webhook", "resend", "crm", "--since", "2h"])
    assert (run.exit_code, run.stderr) == (
        1,
        "Error: The feed has no such event. It may have been removed, or none has come since then.\n",
    )


def test_config_show_and_a_backup_hide_the_secret(app, path, made, tmp_path):
    run = app.test_cli_runner().invoke(args=["config", "show"])
    assert re.search(r"\[\[webhooks\]\] +file +1", run.stdout)
    assert made not in run.stdout
    from config.edit import without_secrets

    assert made not in without_secrets(path.read_text())
    assert URL in without_secrets(path.read_text())
