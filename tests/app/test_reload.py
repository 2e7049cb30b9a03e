"""A running service reloads its configuration file once a change is complete."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import tomlkit

from app import create_app
from config import edit
from config.reload import MAX_AGE, SETTLED_IN_PLACE
from config.tokens import new_token
from storage.memory import MemoryStore
from tests.support.serving import rewrite

USERS = "/api/scim/v2/Users"
REWRITES = 60


@pytest.fixture
def service(tmp_path):
    """The service in this process: a function that asks it with a token, and the token that it knows."""
    token, table = new_token("entra")
    path = tmp_path / "config.toml"
    path.write_text(tomlkit.dumps({"connection": {"enabled": True}, "tokens": [table]}))
    client = create_app(path, store=MemoryStore()).test_client()

    def status(text=token):
        return client.get(USERS, headers={"Authorization": f"Bearer {text}"}).status_code

    assert status() == 200
    return status, path


def in_place(path, text):
    """Write a file in pieces, as a script with `>` does."""
    with path.open("w") as file:
        for start in range(0, len(text), len(text) // 3):
            time.sleep(0.002)
            file.write(text[start : start + len(text) // 3])
            file.flush()


def anew(path, text):
    """Delete a file and write another in pieces, as some editors do."""
    path.unlink()
    in_place(path, text)


@pytest.mark.parametrize("write", [in_place, anew])
def test_no_request_is_refused_while_the_file_is_rewritten(tmp_path, serve, write):
    (first, one), (second, two) = new_token("first"), new_token("second")
    with serve(tmp_path, one, workers=2) as (_, url):
        path = tmp_path / "config.toml"
        text = path.read_text()
        ended, statuses = threading.Event(), []

        def ask():
            with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {first}"}, timeout=30) as client:
                while not ended.is_set():
                    statuses.append(client.get(USERS).status_code)

        with ThreadPoolExecutor() as threads:
            asking = [threads.submit(ask) for _ in range(3)]
            try:
                for _ in range(REWRITES):
                    write(path, text)
                write(path, text + tomlkit.dumps({"tokens": [two]}))
            finally:
                ended.set()
            for one in asking:
                one.result()
        assert len(statuses) > REWRITES
        assert [status for status in statuses if status != 200] == []
        time.sleep(SETTLED_IN_PLACE + 2 * MAX_AGE)
        for token in (first, second) * 5:  # whichever worker answers
            assert httpx.get(url + USERS, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_file_that_is_emptied_in_place_changes_nothing_until_writing_has_ended(service):
    status, path = service
    path.write_text("")
    time.sleep(2 * MAX_AGE)
    assert status() == 200
    time.sleep(SETTLED_IN_PLACE + 2 * MAX_AGE)
    assert status() == 401


def test_a_token_that_is_removed_in_place_is_refused_when_writing_has_ended(service):
    status, path = service
    other = edit.add_token(path, "other")
    assert status(other) == 200
    path.write_text(path.read_text().partition("[[tokens]]")[0])
    time.sleep(SETTLED_IN_PLACE + 2 * MAX_AGE)
    assert [status(), status(other)] == [401, 401]


def test_a_file_that_is_renamed_into_place_counts_at_once(service):
    status, path = service
    rewrite(path, path.read_text().partition("[[tokens]]")[0])
    assert status() == 401


def test_a_change_by_a_command_counts_at_once(service):
    status, path = service
    for number in range(10):
        token = edit.add_token(path, f"number-{number}")
        assert status(token) == 200
        edit.remove_token(path, f"number-{number}")
        time.sleep(MAX_AGE)
        assert status(token) == 401


def test_a_lost_limit_is_logged_and_changes_nothing(service, caplog):
    status, path = service
    token = edit.add_token(path, "audit", read_only=True)
    assert status(token) == 200
    rewrite(path, path.read_text().replace('scope = "read-only"\n', ""))
    assert status(token) == 200
    assert "scope is missing: write scope" in caplog.text


def test_all_errors_of_a_changed_file_are_logged_in_one_line(service, caplog):
    status, path = service
    rewrite(path, path.read_text() + "[server]\nworkers = 0\nthreads = 0\n")
    assert status() == 200
    (text,) = {message for message in caplog.messages if "workers must be from 1 to 64, not 0" in message}
    assert "threads must be from 1 to 256, not 0" in text
    assert "\n" not in text


def test_a_file_that_was_deleted_changes_nothing(service):
    status, path = service
    path.unlink()
    time.sleep(2 * MAX_AGE)
    assert status() == 200


def test_a_file_from_the_future_counts_too(service):
    status, path = service
    path.write_text("")
    os.utime(path, (time.time() + 3600,) * 2)
    time.sleep(MAX_AGE)
    assert status() == 200
    time.sleep(SETTLED_IN_PLACE + 2 * MAX_AGE)
    assert status() == 401


def test_a_command_waits_until_a_file_is_complete_before_it_changes_it(service):
    status, path = service
    text = path.read_text()
    path.write_text("")
    with ThreadPoolExecutor() as threads:
        made = threads.submit(edit.add_token, path, "other")
        time.sleep(MAX_AGE)
        path.write_text(text)
        token = made.result()
    assert [one["name"] for one in tomlkit.parse(path.read_text())["tokens"]] == ["entra", "other"]
    assert [status(), status(token)] == [200, 200]
