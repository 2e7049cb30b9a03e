"""The `tinyscim` command, in a project that has modules of the same names."""

import re
import stat

import httpx


def tenant(text):
    return re.search(r"Tenant URL: +(\S+)", text)[1], re.search(r"Secret Token: +(\S+)", text)[1]


def users(url, token):
    return httpx.get(f"{url}/Users", headers={"Authorization": f"Bearer {token}"}).status_code


def test_the_first_start_creates_the_configuration_and_prints_the_first_token_once(project):
    with project.serving("--port", "0") as (url, printed):
        scim, token = tenant(printed)
        assert scim == f"{url}/api/scim/v2"
        assert users(scim, token) == 200
        assert "Set your own with: tinyscim panel password" in printed
        listed = project.run("token", "list")
        assert listed.stdout.splitlines()[1].startswith("entra "), listed.stderr
        assert project.run("token", "revoke", "entra").returncode == 0
        assert users(scim, token) == 401
        page = httpx.get(f"{url}/panel/sign-in")
        assert "tinyscim panel password" in page.text
        styles = re.findall(r'href="(/panel/static/[^"]+\.css)', page.text)
        assert styles
        assert {httpx.get(f"{url}{style}").status_code for style in styles} == {200}
    file = project.folder / "config.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (project.folder / "data" / "tinyscim.json").exists()
    assert project.run("store", "check").stdout == "OK: the store is empty\n"


def test_configuration_and_data_are_where_the_options_say(project):
    places = ("--config", "my/scim.toml", "--data", "kept")
    (project.folder / "my").mkdir()
    with project.serving(*places, "--host", "localhost", "--port", "0", TINYSCIM_STORE__PATH="ignored") as (_, printed):
        scim, token = tenant(printed)
        assert scim.startswith("http://localhost:")
        assert users(scim, token) == 200
    assert {path.name for path in project.folder.iterdir() if path.suffix != ".py"} == {"my", "kept", "log"}
    assert (project.folder / "kept" / "tinyscim.json").exists()
    assert "entra" in project.run(*places, "token", "list").stdout
    shown = project.run(*places, "config", "show").stdout
    assert f'"{project.folder}/kept/tinyscim.json"' in shown


def test_a_command_without_a_configuration_says_how_to_create_one(project):
    run = project.run("token", "list")
    assert run.returncode == 1
    assert "config.toml does not exist. Create it with `tinyscim run`" in run.stderr


def test_an_invalid_configuration_is_reported_in_a_line(project):
    (project.folder / "config.toml").write_text("[server]\nworkers = 0\n")
    for command in (["run"], ["token", "list"]):
        run = project.run(*command)
        assert run.returncode == 3
        assert run.stderr.endswith("config.toml: [server] workers must be from 1 to 64, not 0\n")
        assert "Traceback" not in run.stderr


def test_the_emulator_is_a_command(project):
    assert '"userPrincipalName"' in project.run("entra", "demo", "--users", "2").stdout
    assert "Usage: tinyscim entra sync" in project.run("entra", "sync", "--help").stdout


def test_the_version_is_that_of_the_project(project):
    assert project.run("--version").stdout == "tinyscim 0.1.0\n"
