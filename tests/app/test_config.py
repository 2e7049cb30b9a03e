import dataclasses
import tomllib
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

import config
from app import create_app
from config import ConfigError, edit
from storage.memory import MemoryStore

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
HASH = generate_password_hash("correct horse battery", method="scrypt:1024:8:1")
TOKEN = f'[[tokens]]\nname = "a"\nsha256 = "{"a" * 64}"\n'


def test_the_example_lists_every_option_with_its_default():
    tables = tomllib.loads(EXAMPLE.read_text())
    for name, kind in config.TABLES.items():
        for option in dataclasses.fields(kind):
            shown = tables[name][option.name]
            assert (tuple(shown) if isinstance(shown, list) else shown) == option.default, (name, option.name)
    assert config.read(EXAMPLE) == dataclasses.replace(config.Config(), path=EXAMPLE)


def test_every_option_stands_in_the_documentation():
    page = (ROOT / "docs" / "configuration.md").read_text()
    for name, kind in config.TABLES.items():
        rows = page.split(f"| `[{name}]` |")[1].split("| `[")[0]
        for option in dataclasses.fields(kind):
            assert f"`{option.name}`" in rows, (name, option.name)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[server]\ntrusted_proxies = -1", "[server] trusted_proxies must be from 0 to 10, not -1"),
        ('[server]\nworkers = "many"', '[server] workers must be a whole number, not "many"'),
        ("[server]\nworkers = true", "[server] workers must be a whole number, not true"),
        ("[server]\nport = 1", "[server]: there is no option port; there are bind,"),
        (
            '[server]\nbind = "::1:18603"',
            "[server] bind must be an address and a port, like 127.0.0.1:8000 or [::1]:8000",
        ),
        *(
            (f'[server]\nbind = "{bind}"', "[server] bind must be an address and a port")
            for bind in (
                "foo bar:80",
                "[::1]:65536",
                "[:::::]:80",
                "[1.2.3]:80",
                "a..b:80",
                ".a:80",
                "-:80",
                "a.-b:80",
                "a-.b:80",
                f"{'a' * 64}:80",
                "unix:/",
                "unix:///",
            )
        ),
        ('[server]\nbase_path = "scim/"', "[server] base_path must be a path like"),
        ('[server]\npublic_url = "scim.example.com"', '[server] public_url must be like "https://'),
        ('[store]\npath = "a\\u0000b"', "[store] path must have no NUL character"),
        ('[store]\n"a\\u0000b" = 1', r"[store] a\0b must have no NUL character"),
        ('["a\\u0000b"]', r"[a\0b] must have no NUL character"),
        (
            '[server]\ncors_origins = ["https://a", "\\u0000"]',
            "[server] cors_origins number 2 must have no NUL character",
        ),
        (
            '[directory]\nindexed_attributes = ["\\u0000"]',
            "[directory] indexed_attributes number 1 must have no NUL character",
        ),
        ('[[schemas]]\nid = "urn:x:\\u0000"', "[[schemas]] number 1 id must have no NUL character"),
        (
            '[[schemas]]\n[[schemas.attributes]]\n[[schemas.attributes]]\ncanonicalValues = ["\\u0000"]',
            "[[schemas]] number 1 attributes number 2 canonicalValues number 1 must have no NUL character",
        ),
        (f"[store]\npath = {'[' * 5_000}{']' * 5_000}", "a value is nested too deeply"),
        (f"[store]\npath{'.a' * 5_000} = 1", "a value is nested too deeply"),
        ('[server]\nbind = "a\\nb\\u2028"', r'not "a\nb\u2028"'),
        ('[server]\n"a\\nb" = 1', r"[server]: there is no option a\nb; there are"),
        ('["a\\r\\u001b"]', r"there is no table [a\r\x1b]; there are"),
        ('[[schemas]]\nid = "urn:x:y"\nextends = "a\\nb"\nattributes = [{name = "a"}]', r'extends "a\nb"; there are'),
        ("[serve]", "there is no table [serve]; there are"),
        ('[server]\n"is unknown" = 1', "[server]: there is no option is unknown; there are bind,"),
        (f"[server]\nworkers = {'9' * 5_000}", "config.toml: Exceeds the limit"),
        (f"[server]\nworkers = 0x{'f' * 5_000}", "config.toml: Exceeds the limit"),
        ("server = 1", "[server] must be a table"),
        ("tokens = 1", "[[tokens]] must be an array of tables"),
        ("[directory]\npurge_disabled_after_days = 36", "may be cut off in a number: end it with a line break"),
        ('[[tokens]]\nname = "a"', "[[tokens]] number 1 sha256 is missing"),
        ('[[tokens]]\nname = "a"\nsha256 = "abc"', "[[tokens]] number 1 sha256 must be a SHA-256 hash in hex"),
        (TOKEN, '[[tokens]] number 1 scope is missing: write scope = "read-write" or scope = "read-only"'),
        (f'{TOKEN}scope = "read-only"', '[[tokens]] number 1 expires is missing: write expires = "never", or until'),
        (f'{TOKEN}expires = "2030"', 'expires must be a date and time with its zone, or "never", not "2030"'),
        (f"{TOKEN}expires = 2030-01-31", 'expires must be a date and time with its zone, or "never", not 2030-01-31'),
        (
            f'{TOKEN}scope = "read-only"\nexpires = "never"',
            "[connection] enabled is missing: write enabled = true or enabled = false",
        ),
        (
            f'[panel]\npassword_hash = "{HASH}"\nsecret = "{"s" * 40}"',
            "[panel] allow is missing: write allow = [] to let every network reach the panel",
        ),
        *(
            (f"[panel]\nallow = [{networks}]", "[panel] allow must be a list of networks, like [")
            for networks in ("1", '""', '"10.0.0.1/8"', '"10.0.0.0/33"', '"10.0.0.0/8", "office"', '"fe80::/129"')
        ),
        ('[panel]\nallow = "10.0.0.0/8"', "[panel] allow must be a list, not "),
        *(
            (f"[server]\nhosts = [{names}]", "[server] hosts must be a list of names without ports, like [")
            for names in ("1", '""', '"https://a.example"', '"a.example:443"', '"a b"', '"*.a.example"', '".a.example"')
        ),
        ("[limits]\npage_size = 5000", "[limits] page_size must not be above max_page_size"),
        ("[server", "config.toml: "),
        ('[[schemas]]\nid = "x"', '"id" must be a URN'),
        ('[[schemas]]\nid = "urn:x:y"\nextends = "User"', '"attributes" must list'),
        (
            '[[schemas]]\nid = "urn:x:Y"\nextends = "Use"\n[[schemas.attributes]]\nname = "a"',
            'extends "Use"; there are User, Group',
        ),
        (
            '[[schemas]]\nid = "urn:x:Y"\nextends = "User"\n[[schemas.attributes]]\nname = "a"\ntype = "text"',
            'attribute a: "type" must be one of string,',
        ),
        (
            '[[schemas]]\nid = "urn:x:Y"\nendpoint = "/Users"\n[[schemas.attributes]]\nname = "a"',
            'the endpoint "Users" is taken already',
        ),
        (
            '[[schemas]]\nid = "urn:x:Y"\nextends = "User"\n[[schemas.attributes]]\nname = "a.B"\n'
            '[[schemas.attributes]]\nname = "A"\ntype = "complex"\nsubAttributes = [{name = "b"}]',
            "the schema has two attributes named A.b",
        ),
        (
            '[[schemas]]\nid = "urn:x:Y"\nextends = "User"\n[[schemas.attributes]]\nname = "Badge"\n'
            '[[schemas.attributes]]\nname = "badge"',
            "the schema has two attributes named badge",
        ),
        (
            '[attribute_names]\nextraAttribute1 = "Badge"\nextraAttribute4 = "badge"',
            '[attribute_names] extraAttribute4 must not be "badge": another attribute has this name',
        ),
        *(
            (f'[log]\npath = "{path}"', "[log] path must be a file of its own")
            for path in (
                "config.toml",
                "./data/../config.toml.lock",
                "data/tinyscim.json",
                "data/tinyscim.json.journal.0",
                "data/tinyscim.json.locks/writer",
                "data/tinyscim.json.new",
                "data/tinyscim.secret",
                "data/tinyscim.secret/log",
                "data/tinyscim.counts.json",
                "data/tinyscim.sessions.json",
                "data/tinyscim.sessions.json.lock",
                "data/tinyscim.signin.json",
                "data/tinyscim.signin.json.lock",
                "data/tinyscim.json.locks/purge.exclusive",
                ".",
                "data",
            )
        ),
        ('[log]\npath = "/"', "[log] path must be a file of its own"),
        *(
            (f'[store]\npath = "{path}"', "[store] path must be a file")
            for path in (
                "config.toml",
                "./data/../config.toml",
                "config.toml.lock",
                "config.toml.new",
                "config.toml/tinyscim.json",
                "config.toml.lock/tinyscim.json",
                "data/tinyscim.secret",
                ".",
                "..",
                "/",
                "/usr",
            )
        ),
        *(
            (
                f'[store]\npath = "data/{name}"\n[log]\npath = "data/log.jsonl"',
                "and so must log-refused.jsonl beside it",
            )
            for name in (
                "log.jsonl",
                "log-refused.jsonl",
                "log-refused.20260131-120000000000.jsonl",
                "log.jsonl.lock",
                "log.jsonl/tinyscim.json",
            )
        ),
        *(
            (f'[panel]\npassword_hash = "{text}"', "[panel] password_hash must be what `flask panel password` writes")
            for text in (
                "a$b$c",
                "scrypt:3:8:1$a$b",
                "scrypt:32768:8:1$a$b",
                f"scrypt:1073741824:8:1$a${'0' * 128}",
                f"scrypt:3:8:1$a${'0' * 128}",
                "pbkdf2:sha256:0$a$b",
                f"pbkdf2:sha256:0$a${'0' * 64}",
                f"pbkdf2:sha257:1$a${'0' * 64}",
            )
        ),
        ('[panel]\npassword_hash = "md5$a$b"', '(to set a new password, set it to "" first)\n'),
        ('[directory]\nindexed_attributes = ["nope"]', '"nope" is not an attribute that can be indexed'),
    ],
)
def test_an_error_stops_the_start_and_names_file_table_and_key(tmp_path, text, problem):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as stopped:
        create_app(path, store=MemoryStore())
    said = f"{stopped.value}\n"
    assert "\0" not in said
    assert all(line.startswith(f"{path}") for line in said.splitlines())
    assert problem in said


