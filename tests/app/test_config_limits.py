"""A configuration that lost some of its text grants no more than before."""

import tomllib

import pytest
from werkzeug.security import generate_password_hash

import config

HASH = generate_password_hash("correct horse battery", method="scrypt:1024:8:1")
TOKEN = f'[[tokens]]\nname = "a"\nsha256 = "{"a" * 64}"\n'
LIMITED = (
    "[directory]\npurge_disabled_after_days = 365\n",
    "[connection]\nenabled = false\n",
    f'[panel]\npassword_hash = "{HASH}"\nsecret = "{"s" * 40}"\nallow = ["10.0.0.0/8"]\n',
    f'{TOKEN}scope = "read-only"\nexpires = 2030-01-31T12:00:00Z\n'
    f'[[tokens]]\nname = "b"\nexpires = "never"\nsha256 = "{"b" * 64}"\nscope = "read-only"\n',
)


def grants_no_more(now, before):
    """Whether a configuration lets in and deletes nothing that another one keeps out or keeps."""
    known = {token.sha256: token for token in before.tokens}
    tokens = all(
        one.sha256 in known
        and one.read_only >= known[one.sha256].read_only
        and one.expires == known[one.sha256].expires
        and now.connection.enabled <= before.connection.enabled
        for one in now.tokens
    )
    days = now.directory.purge_disabled_after_days
    purges = not days or days >= before.directory.purge_disabled_after_days
    return tokens and purges and (not now.panel.is_on or now.panel == before.panel)


def read_if_valid(path, text):
    path.write_text(text)
    try:
        return config.read(path)
    except config.ConfigError:
        return None


@pytest.mark.parametrize("tables", [LIMITED[first:] + LIMITED[:first] for first in range(4)])
def test_a_file_that_was_cut_off_anywhere_grants_no_more(tmp_path, tables):
    text = "\n".join(tables)
    whole = read_if_valid(tmp_path / "config.toml", text)
    for length in range(len(text)):
        cut = read_if_valid(tmp_path / "config.toml", text[:length])
        assert cut is None or grants_no_more(cut, whole), text[:length]


def test_a_file_that_lost_any_line_grants_no_more(tmp_path):
    lines = "".join(LIMITED).splitlines(keepends=True)
    whole = read_if_valid(tmp_path / "config.toml", "".join(lines))
    for number in range(len(lines)):
        rest = read_if_valid(tmp_path / "config.toml", "".join(lines[:number] + lines[number + 1 :]))
        assert rest is None or grants_no_more(rest, whole), lines[number]


def test_commands_write_every_limit_of_the_access_they_grant(flask, config_path):
    config_path.write_text("")
    assert flask("setup").returncode == 0
    assert flask("token", "new", "--name", "audit", "--read-only").returncode == 0
    tables = tomllib.loads(config_path.read_text())
    assert [(one["scope"], one["expires"]) for one in tables["tokens"]] == [
        ("read-write", "never"),
        ("read-only", "never"),
    ]
    assert tables["connection"] == {"enabled": True}
    assert list(tables["panel"]) == ["allow", "password_hash", "secret"]
    assert tables["panel"]["allow"] == []
