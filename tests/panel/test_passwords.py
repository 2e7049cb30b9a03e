"""Setting the panel's password."""

import os
import subprocess
import sys

import pytest

from app import create_app
from storage.memory import MemoryStore
from tests.support.panel_browser import Browser
from tests.support.serving import ROOT


def test_a_new_password_ends_all_sessions(browser):
    assert browser.command("panel", "password", "--password-stdin", given="another password\n").exit_code == 0
    assert browser.get("/panel/").status == 302
    assert browser.sign_in().status == 401
    assert browser.sign_in("another password").status == 302


def test_a_short_password_is_refused(anonymous):
    result = anonymous.command("panel", "password", "--password-stdin", given="short\n")
    assert result.exit_code == 1
    assert "at least 12 characters" in result.output


def test_a_password_that_is_not_utf8_is_refused(anonymous):
    result = anonymous.command("panel", "password", "--password-stdin", given=b"\xff\xfe bad utf8 password\n")
    assert (result.exit_code, result.output) == (1, "Error: The password is not valid UTF-8.\n")


def test_an_emptied_hash_is_replaced(make_browser):
    browser = make_browser(panel={"password_hash": "", "secret": "s" * 40})
    assert browser.command("panel", "password", "--password-stdin", given="another password\n").exit_code == 0
    assert (
        Browser(create_app(browser.path, store=MemoryStore()), browser.path, "").sign_in("another password").status
        == 302
    )


@pytest.mark.parametrize("option", ["", "--password-stdin"])
def test_a_password_from_a_closed_input_is_refused(anonymous, option):
    run = subprocess.run(
        ["sh", "-c", f'"$0" -m flask panel password {option} <&-', sys.executable],
        cwd=ROOT,
        env={**os.environ, "SCIM_CONFIG": str(anonymous.path)},
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,  # without a terminal that could be asked instead
    )
    assert (run.returncode, run.stderr) == (1, "Error: Standard input is closed.\n")


def test_the_password_is_kept_as_a_scrypt_hash(anonymous):
    anonymous.command("panel", "password", given="another password\nanother password\n")
    kept = anonymous.config["panel"]
    assert kept["password_hash"].startswith("scrypt:32768:8:1$")
    assert "another" not in anonymous.path.read_text()
    assert len(kept["secret"]) >= 32


def test_a_fresh_installation_gets_a_password_once_beside_the_token(make_browser):
    browser = make_browser(panel={}, tokens=[])
    first, second = browser.command("setup"), browser.command("setup")
    password = first.output.partition("Password:")[2].split()[0]
    assert "Secret Token:" in first.output
    assert "/panel/" in second.output
    assert password not in second.output
    assert browser.sign_in(password).status == 302
