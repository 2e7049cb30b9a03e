import dataclasses
import tomllib
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

import config
from app import create_app
from storage.memory import MemoryStore

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"


def test_every_option_stands_in_the_example_with_its_default():
    tables = tomllib.loads(EXAMPLE.read_text())
    for name, kind in config.TABLES.items():
        for option in dataclasses.fields(kind):
            shown = tables[name][option.name]
            assert (tuple(shown) if isinstance(shown, list) else shown) == option.default, (name, option.name)
    assert config.read(EXAMPLE) == dataclasses.replace(config.Config(), path=EXAMPLE)


def test_every_option_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for name, kind in config.TABLES.items():
        for option in dataclasses.fields(kind):
            assert f"`{option.name}`" in readme, (name, option.name)


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
        ('[server]\nbind = "foo bar:80"', "[server] bind must be an address and a port"),
        ('[server]\nbind = "[::1]:65536"', "[server] bind must be an address and a port"),
        ('[server]\nbase_path = "scim/"', "[server] base_path must be a path like"),
        ('[server]\npublic_url = "scim.example.com"', '[server] public_url must be like "https://'),
        ('[store]\npath = "a\\u0000b"', "[store] path must have no NUL character"),
        (f"[store]\npath = {'[' * 5_000}{']' * 5_000}", "a value is nested too deeply"),
        (f"[store]\npath{'.a' * 5_000} = 1", "a value is nested too deeply"),
        ("[serve]", "there is no table [serve]; there are"),
        ("server = 1", "[server] must be a table"),
        ("tokens = 1", "[[tokens]] must be an array of tables"),
        ('[[tokens]]\nname = "a"', "[[tokens]] number 1: sha256 is missing"),
        ('[[tokens]]\nname = "a"\nsha256 = "abc"', "[[tokens]] number 1 sha256 must be a SHA-256 hash in hex"),
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
        *(
            (f'[log]\npath = "{path}"', "[log] path must be a file of its own")
            for path in (
                "config.toml",
                "./data/../config.toml.lock",
                "data/tinyscim.json",
                "data/tinyscim.json.journal.0",
                "data/tinyscim.json.locks/writer",
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
        ('[directory]\nindexed_attributes = ["nope"]', '"nope" is no attribute that could be indexed'),
    ],
)
def test_an_error_stops_the_start_with_one_line_that_names_it(tmp_path, capsys, text, problem):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(SystemExit) as stopped:
        create_app(path, store=MemoryStore())
    said = capsys.readouterr().err
    assert stopped.value.code != 0
    assert said.count("\n") == 1
    assert str(path) in said
    assert problem in said


@pytest.mark.parametrize("method", ["scrypt", "scrypt:1024:8:1", "scrypt:65536:16:2", "pbkdf2", "pbkdf2:sha512:1000"])
def test_every_hash_of_werkzeugs_is_a_password(method):
    hashed = generate_password_hash("correct horse battery", method=method)
    assert config.parse({"panel": {"password_hash": hashed}}).panel.password_hash == hashed


def test_a_link_to_the_store_is_no_file_for_the_log(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "log").symlink_to("data/tinyscim.json")
    (tmp_path / "config.toml").write_text('[log]\npath = "log"')
    with pytest.raises(SystemExit):
        create_app(tmp_path / "config.toml")
    assert "[log] path must be a file of its own" in capsys.readouterr().err


@pytest.mark.parametrize("bind", ["[::1]:8000", "0.0.0.0:80", "tinyscim_1.local:8000", "unix:/run/tinyscim.sock"])
def test_an_address_may_be_of_any_kind_that_gunicorn_listens_on(bind):
    assert config.parse({"server": {"bind": bind}}).server.bind == bind


def test_a_missing_file_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        create_app(tmp_path / "none.toml", store=MemoryStore())
    assert "none.toml: there is no such file; copy config.example.toml to it" in capsys.readouterr().err


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "config.toml").write_text('[store]\npath = "kept/here.json"')
    app = create_app(tmp_path / "config.toml")
    assert app.test_client().get("/healthz").status_code == 200
    assert (tmp_path / "kept" / "here.json").exists()
    app.extensions["tinyscim"].store.close()