def test_all_errors_are_reported_at_once(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        "[server]\nworkers = 0\nport = 1\n[limits]\npage_size = 5000\n[serve]\n"
        f'[[tokens]]\nname = "a"\nsha256 = "{"a" * 64}"\nscope = "all"\n[[tokens]]\nsha256 = "Hush-1"\n'
    )
    with pytest.raises(ConfigError) as stopped:
        create_app(path, store=MemoryStore())
    assert {line.removeprefix(f"{path}: ").partition(":")[0] for line in str(stopped.value).splitlines()} == {
        "[server] workers must be from 1 to 64, not 0",
        "[server]",
        "[limits] page_size must not be above max_page_size",
        "there is no table [serve]; there are attribute_names, clients, connection, directory, events, limits, log, "
        "metrics, oauth, panel, revoked_tokens, roles, schemas, server, store, tokens, webhook_delivery, "
        "webhooks",
        '[[tokens]] number 1 scope must be one of "read-write", "read-only" and "events", not "all"',
        "[[tokens]] number 1 expires is missing",
        "[[tokens]] number 2 name is missing",
        "[[tokens]] number 2 sha256 must be a SHA-256 hash in hex",
        "[[tokens]] number 2 expires is missing",
        "[[tokens]] number 2 scope is missing",
        "[connection] enabled is missing",
    }


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("[panel]", 'password_hash = "Hush-1"'),
        ("[panel]", 'password_hash = ["Hush-1"]'),
        ("[panel]", 'secret = "Hush-1"'),
        ('[[tokens]]\nname = "entra"', 'sha256 = "Hush-1"'),
        ('[[tokens]]\nname = "entra"', "sha256 = { Hush-1 = 1 }"),
    ],
)
def test_values_that_may_be_secrets_are_not_shown(tmp_path, caplog, table, line):
    path = tmp_path / "config.toml"
    path.touch()
    token = edit.add_token(path, "known")
    client = create_app(path, store=MemoryStore()).test_client()
    path.write_text(f"{table}\n{line}\n")
    assert client.get("/api/scim/v2/Users", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    with pytest.raises(ConfigError) as stopped:
        create_app(path, store=MemoryStore())
    for said in (caplog.text, str(stopped.value)):
        assert f"{line.split()[0]} must be" in said
        assert "hush" not in said.lower()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: there is no such file; copy config\.example\.toml to it"):
        create_app(tmp_path / "none.toml", store=MemoryStore())
