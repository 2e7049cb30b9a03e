import dataclasses
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
from werkzeug.security import check_password_hash, generate_password_hash

import config
from app import create_app
from config import edit
from storage.memory import MemoryStore

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
HASH = generate_password_hash("correct horse battery", method="scrypt:1024:8:1")
TOKEN = f'[[tokens]]\nname = "a"\nsha256 = "{"a" * 64}"\n'


def test_every_option_stands_in_the_example_with_its_default():
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
        ("server = 1", "[server] must be a table"),
        ("tokens = 1", "[[tokens]] must be an array of tables"),
        ("[directory]\npurge_disabled_after_days = 36", "may be cut off in a number: end it with a line break"),
        ('[[tokens]]\nname = "a"', "[[tokens]] number 1: sha256 is missing"),
        ('[[tokens]]\nname = "a"\nsha256 = "abc"', "[[tokens]] number 1 sha256 must be a SHA-256 hash in hex"),
        (TOKEN, '[[tokens]] number 1: scope is missing: write scope = "read-write" or scope = "read-only"'),
        (f'{TOKEN}scope = "read-only"', '[[tokens]] number 1: expires is missing: write expires = "never", or until'),
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
                "data/tinyscim.activity.json",
                "data/tinyscim.sessions.json",
                "data/tinyscim.sessions.json.lock",
                "data/tinyscim.signin.json",
                "data/tinyscim.signin.json.lock",
                "data/tinyscim.purge.lock",
                "data/tinyscim.purge",  # whose lock has that name
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
        ('[panel]\npassword_hash = "md5$a$b"', '(to have it written anew, set it to "" first)\n'),
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
    assert "\0" not in said
    assert str(path) in said
    assert problem in said


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
def test_what_may_be_a_secret_is_not_told(tmp_path, capsys, caplog, table, line):
    path = tmp_path / "config.toml"
    path.touch()
    token = edit.add_token(path, "known")
    client = create_app(path, store=MemoryStore()).test_client()
    path.write_text(f"{table}\n{line}\n")
    assert client.get("/api/scim/v2/Users", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    with pytest.raises(SystemExit):
        create_app(path, store=MemoryStore())
    for said in (caplog.text, capsys.readouterr().err):
        assert f"{line.split()[0]} must be" in said
        assert "hush" not in said.lower()


@pytest.mark.parametrize("method", ["scrypt", "scrypt:1024:8:1", "scrypt:65536:16:2", "pbkdf2", "pbkdf2:sha512:1000"])
def test_every_hash_of_werkzeugs_is_a_password(method):
    hashed = generate_password_hash("correct horse battery", method=method)
    assert config.parse({"panel": {"password_hash": hashed}}).panel.password_hash == hashed


@pytest.mark.parametrize(
    ("cost", "is_right"),
    [
        ("32768:1:1", True),
        ("65536:1:1", False),  # n is not below 2 to the 16 r
        ("128:8:1", True),
        ("64:8:1", False),  # werkzeug gives it too little memory
        ("2:8:4", True),
        ("2:8:3", False),
        ("65536:256:1", False),  # werkzeug gives it more memory than an int of C can say
        ("1:8:8", False),
        ("128:0:1", False),
        ("128:8:0", False),
    ],
)
def test_a_hash_is_taken_just_when_werkzeug_can_check_a_password_against_it(cost, is_right):
    hashed = f"scrypt:{cost}$salt${'0' * 128}"
    with nullcontext() if is_right else pytest.raises((ValueError, OverflowError)):
        assert not check_password_hash(hashed, "correct horse battery")
    with nullcontext() if is_right else pytest.raises(config.ConfigError):
        config.parse({"panel": {"password_hash": hashed}})


@pytest.mark.parametrize("link", ["log", "log-refused"])
@pytest.mark.parametrize("kind", ["symbolic", "to nothing yet", "hard"])
def test_a_link_to_the_store_is_no_file_for_the_log(tmp_path, capsys, link, kind):
    store = tmp_path / "data" / "tinyscim.json"
    store.parent.mkdir()
    if kind != "to nothing yet":
        store.touch()
    if kind == "hard":
        (tmp_path / link).hardlink_to(store)
    else:
        (tmp_path / link).symlink_to("data/tinyscim.json")
    (tmp_path / "config.toml").write_text('[log]\npath = "log"')
    with pytest.raises(SystemExit):
        create_app(tmp_path / "config.toml")
    assert "[log] path must be a file of its own" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
@pytest.mark.parametrize("link", ["tinyscim.json", "tinyscim.json.journal.0"])
def test_a_link_to_the_configuration_is_no_file_of_a_store(tmp_path, capsys, link, kind):
    path = tmp_path / "config.toml"
    path.write_text('[store]\npath = "tinyscim.json"')
    if kind == "hard":
        (tmp_path / link).hardlink_to(path)
    else:
        (tmp_path / link).symlink_to(path)
    with pytest.raises(SystemExit):
        create_app(path)
    assert "[store] path must be a file of its own" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["tinyscim.json.journal.0", "tinyscim.json.locks", "tinyscim.json.new"])
def test_a_configuration_is_no_file_of_a_store(tmp_path, capsys, name):
    path = tmp_path / name
    path.write_text('[store]\npath = "tinyscim.json"')
    with pytest.raises(SystemExit):
        create_app(path)
    assert "[store] path must be a file of its own" in capsys.readouterr().err


def test_a_repair_leaves_a_configuration_that_is_named_as_the_store_alone(flask, config_path):
    config_path.write_text('[store]\npath = "config.toml"\n')
    run = flask("store", "repair")
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
    assert config_path.read_text() == '[store]\npath = "config.toml"\n'
    assert [path.name for path in config_path.parent.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("path", ["loop", "loop/log.jsonl"])
def test_a_link_that_leads_to_itself_stops_no_start(tmp_path, path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "config.toml").write_text(f'[log]\npath = "{path}"\n')
    (tmp_path / "config.toml").chmod(0o600)
    app = create_app(tmp_path / "config.toml", store=MemoryStore())
    assert app.test_client().get("/api/scim/v2/Users").status_code == 401
    answer = app.test_cli_runner().invoke(args=["log", "tail"])
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
    assert "Too many levels of symbolic links" in answer.stderr


@pytest.mark.parametrize(
    "bind",
    [
        "[::1]:8000",
        "[::ffff:127.0.0.1]:80",
        "[127.0.0.1]:80",
        "0.0.0.0:80",
        "localhost:8000",
        "localhost.:8000",
        "a-b.example:80",
        "tinyscim_1.local:8000",
        "unix:/run/tinyscim.sock",
        "unix:///s",
    ],
)
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


def test_commands_write_every_limit_of_what_they_grant(flask, config_path):
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


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0:81", "http://127.0.0.1:81"),
        ("[::]:82", "http://[::1]:82"),
        ("[0:0:0:0:0:0:0:0]:82", "http://[::1]:82"),
        ("[2001:db8::7]:83", "http://[2001:db8::7]:83"),
        ("scim.internal:84", "http://scim.internal:84"),
        ("unix:/run/tinyscim.sock", "http://localhost"),
    ],
)
def test_this_machine_reaches_the_service_where_it_listens(bind, url):
    assert config.parse({"server": {"bind": bind}}).server.local_origin == url
