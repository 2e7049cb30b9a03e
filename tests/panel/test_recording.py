"""Reads are recorded for a while, by the panel and by a command."""

import time
import tomllib
from datetime import UTC, datetime, timedelta

import pytest

from config.reload import MAX_AGE


@pytest.fixture
def reads(browser):
    def count():
        time.sleep(MAX_AGE)
        browser.scim("GET", "/Users")
        return browser.get("/panel/log?action=read").html.count('class="badge read"')

    return count


def test_the_command_records_for_a_while(browser, reads):
    run = browser.command("log", "record", "--for", "2h")
    assert run.output.startswith("Reads are recorded until ")
    end = datetime.fromisoformat(tomllib.loads(browser.path.read_text())["log"]["record_reads_until"])
    assert timedelta(minutes=119) < end - datetime.now(UTC) <= timedelta(hours=2)
    assert reads() == 1
    assert browser.command("log", "record", "--stop").output == "Reads are no longer recorded.\n"
    assert reads() == 1


@pytest.mark.parametrize("words", [[], ["--for", "8d"], ["--for", "soon"], ["--for", "0h"], ["--for", "1h", "--stop"]])
def test_the_command_explains_a_wrong_time(browser, words):
    before = browser.path.read_text()
    run = browser.command("log", "record", *words)
    assert run.exit_code in (1, 2)
    assert "--for" in run.output or "Use, for example, 30m, 2h or 1d." in run.output
    assert browser.path.read_text() == before


def test_the_panel_records_for_a_while(browser, reads):
    page = browser.follow(browser.post("/panel/log/record", {"for": "1h"}, form="/panel/log"))
    assert "Reads are recorded until" in page.text
    assert reads() == 1
    page = browser.follow(browser.post("/panel/log/record", {}, form="/panel/log"))
    assert "Reads are no longer recorded." in page.text
    assert reads() == 1


def test_the_panel_refuses_a_recording_without_an_end(browser):
    assert browser.post("/panel/log/record", {"for": "9d"}, form="/panel/log").status == 400
