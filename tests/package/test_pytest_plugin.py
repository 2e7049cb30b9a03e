"""The pytest plugin of the wheel, in a project of its own."""

import re

import pytest

from tests.support.wheel import ROOT

README = (ROOT / "README.md").read_text()
RECIPES = re.findall(
    r"```python\n(.*?)```", README.split("## In your own tests\n")[1].split("\n## ")[0], flags=re.DOTALL
)
ENDPOINT = (ROOT / "docs" / "examples" / "own_endpoint" / "conftest.py").read_text()
OWN = (ROOT / "docs" / "examples" / "own_endpoint" / "app.py").read_text()


@pytest.fixture
def run(project):
    def run(test, *arguments, ini="", **variables):
        (project.folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
        (project.folder / "test_it.py").write_text(test)
        return project.run("-q", "-rs", "-p", "no:cacheprovider", *arguments, module="pytest", **variables).stdout

    return run


@pytest.fixture
def own_endpoint(project):
    """The project has an endpoint of its own, and a fixture that starts it."""
    (project.folder / "app.py").write_text(OWN)
    (project.folder / "conftest.py").write_text(ENDPOINT)


def test_the_readmes_recipes_run(run, own_endpoint):
    server, entra, reader, _ = RECIPES
    assert [len(recipe.splitlines()) <= 5 for recipe in (server, entra, reader)] == [True] * 3
    test = f"""
import flask, httpx, pytest
app = flask.Flask(__name__)
{server}
{entra}
{reader}
def test_people(tinyscim_server):
    globals().update(SCIM_URL=tinyscim_server.url, SCIM_TOKEN=tinyscim_server.token)
    assert app.test_client().get("/people").json == ["ada@example.com"]
"""
    printed = run(test, "-k", "user_is_created or people or create")
    assert re.search(r"\n\d+ passed, \d+ deselected in ", printed), printed
    assert int(re.search(r"(\d+) passed", printed)[1]) > 4


def test_the_server_can_be_emptied_and_shows_its_log(run):
    test = """
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
def test_reset(tinyscim_server):
    scim = tinyscim_server.client
    for number in range(205):
        scim.post("/Users", json={"schemas": [USER], "userName": f"user{number}"}).raise_for_status()
    assert scim.get("/Users").json()["totalResults"] == 205
    tinyscim_server.reset()
    assert scim.get("/Users").json()["totalResults"] == 0
    assert "path=/api/scim/v2/Users" in tinyscim_server.log.replace('"', "")
    assert tinyscim_server.token not in tinyscim_server.log
"""
    assert "1 passed" in (printed := run(test)), printed


@pytest.mark.long
def test_the_server_has_the_configuration_and_the_store_of_the_ini_file(run, project):
    (project.folder / "scim.toml").write_text('[server]\nbase_path = "/scim"\n[limits]\nmax_page_size = 100\n')
    test = """
def test_options(tinyscim_server, tmp_path_factory):
    assert tinyscim_server.url.endswith("/scim")
    assert tinyscim_server.client.get("/Users").json()["totalResults"] == 0
    assert list(tmp_path_factory.getbasetemp().glob("tinyscim*/tinyscim.json"))
"""
    printed = run(test, ini="tinyscim_config = scim.toml\ntinyscim_store = file")
    assert "1 passed" in printed, printed


@pytest.mark.long
def test_an_invalid_configuration_fails_with_its_reason(run, project):
    (project.folder / "scim.toml").write_text("[server]\nworkers = 0\n")
    printed = run("def test(tinyscim_server): pass", ini="tinyscim_config = scim.toml")
    assert "[server] workers must be from 1 to 64, not 0" in printed


def test_the_marker_chooses_the_cases(run, own_endpoint):
    test = """
import pytest
@pytest.mark.tinyscim(cases=["create", "wrong-token"], dialects="L")
def test_entra(tinyscim_entra, tinyscim_case):
    tinyscim_entra.validate(tinyscim_case)
"""
    printed = run(test, "-vv", "--strict-markers")
    assert re.findall(r"::test_entra\[(\S+)\] PASSED", printed) == ["create-L", "wrong-token-L"], printed


@pytest.mark.long
def test_a_failed_case_names_its_effect_and_its_remedy(run):
    test = """
import pytest
pytestmark = pytest.mark.tinyscim(url="http://127.0.0.1:1/scim/v2", cases=["endpoint"])
def test_entra(tinyscim_entra, tinyscim_case):
    tinyscim_entra.validate(tinyscim_case)
def test_sync(tinyscim_entra):
    tinyscim_entra.sync(tinyscim_entra.tenant(users=2))
"""
    printed = run(test)
    for part in ("Effect: ", "Fix: ", "Request: curl ", "Entra stopped the cycle: connection test failed"):
        assert part in printed, printed


WITHOUT_URL = """
import pytest
def test_none(tinyscim_entra): pass
@pytest.mark.tinyscim(url="nowhere")
def test_wrong(tinyscim_entra): pass
"""
BOTH = "def test_one(tinyscim_server): pass\ndef test_two(tinyscim_entra): pass"
UNKNOWN_CASE = 'import pytest\n@pytest.mark.tinyscim(cases=["no"])\ndef test(tinyscim_case): pass'


@pytest.mark.long
@pytest.mark.parametrize(
    ("test", "ini", "reasons"),
    [
        (WITHOUT_URL, "", ["Set tinyscim_url in pytest's configuration", "has no scheme or host"]),
        (
            BOTH,
            "tinyscim_store = disk\ntinyscim_mapping = x\ntinyscim_url = http://a/",
            ['tinyscim_store is "memory" or "file", not "disk"', 'tinyscim_mapping is "entra" or "idmelon", not "x"'],
        ),
        (UNKNOWN_CASE, "", ["unknown case 'no'"]),
        (UNKNOWN_CASE.replace('cases=["no"]', 'dialects="FL"'), "", ['dialects is "L", "F" or "LF", not "FL"']),
    ],
    ids=["endpoint", "options", "case", "dialect"],
)
def test_a_wrong_option_is_reported(run, test, ini, reasons):
    printed = run(test, ini=ini)
    assert not [reason for reason in reasons if reason not in printed], printed
    assert " passed" not in printed
